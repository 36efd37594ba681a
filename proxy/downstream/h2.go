package downstream

import (
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

// Marks of back-pressure of an HTTP/2 connection, in bytes.
const (
	// outHigh is how much may wait for the socket before response bodies wait in their streams, where priorities order them.
	outHigh = 128 << 10
	// inHigh is how much may wait before nothing more is read: heads and control frames cannot wait in streams.
	inHigh = 512 << 10
	// streamHigh and streamLow are where the source of a response is paused and resumed.
	streamHigh, streamLow = 64 << 10, 16 << 10
	// feedRoom is the room for what the codec answers by itself while it reads: more than it is likely to need.
	feedRoom = 1 << 10
)

// h2Conn is what an HTTP/2 connection has beyond Conn: the codec and the open streams. It is a h2.Handler; Conn gives it the socket's events.
//
// Frames are appended to the tail of out as they come about, and what a turn has put together leaves with one send at its end (OnDeferred).
type h2Conn struct {
	c     *Conn
	codec h2.Conn
	out   flow.Queue
	room  int // capacity of the buffer that the codec appends to, 0: it has none

	open    *h2Stream   // streams with an exchange
	ended   []*h2Stream // to be used again once nobody on the stack can know them any more
	touched []*h2Stream // whose upstream may have something to send
	waiting int         // streams with bytes of a response in a queue of their own

	end      loop.Deferred // end of turn
	lastTick int64         // loop times: of the codec's last tick,
	lastUse  int64         // when the last stream ended,
	lastOut  int64         // when the socket last took something,
	partial  int64         // since when a frame or head is incomplete, 0: none is
	drainAt  int64         // of the first GOAWAY, 0: none was sent

	ticking  bool // the timer runs at the pace of sweeps
	broken   bool // the codec is at its end: nothing but out is of interest
	released bool

	next *h2Conn
}

// h2conn takes a connection from the pool.
func (e *Env) h2conn() *h2Conn {
	h := e.freeH2
	if h == nil {
		h = new(h2Conn)
		h.out.Pool = e.Pool
		h.end.Handler = h
		return h
	}
	e.freeH2 = h.next
	e.nFreeH2--
	h.next = nil
	return h
}

// startH2 makes c an HTTP/2 connection. What was received already is to be given to h2.feed afterwards.
func (c *Conn) startH2() {
	e := c.env
	h := e.h2conn()
	h.c, c.h2 = c, h
	h.codec.Init(&c.lst.HTTP2.Config, h, &e.h2scratch)
	h.codec.User = h
	h.lastTick, h.lastUse, h.lastOut = e.Loop.Now(), e.Loop.Now(), e.Loop.Now()
	e.Count.H2Connections++
	if h.reserve(feedRoom) {
		h.codec.Start()
		h.touch()
	}
	h.tickSoon()
	if c.leaving() {
		h.drain()
	}
}

// sniff looks at the first bytes of a plain connection, which begins with the preface when it is HTTP/2 with prior knowledge (RFC 9113
// section 3.3). It returns the rest when it has dealt with b.
func (c *Conn) sniff(b []byte) (rest []byte, done bool) {
	if c.lst.HTTP1 {
		n := min(len(b), len(h2.Preface))
		if string(b[:n]) != h2.Preface[:n] {
			return b, false
		}
		if n < len(h2.Preface) {
			return b, true // too short to tell
		}
	}
	c.startH2()
	if c.closing {
		return nil, true
	}
	return c.h2.feed(b), true
}

// touch asks for the end of the turn.
func (h *h2Conn) touch() { h.c.env.Loop.Defer(&h.end) }

// reserve makes room for n bytes in the buffer that the codec appends to. When there is no memory for them the connection is over, and false.
func (h *h2Conn) reserve(n int) bool {
	if out := h.codec.Out(); cap(out)-len(out) >= n {
		return true
	}
	return h.reserveMore(n)
}

func (h *h2Conn) reserveMore(n int) bool {
	if h.broken || !h.commit() {
		return false
	}
	if h.out.Len() > 0 {
		n = max(n, bigOutput) // what does not fit one small buffer goes into large ones: fewer sends
	}
	b := h.out.Reserve(n)
	if b == nil {
		h.broke()
		return false
	}
	h.room = cap(b)
	h.codec.SetOut(b)
	return true
}

// bigOutput is more than a small buffer of the pool holds.
const bigOutput = 16 << 10

// commit moves what the codec has written to the queue. The buffer it wrote to is the queue's tail, unless it had to grow.
func (h *h2Conn) commit() bool {
	out := h.codec.Out()
	room := h.room
	h.room = 0
	h.codec.SetOut(nil)
	switch {
	case cap(out) == 0:
		return true
	case cap(out) == room:
		h.out.Commit(out)
	case !h.out.Append(out):
		h.broke()
		return false
	}
	if h.out.Len() == 0 {
		h.out.Clear() // an empty buffer
	}
	return true
}

// pending is how many bytes wait for the socket.
func (h *h2Conn) pending() int { return h.out.Len() + len(h.codec.Out()) }

// OnDeferred implements loop.DeferredHandler: the end of a turn in which something happened.
func (h *h2Conn) OnDeferred() {
	c := h.c
	if c == nil || c.closing {
		return
	}
	h.flushUps()
	h.pump()
	if c.closing || !h.commit() {
		return
	}
	h.recycle()
	h.send()
}

// flushUps lets the upstreams send what this turn has given them.
func (h *h2Conn) flushUps() {
	for i := 0; i < len(h.touched); i++ {
		st := h.touched[i]
		st.touched = false
		if up := st.Up; up != nil {
			up.Flush()
		}
	}
	h.touched = h.touched[:0]
}

// recycle makes ended streams available.
func (h *h2Conn) recycle() {
	e := h.c.env
	for _, st := range h.ended {
		e.putStream(st)
	}
	h.ended = h.ended[:0]
}

// send gives the socket what it can take, or closes when that was all there will ever be.
func (h *h2Conn) send() {
	c := h.c
	if c.sending {
		return
	}
	if b := h.out.Next(); b != nil {
		c.sending = true
		h.lastOut = c.env.Loop.Now()
		c.l.Send(c.id, b)
		return
	}
	if h.broken || h.codec.Refusing() && h.codec.Open() == 0 {
		h.finish()
	}
}

// finish closes once everything has been sent: gently, so that unread bytes of the client do not destroy what is on its way to it (RFC 9112
// section 9.6 explains it).
func (h *h2Conn) finish() {
	c := h.c
	switch {
	case c.lingering:
	case c.recv.Ended():
		c.shut()
	default:
		h.broken = true
		c.lingering = true
		c.discarded = 0
		c.in.Release(c.env.Pool)
		c.l.Shutdown(c.id)
		c.recv.Start(c.l, c.id, c.env.Pool)
		c.arm(waitLinger, lingerTime)
	}
}

// sent takes in that the socket has taken n bytes.
func (h *h2Conn) sent(n int) {
	c := h.c
	if !h.commit() { // the buffer that was sent may be the one the codec writes to
		return
	}
	h.out.Sent(n)
	if h.out.Len() == 0 {
		h.out.Clear()
	}
	h.lastOut = c.env.Loop.Now()
	if c.paused && h.out.Len() <= flow.Low && !h.broken {
		c.paused = false
		h.again()
		if !c.closing && !c.paused {
			c.recv.Start(c.l, c.id, c.env.Pool)
		}
	}
	if !c.closing {
		h.touch()
	}
}

// broke ends the connection because there is no memory left to go on.
func (h *h2Conn) broke() {
	if !h.broken {
		h.c.env.Count.Shed++
		h.gone(exchange.Overload)
	}
}

// gone ends everything because the client left, or must leave.
func (h *h2Conn) gone(why exchange.Flags) {
	h.cut(why)
	h.c.shut()
}

// cut ends all streams without a word to the client.
func (h *h2Conn) cut(why exchange.Flags) {
	h.broken = true
	h.codec.Abort()
	for h.open != nil {
		h.open.cut(why)
	}
}

// drain begins the graceful end, in two steps (RFC 9113 section 6.8).
func (h *h2Conn) drain() {
	if h.drainAt != 0 || h.broken || !h.reserve(64) {
		return
	}
	h.drainAt = h.c.env.Loop.Now()
	h.codec.Drain()
	h.c.env.Count.H2GoAways.Add(uint32(h2.NoError))
	h.tickSoon()
	h.touch()
}

// close releases everything after the socket's last event.
func (h *h2Conn) close() {
	e := h.c.env
	h.broken = true
	h.codec.Abort()
	for h.open != nil {
		h.open.cut(exchange.DownstreamTermination)
	}
	h.codec.SetOut(nil)
	h.out.Clear()
	for _, st := range h.touched {
		st.touched = false
	}
	clear(h.touched)
	h.touched = h.touched[:0]
	h.recycle()
	clear(h.ended[:cap(h.ended)])
	h.c.h2 = nil
	h.c, h.room, h.waiting = nil, 0, 0
	h.partial, h.drainAt = 0, 0
	h.ticking, h.broken = false, false
	if e.nFreeH2 == maxFree {
		e.dropped++
		return
	}
	h.next, e.freeH2 = e.freeH2, h
	e.nFreeH2++
}
