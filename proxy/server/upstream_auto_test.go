package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// chooser is an origin over TLS that chooses between HTTP/2 and HTTP/1.1, and may change its mind between two connections.
type chooser struct {
	addr string
	h1   atomic.Bool
	// connections so far by protocol.
	by sync.Map
}

func newChooser(t *testing.T, ca *authority, h http.HandlerFunc) *chooser {
	t.Helper()
	c := &chooser{}
	cert, _, _ := ca.issue("127.0.0.1")
	both := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	first := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	cfg := &tls.Config{NextProtos: both.NextProtos, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c.h1.Load() {
			return first, nil
		}
		return both, nil
	}, Certificates: both.Certificates}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{TLSConfig: cfg, Protocols: new(http.Protocols), ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.by.Store(r.RemoteAddr, r.Proto)
		h(w, r)
	})}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	c.addr = ln.Addr().String()
	return c
}

// connections that carried requests, by protocol.
func (c *chooser) connections() map[string]int {
	out := map[string]int{}
	c.by.Range(func(_, proto any) bool { out[proto.(string)]++; return true })
	return out
}

// shows answers with the request as it arrived.
func shows(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s %s %s len=%d via=%s xff=%s hop=%s sum=%s %s", r.Proto, r.Method, r.RequestURI, r.Host, r.Header.Get("X-Case"), r.ContentLength, r.Header.Get("Via"),
		r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Hop"), r.Trailer.Get("X-Sum"), b)
}

// With protocol auto, endpoints get the same requests whichever protocol they choose, and may change it at any time.
func TestUpstreamAuto(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		o := newChooser(t, ca, shows)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: auto, max_idle: 0, http2: {max_requests: 1}, tls: {ca: " + ca.file + "}"})
		c := g.dial()
		// A connection serves one request here, so that the endpoint is asked anew.
		unused := func() {
			eventually(t, "the connections are closed", func() bool { return g.metric("blitz_upstream_connections_active") == 0 })
		}
		for _, proto := range []string{"HTTP/2.0", "HTTP/1.1", "HTTP/1.1", "HTTP/2.0", "HTTP/1.1"} {
			unused()
			o.h1.Store(proto == "HTTP/1.1")
			const tail = "via=1.1 blitz xff=127.0.0.1 hop= "
			require.Equal(t, proto+" GET /tea?milk=no example.com Kept len=0 "+tail+"sum= ", c.ask(get("/a/../tea?milk=no", "X-Case: Kept", "Connection: X-Hop", "X-Hop: 1")).Text)
			unused()
			require.Equal(t, proto+" POST /form example.com  len=11 "+tail+"sum= with a body", c.ask(request("POST", "/form", "with a body")).Text)
			unused()
			chunks := "POST /form HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 17\r\n\r\n"
			require.Equal(t, proto+" POST /form example.com  len=-1 "+tail+"sum=17 hello world", c.ask(chunks).Text)
			unused()
			r := c.ask(request("HEAD", "/", ""))
			require.Positive(t, r.ContentLength)
			// A body that comes slowly, behind a head that is on its way already.
			c.send("POST /slow HTTP/1.1\r\nHost: example.com\r\nContent-Length: 6\r\n\r\n")
			eventually(t, "the request is under way", func() bool { return g.metric("blitz_upstream_connections_active") == 1 })
			for _, part := range []string{"a", "bc", "def"} {
				c.send(part)
			}
			require.Contains(t, c.response("POST").Text, "len=6 "+tail+"sum= abcdef")
		}
		c.Close()
		for _, e := range g.log() {
			require.Equal(t, 200, e.Status)
			require.Equal(t, 1, e.Attempts)
			require.Empty(t, e.Flags)
		}
		require.Positive(t, o.connections()["HTTP/2.0"])
		require.Positive(t, o.connections()["HTTP/1.1"])
	})
}

// Many clients at once, whose requests wait for the first handshake together, and large bodies both ways.
func TestUpstreamAutoBodies(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		for _, h1 := range []bool{false, true} {
			o := newChooser(t, ca, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				_, _ = w.Write(b)
			})
			o.h1.Store(h1)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: auto, max_connections: 3, tls: {ca: " + ca.file + "}"})
			hc := &http.Client{Transport: &http.Transport{}}
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					rng := rand.NewChaCha8([32]byte{byte(i)})
					body := make([]byte, 1<<20+i)
					_, _ = rng.Read(body)
					for range 3 {
						var rd io.Reader = bytes.NewReader(body)
						if i%2 == 1 {
							rd = io.MultiReader(rd) // hides the length
						}
						res, err := hc.Post("http://"+g.addr+"/", "application/octet-stream", rd)
						if err != nil {
							t.Error(err)
							return
						}
						h := sha256.New()
						if _, err := io.Copy(h, res.Body); err != nil {
							t.Error(err)
						}
						res.Body.Close()
						if want := sha256.Sum256(body); !bytes.Equal(want[:], h.Sum(nil)) {
							t.Error("the body came back changed")
						}
					}
				})
			}
			wg.Wait()
			hc.CloseIdleConnections()
			g.end()
			if !h1 {
				require.Equal(t, map[string]int{"HTTP/2.0": 1}, o.connections())
			} else {
				require.LessOrEqual(t, o.connections()["HTTP/1.1"], 3, "max_connections holds")
			}
		}
	})
}

// A retry may go from an endpoint of one protocol to one of the other; a POST is not repeated, whatever they speak.
func TestUpstreamAutoRetries(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		var posts atomic.Int64
		fails := func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			if !strings.HasPrefix(string(b), "12345") && r.Method != http.MethodGet {
				t.Errorf("%s: a body of %q", r.Proto, b)
			}
			panic(http.ErrAbortHandler)
		}
		for _, badIsH1 := range []bool{false, true} {
			bad, good := newChooser(t, ca, fails), newChooser(t, ca, shows)
			bad.h1.Store(badIsH1)
			good.h1.Store(!badIsH1)
			g := gate(t, engine, setup{endpoints: []string{bad.addr, good.addr}, cluster: "protocol: auto, retries: 1, retry: {backoff: 0s, budget: {min: 1000}}, tls: {ca: " + ca.file + "}"})
			c := g.dial()
			for range 6 {
				require.Contains(t, c.ask(get("/x")).Text, "GET /x")
				require.Contains(t, c.ask(request("PUT", "/x", "12345-known")).Text, "len=11 via=1.1 blitz xff=127.0.0.1 hop= sum= 12345-known")
				chunks := "PUT /form HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\n12345\r\n0\r\nX-Sum: 17\r\n\r\n"
				require.Contains(t, c.ask(chunks).Text, "sum=17 12345")
			}
			posts.Store(0)
			bads := 0
			for range 10 {
				r := c.ask(request("POST", "/pay", "12345-money"))
				if r.StatusCode == 502 {
					bads++
				}
			}
			require.Equal(t, 5, bads)
			require.EqualValues(t, bads, posts.Load())
			c.Close()
		}
	})
}

// An upgrade goes over HTTP/1.1, beside the HTTP/2 connection of other requests.
func TestUpstreamAutoUpgrades(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		o := newChooser(t, ca, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				shows(w, r)
				return
			}
			c, b, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, upgradeResponse)
			text, _ := io.ReadAll(io.LimitReader(b, 4))
			_, _ = c.Write(bytes.ToUpper(text))
			_, _ = b.ReadByte()
		})
		// With one connection, each kind has to make room for the other.
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: auto, max_connections: 1, tls: {ca: " + ca.file + "}", routes: upgradeRoute})
		for range 3 {
			c := g.dial()
			require.Contains(t, c.ask(get("/x")).Text, "HTTP/2.0 GET /x")
			c.send(upgradeRequest + "ping")
			require.Equal(t, 101, c.head("GET").StatusCode)
			read(t, c.br, "PING")
			require.NoError(t, c.CloseWrite())
			c.closed()
			c.Close()
		}
		g.end()
		require.Equal(t, map[string]int{"HTTP/1.1": 3, "HTTP/2.0": 3}, o.connections())
	})
}

// A refused upgrade leaves an unused connection of HTTP/1.1 behind. A request that waits for HTTP/2 meanwhile gets its room, and a change of the cluster's
// settings in between does not lose it.
func TestUpstreamAutoMakesRoomBehindARefusedUpgrade(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, change := range []string{"", "retries: 2", "max_connections: 2"} {
			ca := newAuthority(t, "ca")
			asked, refuse := make(chan struct{}), make(chan struct{})
			o := newChooser(t, ca, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") == "" {
					shows(w, r)
					return
				}
				close(asked)
				<-refuse
				w.WriteHeader(http.StatusForbidden)
			})
			cluster := "protocol: auto, tls: {ca: " + ca.file + "}, "
			s := setup{endpoints: []string{o.addr}, cluster: cluster + "max_connections: 1", routes: upgradeRoute}
			g := gate(t, engine, s)
			upgrading, waiting := g.dial(), g.dial()
			upgrading.send(upgradeRequest)
			<-asked
			waiting.send(get("/x"))
			eventually(t, "the request waits", func() bool { return g.metric("blitz_requests_active") == 2 })
			if change != "" {
				s.cluster = cluster + change
				if !strings.HasPrefix(change, "max_connections") {
					s.cluster += ", max_connections: 1"
				}
				require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
			}
			if change == "max_connections: 2" {
				require.Contains(t, waiting.response("GET").Text, "HTTP/2.0 GET /x", "there is room as soon as the limit is higher")
				close(refuse)
				require.Equal(t, http.StatusForbidden, upgrading.response("GET").StatusCode)
			} else {
				close(refuse)
				require.Equal(t, http.StatusForbidden, upgrading.response("GET").StatusCode)
				require.Contains(t, waiting.response("GET").Text, "HTTP/2.0 GET /x")
			}
			upgrading.Close()
			waiting.Close()
			g.end()
			require.Equal(t, map[string]int{"HTTP/1.1": 1, "HTTP/2.0": 1}, o.connections())
		}
	})
}
