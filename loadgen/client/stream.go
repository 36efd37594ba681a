package client

import (
	"fmt"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
)

// The methods of this file are what the codec tells of streams, in the order in which a response meets them.

// Request implements h2.Handler; a client gets none.
func (m *mux) Request(*h2.Stream, *wire.Request, bool) {}

// Response implements h2.Handler.
func (m *mux) Response(st *h2.Stream, r *wire.Response, end bool) {
	s := st.User.(*slot)
	if r.Status < 200 {
		return
	}
	s.status = r.Status
	if m.k.c.cfg.GRPC && end {
		s.grpc.trailers(r.Fields)
	}
	if end {
		m.completed(s)
	}
}

// Data implements h2.Handler.
func (m *mux) Data(st *h2.Stream, p []byte, end bool) {
	s := st.User.(*slot)
	if m.k.c.cfg.GRPC {
		s.grpc.data(p, s.body)
	}
	s.body += int64(len(p))
	if end {
		m.completed(s)
		return
	}
	m.h.Consume(st, len(p))
}

// Trailers implements h2.Handler.
func (m *mux) Trailers(st *h2.Stream, fields []wire.Field) {
	s := st.User.(*slot)
	if m.k.c.cfg.GRPC {
		s.grpc.trailers(fields)
	}
	m.completed(s)
}

// completed is the good outcome: the response is whole.
func (m *mux) completed(s *slot) {
	c := m.k.c
	if !s.active {
		return
	}
	now := c.loop.Now()
	c.settleSlot(s)
	if now >= c.plan.From && now < c.plan.To {
		c.rec.InWindow++
	}
	if s.measured {
		c.rec.Complete(now-s.intended, now-s.started, s.status, 0, s.body)
		c.judgeH2(s)
	}
	if s.written < len(s.req.Body) {
		m.h.Reset(s.stream, h2.NoError) // answered early: the rest of the request is of no use
		m.touch()
	}
}

// judgeH2 compares a response with what was expected.
func (c *Client) judgeH2(s *slot) {
	size := s.body
	if c.cfg.GRPC {
		if err := s.grpc.check(s.body); err != nil {
			c.rec.Unexpected(err.Error)
			return
		}
		size -= grpcPrefix
	}
	switch {
	case c.cfg.ExpectStatus == 0 && s.status >= 400:
		c.rec.Unexpected(func() string { return fmt.Sprintf("got %d, expected one below 400", s.status) })
	case c.cfg.ExpectStatus != 0 && s.status != c.cfg.ExpectStatus:
		c.rec.Unexpected(func() string { return fmt.Sprintf("got %d, expected %d", s.status, c.cfg.ExpectStatus) })
	case c.cfg.ExpectBody >= 0 && size != c.cfg.ExpectBody:
		c.rec.Unexpected(func() string { return fmt.Sprintf("body has %d bytes, expected %d", size, c.cfg.ExpectBody) })
	}
}

// Closed implements h2.Handler: the stream is gone. A request that has no outcome by now gets its bad one.
func (m *mux) Closed(st *h2.Stream, code h2.ErrCode, cause h2.Cause) {
	s := st.User.(*slot)
	if s.active && cause == h2.ByGoAway && m.goawayCode == h2.NoError && !s.again {
		m.open--
		s.stream, s.again, s.next = nil, true, nil
		s.written, s.status, s.body, s.grpc = 0, 0, 0, grpcAnswer{}
		m.wait(s)
		return
	}
	if s.active {
		switch cause {
		case h2.ByPeer:
			if code == h2.RefusedStream {
				m.outcome(s, recorder.Refused, errRefused)
			} else {
				m.outcome(s, recorder.StreamEnd, streamErrors[min(int(code), len(streamErrors)-1)])
			}
		case h2.ByGoAway:
			m.outcome(s, recorder.Refused, errGoAway)
		case h2.ByFault:
			m.outcome(s, recorder.Protocol, m.h.Fault())
		default:
			if err := m.h.Err(); err != nil && err != h2.ErrAborted {
				m.outcome(s, recorder.Protocol, err)
			} else {
				m.outcome(s, recorder.Reset, errEarlyEnd)
			}
		}
	}
	m.open--
	s.stream = nil
	s.next, m.free = m.free, s
}

// GoAway implements h2.Handler.
func (m *mux) GoAway(_ uint32, code h2.ErrCode) { m.goaway, m.goawayCode = true, code }

// Pong implements h2.Handler.
func (m *mux) Pong(uint64) {}

// streamErrors are made once, for a server that resets all streams resets many.
var streamErrors = func() (out [16]error) {
	for i := range out {
		out[i] = fmt.Errorf("the server ended the stream with %s", h2.ErrCode(i))
	}
	return out
}()

var (
	errRefused = fmt.Errorf("the server refused the stream")
	errGoAway  = fmt.Errorf("the server's GOAWAY says that it has not looked at the stream")
)
