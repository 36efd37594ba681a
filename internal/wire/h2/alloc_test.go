package h2

import (
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// answerer is a server that answers each request with a head and a body, as cheaply as the proxy will.
type answerer struct {
	c      *Conn
	fields []wire.Field
	body   []byte
	n      int
}

func (a *answerer) Request(s *Stream, _ *wire.Request, end bool) {
	if end {
		a.answer(s)
	}
}

func (a *answerer) answer(s *Stream) {
	a.c.WriteResponse(s, 200, a.fields, false)
	a.c.WriteData(s, a.body, true)
	a.n++
}

func (a *answerer) Response(s *Stream, _ *wire.Response, end bool) {
	if end {
		a.n++
	}
}

func (a *answerer) Data(s *Stream, p []byte, end bool) {
	a.c.Consume(s, len(p))
	if end && !a.c.cfg.Client {
		a.answer(s)
	}
	if end && a.c.cfg.Client {
		a.n++
	}
}

func (a *answerer) Trailers(*Stream, []wire.Field)   {}
func (a *answerer) Closed(*Stream, ErrCode, Cause)   {}
func (a *answerer) GoAway(last uint32, code ErrCode) {}
func (a *answerer) Pong(uint64)                      {}

var answerFields = []wire.Field{
	{Name: []byte("Server"), Value: []byte("blitz"), ID: wire.FieldServer},
	{Name: []byte("Date"), Value: []byte("Mon, 21 Oct 2013 20:13:21 GMT"), ID: wire.FieldDate},
	{Name: []byte("Content-Type"), Value: []byte("text/plain; charset=utf-8"), ID: wire.FieldContentType},
	{Name: []byte("Content-Length"), Value: []byte("1024"), ID: wire.FieldContentLength},
}

var requestFields = []wire.Field{
	{Name: []byte("user-agent"), Value: []byte("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), ID: wire.FieldUserAgent},
	{Name: []byte("accept"), Value: []byte("*/*"), ID: wire.FieldAccept},
	{Name: []byte("accept-encoding"), Value: []byte("gzip, deflate, br, zstd"), ID: wire.FieldAcceptEncoding},
	{Name: []byte("x-custom"), Value: []byte("value")},
}

// loop is a client and a server of ours, back to back.
type loop struct {
	client, server   Conn
	ch, sh           answerer
	toServer, toClnt []byte
	head             RequestHead
	body             []byte
	stateless        []byte
}

func newLoop(t testing.TB, body int) *loop {
	l := &loop{}
	scratch := new(Scratch)
	l.ch = answerer{c: &l.client}
	l.sh = answerer{c: &l.server, fields: answerFields, body: make([]byte, body)}
	l.client.Init(&Config{Client: true, Limits: DefaultLimits}, &l.ch, scratch)
	l.server.Init(&Config{Limits: DefaultLimits}, &l.sh, scratch)
	l.client.Start()
	l.server.Start()
	l.head = RequestHead{Method: wire.MethodGet, Scheme: []byte("https"), Authority: []byte("www.example.com"), Path: []byte("/static/app/main.js")}
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/hello"}} {
		l.stateless = hpack.AppendStateless(l.stateless, []byte(f[0]), []byte(f[1]))
	}
	l.exchange(t)
	return l
}

// exchange carries bytes to and fro until both are quiet.
func (l *loop) exchange(t testing.TB) {
	for {
		out := l.client.Out()
		l.client.SetOut(l.toClnt[:0])
		n, err := l.server.Feed(out)
		if err != nil || n != len(out) {
			t.Fatal(n, err)
		}
		l.toClnt = out
		back := l.server.Out()
		l.server.SetOut(l.toServer[:0])
		if n, err = l.client.Feed(back); err != nil || n != len(back) {
			t.Fatal(n, err)
		}
		l.toServer = back
		if len(out)+len(back) == 0 {
			return
		}
	}
}

func (l *loop) request(t testing.TB, batch int) {
	for range batch {
		s := l.client.BeginRequest(&l.head)
		if s == nil {
			t.Fatal("no stream")
		}
		l.client.AddFields(requestFields)
		l.client.EndHead(s, len(l.body) == 0)
		if len(l.body) > 0 {
			l.client.WriteData(s, l.body, true)
		}
	}
	l.exchange(t)
}

func TestNoAllocations(t *testing.T) {
	l := newLoop(t, 1024)
	for what, f := range map[string]func(){
		"get":   func() { l.body = nil; l.request(t, 1) },
		"post":  func() { l.body = l.sh.body; l.request(t, 1) },
		"batch": func() { l.body = nil; l.request(t, 32) },
		"block": func() { l.client.OpenBlock(wire.MethodGet, l.stateless, true); l.exchange(t) },
		"cancel": func() {
			s := l.client.BeginRequest(&l.head)
			l.client.EndHead(s, false)
			l.client.Reset(s, Cancel)
			l.exchange(t)
			_ = l.server.Tick()
		},
		"malformed": func() {
			l.client.OpenBlock(wire.MethodGet, []byte{0x82}, true)
			l.exchange(t)
			_ = l.server.Tick()
		},
	} {
		for range 100 {
			f()
		}
		n := l.ch.n
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations", what, got)
		}
		if what != "cancel" && what != "malformed" && l.ch.n == n {
			t.Errorf("%s: no answer came", what)
		}
	}
	if l.client.Open() != 0 || l.server.Open() != 0 {
		t.Errorf("%d and %d streams are left", l.client.Open(), l.server.Open())
	}
}

// BenchmarkServer is what a server spends on a request: frames, HPACK both ways, windows, a body of 1 KiB copied.
func BenchmarkServer(b *testing.B) {
	for name, batch := range map[string]int{"1": 1, "32": 32} {
		b.Run(name, func(b *testing.B) {
			// The client's half is recorded: after the first requests every block is the same but for the stream.
			l := newLoop(b, 1024)
			for range 4 {
				l.request(b, 1)
			}
			s := l.client.BeginRequest(&l.head)
			l.client.AddFields(requestFields)
			l.client.EndHead(s, true)
			one := append([]byte(nil), l.client.Out()...)
			l.exchange(b)
			id := l.client.nextOwn
			in := make([]byte, 0, batch*len(one))
			window := AppendWindowUpdate(nil, 0, 1024)
			out := make([]byte, 0, 1<<17)
			b.ReportAllocs()
			for b.Loop() {
				in = in[:0]
				for range batch {
					at := len(in)
					in = append(in, one...)
					h := ParseHeader(in[at:])
					h.Stream = id
					putHeader(in[at:], h)
					in = append(in, window...)
					id += 2
				}
				l.server.SetOut(out[:0])
				if _, err := l.server.Feed(in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/request")
		})
	}
}

// BenchmarkBothSides adds the client's half.
func BenchmarkBothSides(b *testing.B) {
	l := newLoop(b, 1024)
	b.ReportAllocs()
	for b.Loop() {
		l.request(b, 32)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*32), "ns/request")
}
