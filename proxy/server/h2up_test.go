package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveH2 starts an origin that speaks HTTP/2 with prior knowledge, and nothing else.
func serveH2(t *testing.T, h http.HandlerFunc, change ...func(*http.Server)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	for _, f := range change {
		f(s)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}

func TestH2UpstreamGetsTheRequest(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		var got *http.Request
		var body string
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got, body = r, string(b)
			w.Header().Set("X-Answer", "yes")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short and stout")
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		c := g.dial()
		for range 3 {
			r := c.ask(get("/a/../tea?milk=no", "X-Forwarded-For: 203.0.113.9", "Connection: X-Hop", "X-Hop: 1", "Cookie: a=1"))
			require.Equal(t, 418, r.StatusCode)
			require.Equal(t, "yes", r.Header.Get("X-Answer"))
			require.Equal(t, "short and stout", r.Text)
			require.Equal(t, "HTTP/2.0", got.Proto)
			require.Equal(t, "GET", got.Method)
			require.Equal(t, "/tea?milk=no", got.RequestURI)
			require.Equal(t, "example.com", got.Host)
			require.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
			require.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))
			require.Equal(t, "example.com", got.Header.Get("X-Forwarded-Host"))
			require.Equal(t, "1.1 blitz", got.Header.Get("Via"))
			require.Equal(t, "a=1", got.Header.Get("Cookie"))
			require.Empty(t, got.Header.Get("X-Hop"))
			require.Empty(t, got.Header.Get("Connection"))
			r = c.ask(request("POST", "/form", "with a body", "X-Case: Kept"))
			require.Equal(t, 418, r.StatusCode)
			require.Equal(t, "POST", got.Method)
			require.Equal(t, "with a body", body)
			require.EqualValues(t, len(body), got.ContentLength)
			require.Equal(t, "Kept", got.Header.Get("X-Case"))
		}
		c.Close()
		for _, e := range g.log() {
			require.Equal(t, 418, e.Status)
			require.Equal(t, 1, e.Attempts)
			require.Equal(t, o, e.Endpoint)
			require.Empty(t, e.Flags)
		}
		n := g.counters()
		require.EqualValues(t, 1, n.UpstreamConnects, "one connection for all")
		require.EqualValues(t, 6, n.UpstreamStreams)
		require.Zero(t, n.UpstreamStreamsActive)
	})
}

// Responses of every framing arrive as they are.
func TestH2UpstreamResponses(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/204":
				w.WriteHeader(http.StatusNoContent)
			case "/304":
				w.Header().Set("ETag", `"x"`)
				w.WriteHeader(http.StatusNotModified)
			case "/empty":
				w.Header().Set("Content-Length", "0")
			case "/length":
				w.Header().Set("Content-Length", "5")
				_, _ = io.WriteString(w, "five!")
			case "/stream":
				for i := range 5 {
					fmt.Fprintf(w, "part %d;", i)
					w.(http.Flusher).Flush()
				}
			case "/trailers":
				w.Header().Set("Trailer", "X-Sum")
				_, _ = io.WriteString(w, "body")
				w.(http.Flusher).Flush() // with a Content-Length an HTTP/1.1 client could not get trailers
				w.Header().Set("X-Sum", "42")
			case "/interim":
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusOK)
				_, _ = io.WriteString(w, "after hints")
			}
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		c := g.dial()
		r := c.ask(get("/204"))
		require.Equal(t, 204, r.StatusCode)
		r = c.ask(get("/304"))
		require.Equal(t, 304, r.StatusCode)
		require.Equal(t, `"x"`, r.Header.Get("ETag"))
		r = c.ask(get("/empty"))
		require.Equal(t, 200, r.StatusCode)
		require.EqualValues(t, 0, r.ContentLength)
		r = c.ask(get("/length"))
		require.EqualValues(t, 5, r.ContentLength)
		require.Equal(t, "five!", r.Text)
		r = c.ask(request("HEAD", "/length", ""))
		require.EqualValues(t, 5, r.ContentLength)
		require.Empty(t, r.Text)
		r = c.ask(get("/stream"))
		require.Equal(t, "part 0;part 1;part 2;part 3;part 4;", r.Text)
		require.Equal(t, []string{"chunked"}, r.TransferEncoding)
		r = c.ask(get("/trailers"))
		require.Equal(t, "body", r.Text)
		require.Equal(t, "42", r.Trailer.Get("X-Sum"))
		c.send(get("/interim"))
		require.Equal(t, 103, c.head("GET").StatusCode)
		require.Equal(t, "after hints", c.response("GET").Text)
		c.Close()
	})
}

// Large bodies in both directions at once, of known and unknown length, with more of them than fit any window.
func TestH2UpstreamLargeBodies(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength >= 0 {
				w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
			}
			_, _ = io.Copy(w, r.Body)
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				rng := rand.NewChaCha8([32]byte{byte(i)})
				body := make([]byte, 3<<20+i)
				_, _ = rng.Read(body)
				var rd io.Reader = bytes.NewReader(body)
				if i%2 == 1 {
					rd = io.MultiReader(rd) // hides the length
				}
				res, err := http.Post("http://"+g.addr+"/", "application/octet-stream", rd)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				h := sha256.New()
				if _, err := io.Copy(h, res.Body); err != nil {
					t.Error(err)
				}
				if want := sha256.Sum256(body); !bytes.Equal(want[:], h.Sum(nil)) {
					t.Error("the body came back changed")
				}
			})
		}
		wg.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
}

// Request trailers reach the endpoint, and a body is sent again in full when its stream was refused.
func TestH2UpstreamRequestTrailers(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", b, r.Trailer.Get("X-Sum"))
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		c := g.dial()
		r := c.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 17\r\n\r\n")
		require.Equal(t, "hello 17", r.Text)
		c.Close()
	})
}

// A client that goes away cancels its stream, and nobody else's.
func TestH2UpstreamCancel(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		started, cancelled := make(chan struct{}), make(chan struct{})
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(started)
				<-r.Context().Done()
				close(cancelled)
				return
			}
			_, _ = io.WriteString(w, "fine")
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		c, other := g.dial(), g.dial()
		c.send(get("/slow"))
		<-started
		require.Equal(t, "fine", other.ask(get("/")).Text)
		c.Close()
		<-cancelled
		require.Equal(t, "fine", other.ask(get("/")).Text)
		other.Close()
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
		require.EqualValues(t, 1, g.counters().UpstreamAborts)
	})
}

// More requests than streams wait, for a while and up to a number.
func TestH2UpstreamStreamLimit(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		arrived, release := make(chan string, 16), make(chan struct{})
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			arrived <- r.URL.Path
			<-release
			_, _ = io.WriteString(w, "done")
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2, http2: {max_streams: 2}, max_connections: 1, max_pending: 1, retries: 0"})
		cs := make([]*client, 4)
		for i := range cs {
			cs[i] = g.dial()
		}
		cs[0].send(get("/0"))
		<-arrived
		cs[1].send(get("/1"))
		<-arrived
		cs[2].send(get("/2"))
		eventually(t, "three requests", func() bool { return g.metric("blitz_requests_active") == 3 })
		r := cs[3].ask(get("/3"))
		require.Equal(t, 503, r.StatusCode)
		require.Contains(t, r.Text, "upstream_overflow")
		close(release)
		for _, c := range cs[:3] {
			require.Equal(t, "done", c.response("GET").Text)
		}
		require.Equal(t, "/2", <-arrived)
		for _, c := range cs {
			c.Close()
		}
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
	})
}

// A full connection makes room by another one; the servers' own limit counts as well.
func TestH2UpstreamOpensMoreConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, x := range []struct {
			server, ours int
		}{{250, 2}, {2, 100}} {
			arrived, release := make(chan string, 16), make(chan struct{})
			o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
				arrived <- r.RemoteAddr
				<-release
				_, _ = io.WriteString(w, "done")
			}, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: x.server} })
			g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("protocol: h2, http2: {max_streams: %d}", x.ours)})
			var cs []*client
			from := map[string]int{}
			for range 5 {
				c := g.dial()
				c.send(get("/"))
				cs = append(cs, c)
			}
			for range cs {
				from[<-arrived]++
			}
			require.Len(t, from, 3)
			close(release)
			for _, c := range cs {
				require.Equal(t, "done", c.response("GET").Text)
				c.Close()
			}
			g.end()
			require.EqualValues(t, 3, g.counters().UpstreamConnects)
		}
	})
}

// Many clients, small answers: never mixed up, and all over one connection.
func TestH2UpstreamManyClients(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := serveH2(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(r.URL.Path, 50))
		})
		g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2"})
		var wg sync.WaitGroup
		for i := range 20 {
			c := g.dial()
			wg.Go(func() {
				defer c.Close()
				for j := range 50 {
					path := fmt.Sprintf("/%d/%d", i, j)
					if _, err := io.WriteString(c, get(path)); err != nil {
						t.Error(err)
						return
					}
					r, err := http.ReadResponse(c.br, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if b, err := io.ReadAll(r.Body); err != nil || string(b) != strings.Repeat(path, 50) {
						t.Errorf("%s: %v, %.40q", path, err, b)
						return
					}
				}
			})
		}
		wg.Wait()
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
		require.EqualValues(t, 1000, g.counters().UpstreamStreams)
	})
}

// says2 answers with the address of the connection that the request came over.
func says2(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }
