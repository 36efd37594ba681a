package downstream

import (
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

// h2Stream is one exchange on an HTTP/2 connection: exchange.Downstream.
type h2Stream struct {
	exchange.Exchange
	h *h2Conn
	s *h2.Stream // nil once the codec has closed it

	// What waits for windows, or for its turn: bytes in q, or the rest of a body from configuration; then trailers.
	q        flow.Queue
	fixed    []byte
	trailers []wire.Field
	text     []byte     // of trailers
	early    flow.Queue // what the client sent into a tunnel before it was open
	held     int        // bytes of the request that the client gets no credit for yet

	bodyRate, writeRate rate
	lastIn, lastOut     int64 // loop times of progress

	isHead    bool
	connect   bool // CONNECT, extended or not
	reqDone   bool // the request is complete
	headSent  bool // the final response head was written
	finished  bool // the source of the response has given all of it
	respDone  bool // all of it was written
	paused    bool // the upstream has enough of the request
	srcPaused bool // the upstream is paused because the client is slow
	waits     bool // q or fixed hold something
	touched   bool // in h.touched
	over      bool // the exchange has ended

	prev, next *h2Stream
}

// maxFreeStreams is how many unused streams are kept for the next ones.
const maxFreeStreams = 4096

func (e *Env) stream() *h2Stream {
	n := len(e.freeStreams)
	if n == 0 {
		st := new(h2Stream)
		st.q.Pool, st.early.Pool = e.Pool, e.Pool
		return st
	}
	st := e.freeStreams[n-1]
	e.freeStreams = e.freeStreams[:n-1]
	return st
}

// putStream takes back a stream that is in no list but may still be in touched.
func (e *Env) putStream(st *h2Stream) {
	if len(e.freeStreams) == maxFreeStreams {
		e.dropped++
		return
	}
	st.Reset()
	*st = h2Stream{Exchange: st.Exchange, q: flow.Queue{Pool: e.Pool}, early: flow.Queue{Pool: e.Pool}, trailers: st.trailers[:0], text: st.text[:0]}
	e.freeStreams = append(e.freeStreams, st)
}

func (h *h2Conn) link(st *h2Stream) {
	st.next = h.open
	if h.open != nil {
		h.open.prev = st
	}
	h.open = st
}

func (h *h2Conn) unlink(st *h2Stream) {
	if st.prev != nil {
		st.prev.next = st.next
	} else {
		h.open = st.next
	}
	if st.next != nil {
		st.next.prev = st.prev
	}
	st.prev, st.next = nil, nil
}

// finish ends the exchange: it is logged, counted, and its memory given back.
func (st *h2Stream) finish() {
	if st.over {
		return
	}
	st.over = true
	h := st.h
	e := h.c.env
	h.unlink(st)
	st.wait(false)
	st.q.Clear()
	st.early.Clear()
	st.fixed = nil
	h.lastUse = e.Loop.Now()
	e.Count.RequestsActive--
	e.Dispatch.Ended(&st.Exchange)
	h.ended = append(h.ended, st)
	h.touch()
}

// wait notes whether bytes of the response wait in the stream.
func (st *h2Stream) wait(is bool) {
	if st.waits == is {
		return
	}
	st.waits = is
	if is {
		st.h.waiting++
		st.lastOut = st.h.c.env.Loop.Now()
	} else {
		st.h.waiting--
	}
}

// cut ends the exchange because the client's side is gone.
func (st *h2Stream) cut(why exchange.Flags) {
	if st.over {
		return
	}
	st.Flags |= why
	if why == exchange.DownstreamTermination {
		st.h.c.env.Count.DownstreamAborts++
		if !st.headSent {
			st.Status = exchange.ErrClientGone.Status
		}
	}
	if up := st.Up; up != nil {
		up.Abort()
	}
	st.finish()
}

// fault ends the exchange because the client broke a rule.
func (st *h2Stream) fault(err *h2.Error) {
	if st.over {
		return
	}
	st.Code, st.Detail = err.Label, err.Detail
	st.cut(exchange.DownstreamProtocol)
}

// reset ends the stream towards the client, and the exchange.
func (st *h2Stream) reset(code h2.ErrCode) {
	h := st.h
	if s := st.s; s != nil && h.reserve(64) {
		h.codec.Reset(s, code)
		h.c.env.Count.H2ResetsOut.Add(uint32(code))
	}
	st.finish()
}

// settle ends the exchange after the last byte of the response was written. A client that is still sending its request is told to stop (RFC 9113
// section 8.1).
func (st *h2Stream) settle() {
	if st.s != nil {
		st.reset(h2.NoError)
		return
	}
	st.finish()
}

// Client implements exchange.Downstream.
func (st *h2Stream) Client() *exchange.Client { return st.h.c.Client() }

// LocalAddr implements exchange.Downstream.
func (st *h2Stream) LocalAddr() netip.AddrPort { return st.h.c.LocalAddr() }

// Flush implements exchange.Downstream. What was written leaves at the end of the turn anyway.
func (st *h2Stream) Flush() {}

// Resume implements exchange.Downstream: the client gets credit for what the upstream has taken.
func (st *h2Stream) Resume() {
	if !st.paused || st.over {
		return
	}
	st.paused = false
	now := st.h.c.env.Loop.Now()
	st.lastIn = now
	st.bodyRate.start(now) // the pause was not the client's fault
	st.consume()
}

// consume gives credit for all that was held.
func (st *h2Stream) consume() {
	n := st.held
	st.held = 0
	if st.s != nil && n > 0 && st.h.reserve(64) {
		st.h.codec.Tight = st.h.c.env.Pool.Pressed()
		st.h.codec.Consume(st.s, n)
		st.h.touch()
	}
}
