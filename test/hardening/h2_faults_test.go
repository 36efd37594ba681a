//go:build linux

package hardening

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/loop/looptest"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// fakeH2 is what a client and an upstream of HTTP/2 have in common. The codec is the gateway's own, which is held to other implementations elsewhere: here
// it only carries tags.
type fakeH2 struct {
	w       *fakeWorld
	peer    *looptest.Peer
	cfg     h2.Config
	scratch h2.Scratch
	codec   h2.Conn
	acc     []byte
	over    bool
	streams []*fakeStream // open ones
}

// fakeStream is a request with its response, at either end.
type fakeStream struct {
	s          *h2.Stream // nil once closed
	tag        string
	size       int    // of the response's body
	body       int    // of the request's
	in         []byte // body received
	out        string // body to send
	held       int    // bytes that credit is still owed for
	status     int
	head       string // x-tag
	whole      bool   // the message received is whole
	reset      bool   // by this end
	answerable bool   // upstream: the answer has begun
}

func (p *fakeH2) begin(w *fakeWorld, peer *looptest.Peer, client bool, h h2.Handler) {
	p.w, p.peer = w, peer
	p.cfg = h2.Config{Client: client, Limits: h2.DefaultLimits}
	// Windows from tiny to larger than any body here.
	p.cfg.Limits.StreamWindow = 1<<10 + w.rnd.IntN(100<<10)
	p.codec.Init(&p.cfg, h, &p.scratch)
	p.codec.Start()
}

// feed takes in what has arrived. False: the connection is over.
func (p *fakeH2) feed() bool {
	p.w.read(p.peer, &p.acc)
	n, err := p.codec.Feed(p.acc)
	p.acc = p.acc[n:]
	if err != nil {
		p.w.failf("the gateway broke HTTP/2: %v", err)
	}
	return err == nil && p.peer.End() == nil
}

// write lets every open stream send a piece of its body, and gives credit now and then.
func (p *fakeH2) write() {
	p.w.rnd.Shuffle(len(p.streams), func(i, j int) { p.streams[i], p.streams[j] = p.streams[j], p.streams[i] })
	for _, st := range append([]*fakeStream(nil), p.streams...) {
		if st.held > 0 && st.s != nil {
			p.w.moved = true
			if p.w.rnd.IntN(2) == 0 {
				p.codec.Consume(st.s, st.held)
				st.held = 0
			}
		}
		if n := len(st.out); n > 0 && st.s != nil {
			n = min(1+p.w.rnd.IntN(n), p.codec.Writable(st.s))
			if n > 0 {
				p.w.moved = true
				text := st.out[:n]
				st.out = st.out[n:]
				p.codec.WriteData(st.s, []byte(text), st.out == "")
			}
		}
	}
	p.flush()
}

func (p *fakeH2) flush() {
	if out := p.codec.Out(); len(out) > 0 {
		p.peer.Write(out)
		p.codec.SetOut(nil)
	}
}

// end closes the connection.
func (p *fakeH2) end(reset bool) {
	p.over = true
	p.codec.Abort()
	if reset {
		p.peer.Reset()
	} else {
		p.peer.Close()
	}
}

func (p *fakeH2) Data(s *h2.Stream, b []byte, end bool) {
	st := s.User.(*fakeStream)
	st.in = append(st.in, b...)
	st.held += len(b)
	st.whole = end
}

func (p *fakeH2) Trailers(s *h2.Stream, _ []wire.Field) { s.User.(*fakeStream).whole = true }

func (p *fakeH2) forget(s *h2.Stream) *fakeStream {
	st := s.User.(*fakeStream)
	st.s = nil
	for i := range p.streams {
		if p.streams[i] == st {
			p.streams = append(p.streams[:i], p.streams[i+1:]...)
			break
		}
	}
	return st
}

func (p *fakeH2) Request(*h2.Stream, *wire.Request, bool)   {}
func (p *fakeH2) Response(*h2.Stream, *wire.Response, bool) {}
func (p *fakeH2) GoAway(uint32, h2.ErrCode)                 {}
func (p *fakeH2) Pong(uint64)                               {}

// fakeH2Client asks, some requests at a time, and gives up on some.
type fakeH2Client struct {
	fakeH2
	wait     []*fakeStream
	together int
	answers  int
}

func newFakeH2Client(w *fakeWorld, peer *looptest.Peer, name string) *fakeH2Client {
	c := &fakeH2Client{together: 1 + w.rnd.IntN(8)}
	c.begin(w, peer, true, c)
	for i := range 1 + w.rnd.IntN(12) {
		tag := fmt.Sprintf("%sr%d", name, i)
		c.wait = append(c.wait, &fakeStream{tag: tag, size: w.size(), body: w.size() * w.rnd.IntN(2)})
	}
	c.flush()
	return c
}

func (c *fakeH2Client) done() (bool, int) { return c.over, c.answers }

func (c *fakeH2Client) String() string {
	var b strings.Builder
	for _, st := range c.streams {
		fmt.Fprintf(&b, "%s: status %d, %d of %d bytes; ", st.tag, st.status, len(st.in), st.size)
	}
	return b.String()
}

func (c *fakeH2Client) turn() {
	if c.over {
		return
	}
	if !c.feed() {
		if n := len(c.streams) + len(c.wait); n > 0 && !c.w.resets {
			c.w.failf("the connection ended (%v) with %d requests unanswered: %v", c.peer.End(), n, c)
		}
		c.end(false)
		return
	}
	for len(c.wait) > 0 && len(c.streams) < c.together && c.codec.CanOpen() {
		c.ask(c.wait[0])
		c.wait = c.wait[1:]
		c.w.moved = true
	}
	c.write()
	if len(c.streams) > 0 && c.w.rnd.IntN(100) == 0 {
		st := c.streams[0]
		st.reset = true
		c.codec.Reset(st.s, h2.Cancel)
		c.flush()
	}
	if len(c.wait) == 0 && len(c.streams) == 0 {
		c.end(false)
	}
}

func (c *fakeH2Client) ask(st *fakeStream) {
	r := &h2.RequestHead{Method: wire.MethodGet, MethodName: []byte("GET"), Scheme: []byte("http"), Authority: []byte("a"),
		Path: fmt.Appendf(nil, "/%s/%d", st.tag, st.size)}
	if st.body > 0 {
		r.Method, r.MethodName = wire.MethodPost, []byte("POST")
		st.out = fill(st.tag, st.body)
	}
	st.s = c.codec.BeginRequest(r)
	st.s.User = st
	if st.body > 0 && c.w.rnd.IntN(2) == 0 {
		c.codec.AddField(wire.FieldContentLength, []byte("content-length"), strconv.AppendInt(nil, int64(st.body), 10))
	}
	c.streams = append(c.streams, st)
	c.codec.EndHead(st.s, st.body == 0)
}

// Response implements h2.Handler.
func (c *fakeH2Client) Response(s *h2.Stream, r *wire.Response, end bool) {
	st := s.User.(*fakeStream)
	if st.status != 0 {
		c.w.failf("%s has two responses", st.tag)
	}
	st.status, st.whole = r.Status, end
	for _, f := range r.Fields {
		if string(f.Name) == "x-tag" {
			st.head += string(f.Value)
		}
	}
}

// Closed implements h2.Handler: the response is judged.
func (c *fakeH2Client) Closed(s *h2.Stream, code h2.ErrCode, cause h2.Cause) {
	st := c.forget(s)
	switch {
	case st.status == 200 && (st.head != st.tag || string(st.in) != fill(st.tag, min(len(st.in), st.size))):
		c.w.failf("%s was answered by one of %s: %.100q", st.tag, st.head, st.in)
	case st.whole && st.status == 200 && len(st.in) != st.size:
		c.w.failf("%s: %d bytes instead of %d", st.tag, len(st.in), st.size)
	case st.whole && st.status == 200:
		c.answers++
	case st.whole && c.w.resets && (st.status == 502 || st.status == 503 || st.status == 504):
		c.answers++
	case st.reset || c.w.resets && !st.whole:
	default:
		c.w.failf("%s ended by %v (cause %d) with status %d and %d of %d bytes", st.tag, code, cause, st.status, len(st.in), st.size)
	}
}

// fakeH2Server answers each request when it is whole, in any order, pieces of many bodies mixed.
type fakeH2Server struct{ fakeH2 }

func newFakeH2Server(w *fakeWorld, peer *looptest.Peer) *fakeH2Server {
	s := &fakeH2Server{}
	s.begin(w, peer, false, s)
	s.flush()
	return s
}

func (s *fakeH2Server) done() (bool, int) { return s.over, 0 }

func (s *fakeH2Server) turn() {
	if s.over {
		return
	}
	if !s.feed() {
		s.end(false)
		return
	}
	for _, st := range append([]*fakeStream(nil), s.streams...) {
		if st.whole && !st.answerable && st.s != nil {
			s.w.moved = true
			if s.w.rnd.IntN(3) > 0 {
				s.answer(st)
			}
		}
	}
	s.write()
	if !s.w.resets {
		return
	}
	switch s.w.rnd.IntN(400) {
	case 0: // GOAWAY, and the connection ends when all is answered
		s.codec.Drain()
		s.flush()
	case 1:
		s.end(true)
	case 2:
		s.end(false)
	case 3, 4:
		if len(s.streams) > 0 {
			s.codec.Reset(s.streams[0].s, h2.RefusedStream)
			s.flush()
		}
	case 5, 6:
		if len(s.streams) > 0 {
			s.codec.Reset(s.streams[0].s, h2.InternalError)
			s.flush()
		}
	}
}

// answer begins a response.
func (s *fakeH2Server) answer(st *fakeStream) {
	st.answerable = true
	if string(st.in) != fill(st.tag, len(st.in)) {
		s.w.failf("the body of %s is %.100q", st.tag, st.in)
	}
	st.out = fill(st.tag, st.size)
	s.codec.BeginResponse(st.s, 200)
	s.codec.AddField(wire.FieldOther, []byte("x-tag"), []byte(st.tag))
	if s.w.rnd.IntN(2) == 0 {
		s.codec.AddField(wire.FieldContentLength, []byte("content-length"), strconv.AppendInt(nil, int64(st.size), 10))
	}
	s.codec.EndHead(st.s, st.size == 0)
}

// Request implements h2.Handler.
func (s *fakeH2Server) Request(x *h2.Stream, r *wire.Request, end bool) {
	parts := strings.Split(string(r.Target), "/")
	if len(parts) != 3 {
		s.w.failf("the upstream was asked for %q", r.Target)
		return
	}
	st := &fakeStream{s: x, tag: parts[1], whole: end}
	st.size, _ = strconv.Atoi(parts[2])
	x.User = st
	s.streams = append(s.streams, st)
}

// Closed implements h2.Handler.
func (s *fakeH2Server) Closed(x *h2.Stream, _ h2.ErrCode, _ h2.Cause) { s.forget(x) }

// The same as TestWorkerUnderFaults with HTTP/2 on one side or on both. Streams share connections here, so that whatever is crossed shows.
func TestH2WorkerUnderFaults(t *testing.T) {
	for _, x := range []struct {
		name string
		h2   pairing
	}{
		{"h2 to h1", pairing{down: true}},
		{"h1 to h2", pairing{up: true}},
		{"h2 to h2", pairing{down: true, up: true}},
	} {
		t.Run(x.name, func(t *testing.T) { underFaults(t, x.h2, faultSeeds/2) })
	}
}
