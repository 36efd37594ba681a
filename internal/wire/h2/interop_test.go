package h2

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	"golang.org/x/net/http2"
)

// pump runs a Conn over a blocking transport: it reads, feeds, lets the owner take its turn, and writes what came of it,
// until the transport ends.
func pump(nc net.Conn, c *Conn, turn func()) *Error {
	var rest []byte
	buf := make([]byte, 32<<10)
	flush := func() error {
		out := c.Out()
		c.SetOut(nil)
		if len(out) == 0 {
			return nil
		}
		_, err := nc.Write(out)
		return err
	}
	if flush() != nil {
		return nil //nolint:nilerr // the other side went away: that is how these tests end
	}
	for {
		n, err := nc.Read(buf)
		if err != nil {
			c.Abort()
			return nil //nolint:nilerr // the other side went away: that is how these tests end
		}
		rest = append(rest, buf[:n]...)
		used, ferr := c.Feed(rest)
		rest = rest[used:]
		if ferr == nil {
			turn()
		}
		if flush() != nil || ferr != nil {
			return ferr
		}
	}
}

// echo is a server that answers a request with its method, path, fields of interest, and body, and with trailers.
type echo struct {
	c      *Conn
	bodies map[*Stream]*bytes.Buffer
	out    map[*Stream][]byte
}

func (e *echo) Request(s *Stream, r *wire.Request, end bool) {
	b := new(bytes.Buffer)
	fmt.Fprintf(b, "%s %s %s\n", r.MethodName, r.Authority, r.Target)
	for _, f := range r.Fields {
		if strings.HasPrefix(string(f.Name), "x-") || f.ID == wire.FieldCookie {
			fmt.Fprintf(b, "%s: %s\n", f.Name, f.Value)
		}
	}
	e.bodies[s] = b
	if end {
		e.answer(s)
	}
}

func (e *echo) Data(s *Stream, p []byte, end bool) {
	e.bodies[s].Write(p)
	e.c.Consume(s, len(p))
	if end {
		e.answer(s)
	}
}

func (e *echo) Trailers(s *Stream, fields []wire.Field) {
	fmt.Fprintf(e.bodies[s], "trailers%s\n", fieldText(fields))
	e.answer(s)
}

func (e *echo) answer(s *Stream) {
	e.c.WriteResponse(s, 103, []wire.Field{{Name: []byte("Link"), Value: []byte("</x>"), ID: wire.FieldOther}}, false)
	e.c.BeginResponse(s, 200)
	e.c.AddField(wire.FieldServer, []byte("Server"), []byte("blitz"))
	e.c.AddField(wire.FieldOther, []byte("X-Long"), bytes.Repeat([]byte("long "), 5000)[:24999])
	e.c.EndHead(s, false)
	e.out[s] = e.bodies[s].Bytes()
	e.c.Schedule(s)
}

// turn writes bodies as far as windows allow.
func (e *echo) turn() {
	for s := e.c.Next(); s != nil; s = e.c.Next() {
		n := e.c.WriteData(s, e.out[s][:min(len(e.out[s]), 8000)], false)
		if e.out[s] = e.out[s][n:]; len(e.out[s]) > 0 {
			e.c.Schedule(s)
			continue
		}
		e.c.WriteTrailers(s, []wire.Field{{Name: []byte("X-Sum"), Value: []byte("7")}})
	}
}

func (e *echo) Closed(s *Stream, _ ErrCode, _ Cause)   { delete(e.bodies, s); delete(e.out, s) }
func (e *echo) Response(*Stream, *wire.Response, bool) {}
func (e *echo) GoAway(uint32, ErrCode)                 {}
func (e *echo) Pong(uint64)                            {}

// Our server against x/net's client: many requests at once on one connection, with bodies larger than all windows.
func TestServerWithXNetClient(t *testing.T) {
	a, b := net.Pipe()
	var c Conn
	e := &echo{c: &c, bodies: map[*Stream]*bytes.Buffer{}, out: map[*Stream][]byte{}}
	c.Init(&Config{Limits: DefaultLimits}, e, new(Scratch))
	c.Start()
	result := make(chan *Error, 1)
	buffered := newBufferedConn(t, b)
	go func() { result <- pump(buffered, &c, e.turn) }()
	tr := &http2.Transport{AllowHTTP: true, DialTLSContext: func(context.Context, string, string, *tls.Config) (net.Conn, error) { return a, nil }} //nolint:staticcheck // HTTP/2 over a pipe, which net/http alone cannot do
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprint(i%10), i*7000)
			req, _ := http.NewRequestWithContext(t.Context(), "POST", fmt.Sprintf("http://a.example/%d?q", i), strings.NewReader(body))
			req.Header.Set("X-Custom", fmt.Sprint("value ", i))
			req.Header.Add("Cookie", "a=b")
			req.Header.Add("Cookie", "c=d")
			if i%3 == 0 {
				req.ContentLength = -1
				req.Body = io.NopCloser(req.Body)
				req.Trailer = http.Header{"X-End": {"1"}}
			}
			resp, err := tr.RoundTrip(req) //nolint:staticcheck // as above
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			want := fmt.Sprintf("POST a.example /%d?q\ncookie: a=b; c=d\nx-custom: value %d\n%s", i, i, body)
			if i%3 == 0 {
				want += "trailers x-end=1\n"
			}
			lines := func(s string) string { // the order of a map's fields is any
				h := strings.SplitN(s, "\n", 4)
				if len(h) == 4 && h[1] > h[2] {
					h[1], h[2] = h[2], h[1]
				}
				return strings.Join(h, "\n")
			}
			if err != nil || lines(string(got)) != lines(want) || resp.StatusCode != 200 || resp.Header.Get("Server") != "blitz" || resp.Trailer.Get("X-Sum") != "7" {
				t.Errorf("%d: error %v, %d bytes, want %d, trailers %v", i, err, len(got), len(want), resp.Trailer)
			}
		})
	}
	wg.Wait()
	tr.CloseIdleConnections() //nolint:staticcheck // as above
	_ = a.Close()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// bufferedConn writes in the background, since both ends of a pipe writing at once would wait for each other.
type bufferedConn struct {
	net.Conn
	queue chan []byte
}

func newBufferedConn(t *testing.T, c net.Conn) *bufferedConn {
	b := &bufferedConn{c, make(chan []byte, 1<<16)}
	t.Cleanup(func() { close(b.queue) })
	go func() {
		for p := range b.queue {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	}()
	return b
}

func (b *bufferedConn) Write(p []byte) (int, error) {
	b.queue <- bytes.Clone(p)
	return len(p), nil
}

// collector is a client's handler: it gathers responses.
type collector struct {
	c       *Conn
	answers map[*Stream]*bytes.Buffer
	out     map[*Stream][]byte
	done    []string
	left    int
	finish  func()
}

func (k *collector) Response(s *Stream, r *wire.Response, end bool) {
	fmt.Fprintf(k.answers[s], "%d ", r.Status)
}

func (k *collector) Data(s *Stream, p []byte, _ bool) {
	k.answers[s].Write(p)
	k.c.Consume(s, len(p))
}

func (k *collector) Trailers(s *Stream, fields []wire.Field) {
	fmt.Fprintf(k.answers[s], "trailers%s", fieldText(fields))
}

func (k *collector) Closed(s *Stream, code ErrCode, cause Cause) {
	if cause != ByEnd {
		fmt.Fprintf(k.answers[s], "closed %v", code)
	}
	k.done = append(k.done, k.answers[s].String())
	if k.left--; k.left == 0 {
		k.finish()
	}
}

func (k *collector) turn() {
	for s := k.c.Next(); s != nil; s = k.c.Next() {
		n := k.c.WriteData(s, k.out[s], true)
		if k.out[s] = k.out[s][n:]; len(k.out[s]) > 0 {
			k.c.Schedule(s)
		}
	}
}

func (k *collector) Request(*Stream, *wire.Request, bool) {}
func (k *collector) GoAway(uint32, ErrCode)               {}
func (k *collector) Pong(uint64)                          {}

// Our client against net/http's server with prior knowledge, and against x/net's.
func TestClientWithGoServers(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = fmt.Fprintf(w, "%s %s %s %s ", r.Method, r.Host, r.URL, r.Header.Get("X-Custom"))
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "7")
	})
	for name, serve := range map[string]func(ln net.Listener){
		"net/http": func(ln net.Listener) {
			p := new(http.Protocols)
			p.SetUnencryptedHTTP2(true)
			srv := &http.Server{Handler: handler, Protocols: p}
			t.Cleanup(func() { _ = srv.Close() })
			_ = srv.Serve(ln)
		},
		"x/net": func(ln net.Listener) {
			if nc, err := ln.Accept(); err == nil {
				t.Cleanup(func() { _ = nc.Close() })
				new(http2.Server).ServeConn(nc, &http2.ServeConnOpts{Handler: handler}) //nolint:staticcheck // as above
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			go serve(ln)
			nc, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			const requests = 40
			var c Conn
			k := &collector{c: &c, answers: map[*Stream]*bytes.Buffer{}, out: map[*Stream][]byte{}, left: requests, finish: func() { _ = nc.Close() }}
			c.Init(&Config{Client: true, Limits: DefaultLimits}, k, new(Scratch))
			c.Start()
			want := map[string]bool{}
			for i := range requests {
				s := c.BeginRequest(&RequestHead{Method: wire.MethodPut, MethodName: []byte("PUT"), Scheme: []byte("http"), Authority: []byte("a.example"), Path: fmt.Appendf(nil, "/%d", i)})
				c.AddField(wire.FieldOther, []byte("X-Custom"), fmt.Appendf(nil, "v%d", i%3))
				c.EndHead(s, false)
				body := strings.Repeat(fmt.Sprint(i%10), 1+i*4000)
				want[fmt.Sprintf("103 200 PUT a.example /%d v%d %strailers x-sum=7", i, i%3, body)] = true
				k.answers[s], k.out[s] = new(bytes.Buffer), []byte(body)
				c.Schedule(s)
			}
			k.turn()
			if err := pump(newBufferedConn(t, nc), &c, k.turn); err != nil {
				t.Fatal(err)
			}
			for _, got := range k.done {
				if !want[got] {
					t.Errorf("got %.60q… of %d bytes", got, len(got))
				}
				delete(want, got)
			}
			if len(want) > 0 {
				t.Errorf("%d answers are missing", len(want))
			}
		})
	}
}
