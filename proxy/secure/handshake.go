package secure

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// slowKey tells whether a signature is better made on another thread: RSA takes the better part of a millisecond, and a key that is
// none of Go's own may be anywhere. The others take less time than the way there and back.
func slowKey(key crypto.Signer) bool {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return k.Curve != elliptic.P256()
	case ed25519.PrivateKey:
		return false
	}
	return true
}

// begin starts a server's handshake. False when it has to wait, or was refused.
func (c *Conn) begin() bool {
	e := c.env
	t := c.cfg.tls.Load()
	if t == nil {
		c.prepare()
		return false
	}
	if turn := e.loop.Stats().Turns; e.turn != turn {
		e.turn, e.begun = turn, 0
	}
	full := c.cfg.MaxHandshakes > 0 && e.handshakes >= c.cfg.MaxHandshakes
	if full || e.begun >= perTurn || e.waiting.first != nil && e.waiting.first != c {
		if c.in == nil {
			if c.cfg.MaxWaiting > 0 && e.waiting.n >= c.cfg.MaxWaiting {
				c.failed(errRefused)
				return false
			}
			e.waiting.push(c)
			e.of(c).Queued++
		}
		if !full {
			e.loop.Defer(&e.later)
		}
		return false
	}
	if c.in != nil {
		c.in.remove(c)
	}
	e.begun++
	e.handshakes++
	c.slotted = true
	c.phase = phaseHandshake
	c.t = tlsrec.Server(t, tlsrec.Options{Offload: slowKey, Sizer: c.cfg.Sizer})
	return true
}

// admit begins handshakes that wait, as many as may be.
func (e *Env) admit() {
	for c := e.waiting.first; c != nil; c = e.waiting.first {
		c.work(nil)
		if e.waiting.first == c {
			return
		}
	}
}

// prepare makes the configuration on another goroutine.
func (c *Conn) prepare() {
	if c.preparing {
		return
	}
	c.preparing = true
	e, id, cfg := c.env, c.id, c.cfg
	go func() {
		err := cfg.Prepare()
		e.loop.Post(func() {
			switch {
			case c.id != id || c.phase != phaseWait:
			case err != nil:
				c.failed(err)
			default:
				c.work(nil)
			}
		})
	}()
}

// elsewhere makes a signature on another goroutine and goes on when it is there.
func (c *Conn) elsewhere(work func()) {
	e, id := c.env, c.id
	go func() {
		work()
		e.loop.Post(func() {
			if c.id == id && c.phase == phaseHandshake {
				c.resume()
			}
		})
	}()
}

// resume goes on with a handshake after its signature has been made, though no bytes have come.
func (c *Conn) resume() {
	c.busy = true
	b := c.held[c.r:c.w]
	rest, ok := c.open(b)
	if c.held != nil {
		if c.r = c.w - len(rest); c.r == c.w && len(c.plain) == 0 {
			c.unhold()
		}
	}
	c.busy = false
	if ok {
		c.work(nil)
	}
}

// established ends a handshake well.
func (c *Conn) established() {
	e := c.env
	c.phase = phaseOpen
	c.leaveSlot()
	c.active = true
	e.of(c).Established(c.t.State().Resumed, e.loop.Now()-c.since)
	c.h.OnConnect(nil)
}

// leaveSlot lets the next handshake begin.
func (c *Conn) leaveSlot() {
	e := c.env
	if c.in != nil && !c.lingering {
		c.in.remove(c)
	}
	if c.slotted {
		c.slotted = false
		e.handshakes--
	}
	if e.waiting.first != nil {
		e.loop.Defer(&e.later)
	}
}

// countFailure counts a fault under its code.
func (c *Conn) countFailure(err error) {
	code := "transport"
	var e *tlsrec.Error
	if errors.As(err, &e) {
		code = e.Code
	}
	c.env.of(c).Failures.Add(code)
}

// failed ends a handshake badly.
func (c *Conn) failed(err error) {
	c.phase = phaseFailed
	c.leaveSlot()
	c.unhold()
	c.countFailure(err)
	c.flush() // the alert
	c.h.OnConnect(err)
}
