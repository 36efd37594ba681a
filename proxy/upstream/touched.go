package upstream

import "github.com/blitz-gateway/blitz/proxy/exchange"

// touched notes that d has something to send at the end of the callback.
func (e *Env) touched(d exchange.Downstream) {
	if n := len(e.downs); n == 0 || e.downs[n-1] != d {
		e.downs = append(e.downs, d)
	}
}

// flushTouched sends it. Every callback in which the codec of HTTP/2 may have been at work ends with it.
func (e *Env) flushTouched() {
	for i := 0; i < len(e.downs); i++ {
		e.downs[i].Flush()
		e.downs[i] = nil
	}
	e.downs = e.downs[:0]
}
