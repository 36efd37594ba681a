//go:build linux

package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// examples start each file of examples and hold it to what its comments say.
var examples = map[string]func(t *testing.T, s *stage){
	"cluster-dns": func(t *testing.T, s *stage) {
		up, calls := s.endpoint("api"), s.endpointH2(health("api.v1", tell("grpc")))
		ns := s.names(0)
		p := s.start("cluster-dns", "127.0.0.1:8080", "127.0.0.1:0", "api.example.com:8080", "api.example.com:"+port(t, up)+"\n      server: "+ns,
			"127.0.0.1:53", s.service(calls), "interval: 2s", "interval: 100ms")
		a := s.plain(p.addr)
		a.until("/x", "at=api")
		a.until("/api.v1/Get", "at=grpc\nHTTP/2.0 GET")
	},
	"cluster-everything": func(t *testing.T, s *stage) {
		list := s.write("endpoints.yaml", "endpoints: [{address: \""+s.endpoint("found")+"\"}]")
		p := s.start("cluster-everything", "/tmp/blitz-endpoints.yaml", list, "127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9901", "127.0.0.1:0",
			"127.0.0.1:9000", s.endpoint("0"), "127.0.0.1:9001", s.endpoint("1"), "127.0.0.1:9002", s.endpoint("2"), "127.0.0.1:9003", s.endpoint("3"))
		a := s.plain(p.addr)
		for range 20 {
			require.Contains(t, []string{"0", "1"}, a.ask("GET", "/api/x", "").where(), "its own zone")
		}
		first := a.ask("GET", "/cache/x", "", "x-user: 7").where()
		for range 5 {
			require.Equal(t, first, a.ask("GET", "/cache/y", "", "X-User: 7").where())
		}
		sticks(t, a, "/shop/x", "shop-at")
		a.until("/fleet/x", "at=found")
		s.write("endpoints.yaml", "endpoints: [{address: \""+s.endpoint("changed")+"\"}]")
		a.until("/fleet/x", "at=changed")
	},
	"default": func(t *testing.T, s *stage) {
		a := s.plain(s.start("default", ":8080", "127.0.0.1:0").addr)
		require.Contains(t, a.get("/"), "This is Blitz")
		require.Equal(t, "ok\n", a.get("/health"))
		require.Equal(t, "sent", a.ask("POST", "/echo/x", "sent").text)
		require.Equal(t, 404, a.ask("GET", "/none", "").StatusCode)
		a = s.secure(strings.TrimPrefix(a.url, "http://"), "localhost") // on the same port
		require.Equal(t, "hello\n", a.get("/hello"))
	},
	"everything": everything,
	"grpc": func(t *testing.T, s *stage) {
		first, second := s.endpointH2(tell("1")), s.endpointH2(tell("2"))
		a := s.h2(s.start("grpc", ":8080", "127.0.0.1:0", "10.0.0.21:50051", first, "10.0.0.22:50051", second).addr)
		seen := map[string]bool{}
		for range 4 {
			r := a.ask("POST", "/helloworld.Greeter/SayHello", "call", "Content-Type: application/grpc", "TE: trailers")
			require.Contains(t, r.text, "HTTP/2.0 POST /helloworld.Greeter/SayHello")
			require.Contains(t, r.text, "Te: trailers")
			seen[r.where()] = true
		}
		require.Len(t, seen, 2)
		r := a.ask("POST", "/other.Service/Call", "call", "Content-Type: application/grpc")
		require.Equal(t, "12", r.Header.Get("Grpc-Status"), "no such service")
	},
	"hardened": func(t *testing.T, s *stage) {
		p := s.start("hardened", "127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:9901", "127.0.0.1:0", "127.0.0.1:9000", s.endpointV2())
		const head = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
		require.Contains(t, raw(t, p.addr, head+"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "client=192.0.2.7:4711")
		require.Empty(t, raw(t, p.addr, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), "without the header of the balancer")
		require.Contains(t, raw(t, p.addr, head+"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n"), "413 ")
	},
	"http2": func(t *testing.T, s *stage) {
		a := s.h2(s.start("http2", ":8080", "127.0.0.1:0", "127.0.0.1:9000", s.endpoint("app")).addr)
		r := a.ask("GET", "/hello", "")
		require.Equal(t, "HTTP/2.0", r.Proto)
		require.Equal(t, "hello\n", r.text)
		require.Contains(t, a.get("/x"), "HTTP/1.1 GET /x")
	},
	"maintenance": func(t *testing.T, s *stage) {
		a := s.plain(s.start("maintenance", ":8080", "127.0.0.1:0").addr)
		require.Equal(t, "ok\n", a.get("/health"))
		r := a.ask("POST", "/any/thing", "x")
		require.Equal(t, 503, r.StatusCode)
		require.Equal(t, "600", r.Header.Get("Retry-After"))
		require.Contains(t, r.text, "Down for maintenance")
	},
	"minimal": func(t *testing.T, s *stage) {
		a := s.plain(s.start("minimal", ":8080", "127.0.0.1:0", "127.0.0.1:9000", s.endpoint("app")).addr)
		require.Contains(t, a.ask("PUT", "/x?y=z", "body").text, "HTTP/1.1 PUT /x?y=z")
	},
	"mtls": func(t *testing.T, s *stage) {
		s.certificates("edge", "partner")
		p := s.start("mtls", ":8443", "127.0.0.1:0", "partners.pem", s.ca, "127.0.0.1:9000", s.endpoint("app"))
		require.Contains(t, raw(t, p.addr, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), "400 ")
		_, err := s.secure(p.addr, "edge.test").c.Get("https://" + p.addr)
		require.Error(t, err, "without a certificate")
		pair, err := tls.LoadX509KeyPair(s.path("partner.crt"), s.path("partner.key"))
		require.NoError(t, err)
		require.Contains(t, s.secure(p.addr, "edge.test", pair).get("/x"), `Subject="CN=partner.test"`)
	},
	"operations": func(t *testing.T, s *stage) {
		admin, log := freeAddr(t), s.path("access.log")
		p := s.start("operations", `":8080"`, "127.0.0.1:0", "127.0.0.1:9901", admin, "path: stdout", "path: "+log, "127.0.0.1:9000", s.endpoint("api"), "drain_delay: 5s", "drain_delay: 0s")
		a, o := s.plain(p.addr), s.plain(admin)
		require.Equal(t, "it works", a.get("/"))
		require.Contains(t, a.get("/api/x"), "at=api")
		require.Contains(t, o.get("/metrics"), "blitz_requests_total 2\n")
		require.Equal(t, 200, o.ask("GET", "/readyz", "").StatusCode)
		require.Contains(t, []int{401, 403}, o.ask("POST", "/config/reload", "").StatusCode, "without the token")
		require.Equal(t, 200, o.ask("POST", "/config/reload", "", "Authorization: Bearer change-this-to-a-secret-of-your-own").StatusCode)
		b, err := os.ReadFile(s.path("blitz.yaml"))
		require.NoError(t, err)
		s.write("blitz.yaml", strings.Replace(string(b), "it works", "it has changed", 1)) // it is read when it changes
		a.until("/", "it has changed")
		logged(t, log, `"path":"/api/x"`)
	},
	"pinned": func(t *testing.T, s *stage) {
		up := s.endpoint("app")
		p := s.start("pinned", "count: 4", "count: 1", "cpus: 0-3", "cpus: 0", ":8080", "127.0.0.1:0", "10.0.0.10:9000", up, "10.0.0.11:9000", s.endpoint("other"))
		a := s.plain(p.addr)
		require.NotEqual(t, a.ask("GET", "/x", "").where(), a.ask("GET", "/x", "").where())
		require.Contains(t, p.log(), "engine=uring")
	},
	"proxy": func(t *testing.T, s *stage) {
		p := s.start("proxy", "0.0.0.0:8080", "127.0.0.1:0", "127.0.0.1:9000", s.endpoint("large"), "127.0.0.1:9001", s.endpoint("small"), "localhost:3000", s.endpoint("site"),
			"path: stdout", "path: "+s.path("access.log"))
		a := s.plain(p.addr)
		seen := map[string]int{}
		for range 9 {
			seen[a.ask("GET", "/users/7/posts", "", "Host: api.example.com").where()]++
		}
		require.Equal(t, map[string]int{"large": 6, "small": 3}, seen, "two of three")
		require.Equal(t, "site", a.ask("DELETE", "/users/7/posts", "", "Host: api.example.com").where(), "the other methods")
		require.Contains(t, a.get("/x", "Host: shop.example.com"), "at=site")
		require.Equal(t, "https://www.example.com/", a.ask("GET", "/", "", "Host: old.example.com").Header.Get("Location"))
		require.Equal(t, "ok\n", a.get("/health"))
		body := strings.Repeat("x", 11e6)
		require.Equal(t, 200, a.ask("PUT", "/v1/uploads/a", body, "Host: api.example.com").StatusCode, "its own limit")
		require.Contains(t, raw(t, p.addr, "PUT /v1/a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 11000000\r\n\r\n"), "413 ")
	},
	"tls": func(t *testing.T, s *stage) {
		s.certificates("edge", "shop")
		p := s.start("tls", ":8443", "127.0.0.1:0", "127.0.0.1:9000", s.endpoint("app"))
		r := s.plain(p.addr).ask("GET", "/x", "", "Host: example.com")
		require.Equal(t, "https://example.com/x", r.Header.Get("Location"))
		for _, name := range []string{"edge.test", "shop.test"} {
			r := s.secure(p.addr, name).ask("GET", "/x", "")
			require.Contains(t, r.text, "X-Forwarded-Proto: https")
			require.Equal(t, name, r.TLS.PeerCertificates[0].Subject.CommonName)
		}
	},
	"unix-socket": func(t *testing.T, s *stage) {
		ln, err := net.Listen("unix", s.path("app.sock"))
		require.NoError(t, err)
		srv := &http.Server{Handler: tell("app")}
		done := make(chan struct{})
		go func() { defer close(done); _ = srv.Serve(ln) }()
		t.Cleanup(func() { srv.Close(); <-done })
		p := s.start("unix-socket", "/run/blitz/edge.sock", s.path("edge.sock"), "127.0.0.1:8080", "127.0.0.1:0", "/run/app/http.sock", s.path("app.sock"))
		require.Contains(t, s.plain(p.listener("loopback")).get("/x", "X-Forwarded-For: 192.0.2.1"), "X-Forwarded-For: 192.0.2.1, 127.0.0.1")
		c, err := net.Dial("unix", s.path("edge.sock"))
		require.NoError(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(b), "HTTP/1.1 GET /socket")
	},
	"upstream-tls": func(t *testing.T, s *stage) {
		s.certificates("edge", "gateway")
		s.env = []string{"SSL_CERT_FILE=" + s.ca} // the authorities of the operating system
		one, two, partner := s.endpointTLS("edge", true, true), s.endpointTLS("edge", true, true), s.endpointTLS("edge", false, false)
		either := s.endpointTLS("edge", false, true)
		p := s.start("upstream-tls", ":8080", "127.0.0.1:0", "10.0.0.11:8443", one, "10.0.0.12:8443", two, "partner.example.com:443", "localhost:"+port(t, partner),
			"either.example.com:443", "localhost:"+port(t, either), "/etc/blitz/private-ca.pem", s.ca, "api.internal", "edge.test", "/etc/blitz/gateway", s.path("gateway"))
		a := s.plain(p.addr)
		text := a.get("/x")
		require.Contains(t, text, "from=gateway.test\nsni=edge.test\n")
		require.Contains(t, text, "HTTP/2.0 GET /x")
		text = a.get("/partner/x")
		require.Contains(t, text, "sni=localhost\n")
		require.Contains(t, text, "HTTP/1.1 GET /partner/x")
		require.Contains(t, a.get("/either/x"), "HTTP/2.0 GET /either/x")
	},
}

// Every example is started by the built gateway, with addresses and files of this machine, and does what its comments say.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, len(examples), "examples that are gone, or that nobody exercises")
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".yaml")
		exercise := examples[name]
		require.NotNil(t, exercise, "%s: nothing says what it should do", f)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exercise(t, newStage(t))
		})
	}
}

// service starts a name server whose services are at addr.
func (s *stage) service(addr string) string {
	s.t.Helper()
	n, err := net.LookupPort("tcp", port(s.t, addr))
	require.NoError(s.t, err)
	return s.names(uint16(n))
}

// health answers gRPC health checks of the service with SERVING, and gives all else to h.
func health(service string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/grpc.health.v1.Health/Check" {
			h(w, r)
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		if strings.Contains(string(b), service) {
			_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, 1}) // status: SERVING
			w.Header().Set("Grpc-Status", "0")
		} else {
			w.Header().Set("Grpc-Status", "5")
		}
	}
}

// sticks checks that a cookie binds a client to the endpoint that answered it first.
func sticks(t *testing.T, a *asker, path, cookie string) {
	t.Helper()
	r := a.ask("GET", path, "")
	require.Len(t, r.Cookies(), 1, r.text)
	c := r.Cookies()[0]
	require.Equal(t, cookie, c.Name)
	for range 5 {
		require.Equal(t, r.where(), a.ask("GET", path, "", "Cookie: "+cookie+"="+c.Value).where())
	}
}

// logged waits until a log, which is written in batches, has words in it.
func logged(t *testing.T, file, words string) {
	t.Helper()
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b), words)
	}, patience, 5*time.Millisecond, words)
}
