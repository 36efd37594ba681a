package balance

import (
	"math"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Load is what one worker knows about an endpoint from its own requests. Nothing of it is shared: see RATIONALE.md.
type Load struct {
	// Active is the number of requests in flight.
	Active int64
	// latency is the moving average in ns, as of time at.
	latency float64
	at      int64
}

// decay is the time in which an old latency loses all but 1/e of its influence.
const decay = 10 * time.Second

// Observe takes a latency in ns into account, at time now in ns. A worse one replaces the average, a better one
// lowers it by its age (the "peak" of peak EWMA).
func (l *Load) Observe(latency, now int64) {
	x := float64(latency)
	if x >= l.latency {
		l.latency, l.at = x, now
		return
	}
	w := math.Exp(-float64(now-l.at) / float64(decay))
	l.latency, l.at = l.latency*w+x*(1-w), now
}

// Latency is the moving average in ns as it stands at time now, which fades while nothing is observed.
func (l *Load) Latency(now int64) float64 {
	if l.latency == 0 {
		return 0
	}
	return l.latency * math.Exp(-float64(now-l.at)/float64(decay))
}

// unknown is the latency in ns supposed for an endpoint that has a request in flight and never answered one: it gets one at a time.
const unknown = 1e9

// cost is what EWMA compares.
func (l *Load) cost(now int64) float64 {
	latency := l.Latency(now)
	if latency == 0 && l.Active > 0 {
		latency = unknown
	}
	return latency * float64(l.Active+1)
}

// Tried are endpoints that a request has been sent to already. Only the last few are remembered.
type Tried struct {
	states [4]*endpoint.State
	n      int
}

// Add remembers e.
func (t *Tried) Add(e *endpoint.Endpoint) {
	if t.Has(e) {
		return
	}
	if t.n == len(t.states) {
		copy(t.states[:], t.states[1:])
		t.n--
	}
	t.states[t.n] = e.State
	t.n++
}

// Has tells whether e was tried.
func (t *Tried) Has(e *endpoint.Endpoint) bool {
	for i := range t.n {
		if t.states[i] == e.State {
			return true
		}
	}
	return false
}

// Len is the number of endpoints remembered.
func (t *Tried) Len() int { return t.n }
