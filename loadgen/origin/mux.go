package origin

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

const (
	// maxUnsent is how many bytes of answers a connection holds before it waits for the client to read.
	maxUnsent = 256 << 10
	// piece is how much of a body one stream writes in its turn.
	piece = 32 << 10
)

// mux is the HTTP/2 side of a connection. The default answer is written where the request is read; all others have a call.
type mux struct {
	k  *conn
	w  *worker
	h  h2.Conn
	in []byte // the beginning of a frame
	// spare is the output buffer that the loop holds, or the free one.
	spare   []byte
	stopped bool
	failed  bool
}

// h2Config allows a client much: it is the one who measures.
func h2Config() h2.Config {
	l := h2.DefaultLimits
	endless := h2.Budget{Max: 1 << 30}
	l.Streams = 1024
	l.StreamWindow, l.MaxStreamWindow, l.ConnWindow = 1<<20, 16<<20, 64<<20
	l.Resets, l.Control, l.Empty, l.SmallData, l.WindowUpdates = endless, endless, endless, endless, endless
	return h2.Config{Limits: l}
}

func newMux(k *conn) *mux {
	m := &mux{k: k, w: k.w}
	m.h.Init(&k.w.h2, m, &k.w.scratch)
	m.h.Start()
	return m
}

// received takes bytes of the client.
func (m *mux) received(p []byte) {
	if m.failed {
		return
	}
	in := p
	if len(m.in) > 0 {
		m.in = append(m.in, p...)
		in = m.in
	}
	n, err := m.h.Feed(in)
	if err != nil {
		m.failed = true // GOAWAY goes out, and then the connection ends
	} else if len(m.in) > 0 {
		m.in = m.in[:copy(m.in, m.in[n:])]
	} else if n < len(in) {
		m.in = append(m.in, in[n:]...)
	}
	m.pump()
	if len(m.h.Out()) > maxUnsent && !m.stopped {
		m.stopped = true
		m.k.link.StopRecv()
	}
}

// pump writes bodies as far as the client's windows and our own bound allow, and sends.
func (m *mux) pump() {
	for len(m.h.Out()) < maxUnsent {
		s := m.h.Next()
		if s == nil {
			break
		}
		s.User.(*call).write()
	}
	k := m.k
	out := m.h.Out()
	switch {
	case k.sending:
	case len(out) > 0:
		m.h.SetOut(m.spare[:0])
		m.spare = out
		k.send(out)
	case m.failed || m.h.Closing() && m.h.Open() == 0:
		k.link.Close()
	}
}

// sent: the loop has taken what was sent.
func (m *mux) sent() {
	m.pump()
	if m.stopped && len(m.h.Out()) <= maxUnsent {
		m.stopped = false
		m.k.link.StartRecv()
	}
}

// ended: the client has sent its last byte. Without its acknowledgements nothing can go on for long.
func (m *mux) ended() { m.k.link.Close() }

// close frees what streams hold.
func (m *mux) close() { m.h.Abort() }

// Request implements h2.Handler.
func (m *mux) Request(s *h2.Stream, r *wire.Request, end bool) {
	grpc := isGRPC(r)
	p := m.w.planFor(r)
	if p.standard && end && !grpc {
		size := int(p.size)
		m.w.refresh()
		m.h.WriteBlock(s, m.w.block, size == 0)
		if size == 0 {
			return
		}
		if m.h.Writable(s) >= size {
			m.h.WriteData(s, filler[:size], true)
			return
		}
		c := m.call(s, p)
		c.size, c.source = p.size, filler
		m.h.Schedule(s)
		return
	}
	c := m.call(s, p)
	c.grpc = grpc
	switch {
	case grpc:
		c.plan.action, c.plan.delay = respond, m.w.o.Delay
		if bytes.HasSuffix(r.Path, []byte("/Echo")) {
			c.plan.action = echo
		}
	case p.action == headers:
		c.keepHead(r)
	}
	if end {
		c.answer()
	}
}

// Data implements h2.Handler.
func (m *mux) Data(s *h2.Stream, p []byte, end bool) {
	m.h.Consume(s, len(p))
	c, _ := s.User.(*call)
	if c == nil {
		return
	}
	if c.plan.action == echo && !c.tooBig {
		if len(c.kept)+len(p) > maxEcho {
			c.tooBig, c.kept = true, nil
		} else {
			c.kept = append(c.kept, p...)
		}
	}
	if end {
		c.answer()
	}
}

// Trailers implements h2.Handler.
func (m *mux) Trailers(s *h2.Stream, _ []wire.Field) {
	if c, _ := s.User.(*call); c != nil {
		c.answer()
	}
}

// Closed implements h2.Handler.
func (m *mux) Closed(s *h2.Stream, _ h2.ErrCode, _ h2.Cause) {
	if c, _ := s.User.(*call); c != nil {
		c.release()
	}
}

// Response implements h2.Handler; a server gets none.
func (m *mux) Response(*h2.Stream, *wire.Response, bool) {}

// GoAway implements h2.Handler.
func (m *mux) GoAway(uint32, h2.ErrCode) {}

// Pong implements h2.Handler.
func (m *mux) Pong(uint64) {}

// appendBlock appends the head of an answer. A negative size is not told.
func (w *worker) appendBlock(dst []byte, status int, size int64) []byte {
	dst = hpack.AppendStatelessStatus(dst, status)
	dst = hpack.AppendLiteral(dst, "server", "blitzload-origin")
	dst = hpack.AppendLiteral(dst, "date", string(w.date))
	if status == 204 || status == 304 {
		return dst
	}
	dst = hpack.AppendLiteral(dst, "content-type", "text/plain")
	if size >= 0 {
		dst = hpack.AppendLiteral(dst, "content-length", strconv.FormatInt(size, 10))
	}
	return dst
}

// unary is what the answer to a unary call consists of, encoded once.
type unary struct{ head, message, trailer []byte }

func newUnary(size int64) unary {
	u := unary{
		head:    hpack.AppendLiteral(hpack.AppendStatelessStatus(nil, 200), "content-type", "application/grpc"),
		trailer: hpack.AppendLiteral(nil, "grpc-status", "0"),
	}
	n := min(size, int64(len(filler)))
	u.message = append(binary.BigEndian.AppendUint32(make([]byte, 1, 5+n), uint32(n)), filler[:n]...)
	return u
}

func isGRPC(r *wire.Request) bool {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.ID == wire.FieldContentType {
			return bytes.HasPrefix(f.Value, []byte("application/grpc"))
		}
	}
	return false
}
