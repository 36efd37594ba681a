package downstream

import (
	"io"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// received takes bytes from the socket.
func (h *h2Conn) received(p []byte) {
	c := h.c
	e := c.env
	e.Count.DownstreamBytesIn += uint64(len(p))
	switch {
	case h.broken: // nothing further is answered
		if c.discarded += int64(len(p)); c.discarded > lingerBytes {
			c.shut()
		}
		return
	case c.paused || c.in.Len() > 0:
		if !c.in.Add(e.Pool, p, maxAhead) {
			h.broke()
		} else if !c.paused {
			h.again()
		}
		return
	}
	if rest := h.feed(p); len(rest) > 0 && !c.closing && !c.in.Add(e.Pool, rest, maxAhead) {
		h.broke()
	}
}

// again feeds what is held in c.in.
func (h *h2Conn) again() {
	c := h.c
	if c.in.Len() == 0 {
		return
	}
	rest := h.feed(c.in.Bytes())
	if !c.closing && !h.broken {
		c.in.Drop(c.env.Pool, c.in.Len()-len(rest))
	}
}

// feed gives b to the codec and returns the rest: the front of a frame.
func (h *h2Conn) feed(b []byte) []byte {
	c := h.c
	if !h.reserve(feedRoom) {
		return nil
	}
	h.catchUp()
	if h.broken {
		return nil
	}
	h.codec.Tight = c.env.Pool.Pressed()
	n, err := h.codec.Feed(b)
	if c.closing {
		return nil
	}
	h.touch()
	if err != nil {
		if !h.broken {
			h.failed(err)
		}
		return nil
	}
	rest := b[n:]
	if len(rest) == 0 && !h.codec.InHead() {
		h.partial = 0
	} else if h.partial == 0 || n > 0 && !h.codec.InHead() {
		h.partial = c.env.Loop.Now()
		h.tickSoon()
	}
	if h.pending() > inHigh && !c.paused {
		c.paused = true
		c.recv.Pause(c.l, c.id, c.env.Pool)
		h.tickSoon()
	}
	return rest
}

// receiveEnd is the end of what the client sends. Like with HTTP/1 it counts as gone: what it asked for is given up, what was answered is still sent.
func (h *h2Conn) receiveEnd(err error) {
	c := h.c
	if c.lingering || err != io.EOF {
		h.gone(exchange.DownstreamTermination)
		return
	}
	h.cut(exchange.DownstreamTermination)
	h.ticking = true
	c.arm(waitSweep, lingerTime)
	h.touch()
}

// failed ends the connection because of what the client did. GOAWAY is in the codec's output.
func (h *h2Conn) failed(err *h2.Error) {
	c := h.c
	h.broken = true
	c.env.Count.Failures.Add(err.Label)
	c.env.Count.H2GoAways.Add(uint32(err.Code))
	c.discarded = 0
	c.in.Release(c.env.Pool)
	h.ticking = true
	c.arm(waitSweep, lingerTime)
	h.touch()
}

// Request implements h2.Handler: it starts an exchange.
func (h *h2Conn) Request(s *h2.Stream, r *wire.Request, end bool) {
	c := h.c
	e := c.env
	st := e.stream()
	st.h, st.s, s.User = h, s, st
	h.link(st)
	x := &st.Exchange
	x.Down = st
	x.Method, x.Minor, x.Major = r.Method, 0, 2
	x.BodyKind, x.BodyLength = r.Body, r.Length
	x.Expect100 = r.Expect100
	x.MaxBody = c.lst.MaxBody
	x.Start = e.Loop.Now()
	st.isHead = r.Method == wire.MethodHead
	st.reqDone = end
	if r.Method == wire.MethodConnect {
		st.connect = true
		if r.Upgrade != nil {
			x.Extended, x.Method = true, wire.MethodGet
		}
	}
	c.requests++
	e.Count.RequestsTotal++
	e.Count.RequestsActive++
	if !h.ticking {
		h.tickSoon()
	}
	if !h.reserve(feedRoom) {
		return
	}
	e.Dispatch.Dispatch(x, r)
	switch {
	case st.over:
		// Answered at once: nobody knows the stream any more but the list.
		if n := len(h.ended); n > 0 && h.ended[n-1] == st && !st.touched {
			h.ended = h.ended[:n-1]
			e.putStream(st)
		}
	case x.Up != nil:
		h.mark(st)
		if !end && !st.connect {
			st.lastIn = x.Start
			st.bodyRate.start(x.Start)
		}
		if end || st.connect {
			x.Up.Finish(nil) // what follows a CONNECT is a tunnel, not a body
		}
	}
	if l := c.lst; h.drainAt == 0 && !h.broken && (l.MaxRequests > 0 && c.requests >= l.MaxRequests ||
		l.MaxAge > 0 && e.Loop.Now()-c.started >= int64(l.MaxAge)) {
		h.drain()
	}
}

// mark remembers that the upstream of st may have something to send.
func (h *h2Conn) mark(st *h2Stream) {
	if !st.touched {
		st.touched = true
		h.touched = append(h.touched, st)
	}
}

// Data implements h2.Handler.
func (h *h2Conn) Data(s *h2.Stream, p []byte, end bool) {
	st := s.User.(*h2Stream)
	x := &st.Exchange
	n := len(p)
	x.BytesIn += int64(n)
	st.lastIn = h.c.env.Loop.Now()
	st.bodyRate.add(n)
	if !h.reserve(feedRoom) {
		return
	}
	switch {
	case n == 0:
	case st.connect && !x.Tunnel:
		// The client is ahead of the answer. It may be by what its window allows.
		st.held += n
		if !st.early.Append(p) {
			h.broke()
			return
		}
	case x.MaxBody > 0 && x.BytesIn > x.MaxBody && !x.Tunnel:
		st.refuse(exchange.ErrBodyTooLarge)
		return
	case x.Up == nil: // not wanted any more
		h.codec.Consume(s, n)
	default:
		h.mark(st)
		ok := x.Up.Body(p)
		if st.s != s {
			return
		}
		switch {
		case !h.reserve(64):
			return
		case ok && !st.paused:
			h.codec.Consume(s, n)
		default:
			st.held += n
			st.paused = true
		}
	}
	if end {
		st.requestDone(nil)
	}
}

// Trailers implements h2.Handler.
func (h *h2Conn) Trailers(s *h2.Stream, fields []wire.Field) {
	if h.reserve(feedRoom) {
		s.User.(*h2Stream).requestDone(fields)
	}
}

// requestDone ends the request.
func (st *h2Stream) requestDone(trailers []wire.Field) {
	st.reqDone = true
	if st.connect && !st.Tunnel {
		return // to be passed on when the tunnel opens
	}
	if st.Up != nil {
		st.h.mark(st)
		st.Up.Finish(trailers)
	}
}

// refuse ends an exchange whose request body cannot be forwarded as it is.
func (st *h2Stream) refuse(f *exchange.Failure) {
	if up := st.Up; up != nil {
		up.Abort()
	}
	st.Fail(f)
}

// Closed implements h2.Handler.
func (h *h2Conn) Closed(s *h2.Stream, code h2.ErrCode, cause h2.Cause) {
	st := s.User.(*h2Stream)
	st.s = nil
	switch cause {
	case h2.ByEnd:
		if st.respDone {
			st.finish()
		}
	case h2.ByOwner: // who called Reset does the rest
	case h2.ByPeer:
		h.c.env.Count.H2ResetsIn.Add(uint32(code))
		st.cut(exchange.DownstreamTermination)
	case h2.ByFault:
		st.fault(h.codec.Fault())
	case h2.ByConnection:
		switch err := h.codec.Err(); {
		case err == nil || err == h2.ErrAborted: // whoever aborted goes through the streams
		default:
			st.fault(err)
		}
	}
}

// Response implements h2.Handler; a server gets none.
func (h *h2Conn) Response(*h2.Stream, *wire.Response, bool) {}

// GoAway implements h2.Handler: the client will accept no pushed streams, of which there are none anyway.
func (h *h2Conn) GoAway(uint32, h2.ErrCode) {}

// Pong implements h2.Handler.
func (h *h2Conn) Pong(uint64) {}

// refused counts and logs stream errors that the codec has answered by itself: h2.Config.Fault.
func refused(codec *h2.Conn, err *h2.Error, seen bool) {
	h := codec.User.(*h2Conn)
	e := h.c.env
	e.Count.Failures.Add(err.Label)
	if err != h2.ErrHeadLarge || seen {
		e.Count.H2ResetsOut.Add(uint32(err.Code))
	}
	if seen {
		return
	}
	st := e.stream()
	st.h = h
	x := &st.Exchange
	x.Down = st
	x.Major = 2
	x.Start = e.Loop.Now()
	x.Flags = exchange.DownstreamProtocol
	switch err {
	case h2.ErrRefused:
		x.Flags = exchange.Overload
	case h2.ErrHeadLarge:
		x.Status = 431
	}
	x.Code, x.Detail = err.Label, err.Detail
	e.Count.RequestsTotal++
	e.Dispatch.Ended(x)
	e.putStream(st)
}
