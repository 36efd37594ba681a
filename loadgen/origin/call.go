package origin

import (
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// call is a request of HTTP/2 that is not answered where it is read.
type call struct {
	m     *mux
	s     *h2.Stream
	next  *call // free ones
	timer loop.Timer
	plan  plan
	grpc  bool

	kept   []byte // of the body for /echo, of the head for /headers
	tooBig bool
	// size bytes of body go out from source, which repeats; written have.
	source        []byte
	size, written int64
	stalls        bool // after that nothing more
}

// call takes a free call for a stream.
func (m *mux) call(s *h2.Stream, p plan) *call {
	c := m.w.calls
	if c != nil {
		m.w.calls = c.next
	} else {
		c = new(call)
		c.timer.Handler = c
	}
	c.m, c.s, c.plan = m, s, p
	s.User = c
	return c
}

func (c *call) release() {
	w := c.m.w
	w.loop.Disarm(&c.timer)
	*c = call{timer: c.timer, kept: trim(c.kept), next: w.calls}
	w.calls = c
}

// keepHead writes the fields of a request down, a line for each.
func (c *call) keepHead(r *wire.Request) {
	c.kept = append(append(append(c.kept[:0], r.MethodName...), ' '), r.Path...)
	c.kept = append(c.kept, " HTTP/2\r\n"...)
	for i := range r.Fields {
		c.kept = append(append(append(append(c.kept, r.Fields[i].Name...), ": "...), r.Fields[i].Value...), "\r\n"...)
	}
}

// answer answers a request that has been read to its end, now or after its delay.
func (c *call) answer() {
	switch {
	case c.plan.action == never:
	case c.plan.delay > 0:
		c.m.w.loop.Arm(&c.timer, c.plan.delay)
	default:
		c.respond()
	}
}

// OnTimer implements loop.TimerHandler: the delay is over.
func (c *call) OnTimer(*loop.Timer) {
	m := c.m
	c.respond()
	m.pump()
}

// respond writes the head and schedules the body. The stream, and with it the call, may be gone afterwards.
func (c *call) respond() {
	m, w := c.m, c.m.w
	w.refresh()
	p := &c.plan
	status, told := p.status, p.size
	c.source, c.size = filler, p.size
	switch {
	case c.grpc:
		c.source, c.size = w.unary.message, int64(len(w.unary.message))
		if p.action == echo {
			c.source, c.size = c.kept, int64(len(c.kept))
		}
		m.h.WriteBlock(c.s, w.unary.head, false)
		m.h.Schedule(c.s)
		return
	case c.tooBig:
		status, told, c.size = 413, 0, 0
	case p.action == echo || p.action == headers:
		c.source, c.size, told = c.kept, int64(len(c.kept)), int64(len(c.kept))
	case p.action == chunked:
		told = -1
	case p.action == stall:
		c.size, c.stalls = c.size/2, true
	}
	if p.noBody || status == 204 || status == 304 {
		c.size = 0
	}
	if !p.keepAlive {
		m.h.Drain()
	}
	m.h.WriteBlock(c.s, w.appendBlock(nil, status, told), c.size == 0 && !c.stalls)
	if c.s != nil && c.size > 0 {
		m.h.Schedule(c.s)
	}
}

// write writes the next piece of the body, and what follows its last one.
func (c *call) write() {
	m, s := c.m, c.s
	n := 0
	left := c.size - c.written
	if left > 0 {
		at := c.written % int64(len(c.source))
		p := c.source[at:min(int64(len(c.source)), at+min(left, piece))]
		last := int64(len(p)) == left && !c.grpc && !c.stalls
		n = m.h.WriteData(s, p, last)
		if c.s != s {
			return // that was all
		}
	}
	c.written += int64(n)
	switch {
	case c.written < c.size:
		m.h.Schedule(s)
	case c.grpc:
		m.h.WriteBlock(s, m.w.unary.trailer, true)
	}
}
