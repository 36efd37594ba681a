//go:build linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything exercises the example that has every key.
func everything(t *testing.T, s *stage) {
	s.certificates("edge", "gateway")
	s.write("edge.ocsp", "nothing that an authority has signed")
	s.write("tickets.keys", strings.Repeat("42", 32)+"\n")
	terms, err := os.ReadFile("../../examples/everything.txt")
	require.NoError(t, err)
	s.write("everything.txt", string(terms))
	more, err := os.ReadFile("../../examples/everything.d/more.yaml")
	require.NoError(t, err)
	s.write("everything.d/more.yaml", string(more))
	s.write("endpoints.yaml", "endpoints: [{address: \""+s.endpoint("listed")+"\"}]")
	named := s.endpoint("named")
	live := s.upgrading("0")
	admin, log := freeAddr(t), s.path("access.log")
	s.env = []string{"ADMIN_ADDRESS=" + admin, "ADMIN_TOKEN=a-secret-of-this-test"}
	p := s.start("everything",
		"127.0.0.1:8080", "127.0.0.1:0", "127.0.0.1:8081", "127.0.0.1:0", "127.0.0.1:8443", "127.0.0.1:0", "127.0.0.1:8444", "127.0.0.1:0", "path: stdout", "path: "+log,
		"127.0.0.1:9000", live, "127.0.0.1:9001", s.upgrading("1"), "127.0.0.1:9002", s.upgrading("2"), "127.0.0.1:9003", s.upgrading("3"),
		"127.0.0.1:9010", s.endpointH2(health("shop.v1.Orders", tell("calls"))), "127.0.0.1:9020", s.endpointTLS("edge", true, true), "127.0.0.1:9030", s.endpointV2(),
		`server: 127.0.0.1:53, min`, "server: "+s.names(0)+", min", "server: 127.0.0.1:53}", "server: "+s.service(s.endpoint("service"))+"}",
		"api.internal:9000", "api.internal:"+port(t, named))
	a := s.plain(p.listener("edge"))
	t.Run("matching", func(t *testing.T) { everythingMatching(t, a) })
	t.Run("answers", func(t *testing.T) {
		require.Equal(t, "ok\n", a.get("/health"))
		require.Equal(t, "sent", a.ask("POST", "/echo/x", "sent").text)
		require.Equal(t, "from another file\n", a.get("/included"))
		require.Equal(t, strings.TrimSuffix(string(terms), "\n"), a.get("/notice"))
		r := a.ask("GET", "/terms", "")
		require.Equal(t, string(terms), r.text)
		require.Equal(t, "max-age=3600", r.Header.Get("Cache-Control"))
		for path, want := range map[string]string{"/login?a=b": "https://www.example.com/login?a=b", "/moved/7?a=b": "/items/7", "/docs/x?a=b": "/help/x?a=b"} {
			r := a.ask("GET", path, "", "Host: example.com")
			require.Equal(t, want, r.Header.Get("Location"), path)
			require.Contains(t, []int{301, 302, 308}, r.StatusCode)
		}
	})
	t.Run("clusters", func(t *testing.T) { everythingClusters(t, a) })
	t.Run("listeners", func(t *testing.T) { everythingListeners(t, s, p) })
	t.Run("upgrade", func(t *testing.T) {
		c, err := net.Dial("tcp", p.listener("edge"))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(c, "GET /live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nquiet\n")
		require.NoError(t, err)
		b := bufio.NewReader(c)
		r, err := http.ReadResponse(b, nil)
		require.NoError(t, err)
		require.Equal(t, 101, r.StatusCode)
		line, err := b.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "QUIET\n", line)
	})
	t.Run("admin", func(t *testing.T) {
		o := s.plain(admin)
		require.Contains(t, o.get("/metrics"), `blitz_cluster_endpoints{cluster="api",state="healthy"} 4`)
		require.Contains(t, o.get("/metrics"), `blitz_cluster_endpoints{cluster="by-header",state="healthy"} 3`)
		require.NotContains(t, o.get("/config"), "a-secret-of-this-test")
		require.NotContains(t, o.get("/metrics"), "blitz_mirror_requests_total 0\n")
		s.write("everything.d/more.yaml", strings.Replace(string(more), "another file", "a changed file", 1))
		require.Equal(t, 200, o.ask("POST", "/config/reload", "", "Authorization: Bearer a-secret-of-this-test").StatusCode)
		require.Equal(t, "from a changed file\n", a.get("/included"))
		logged(t, log, `"route":"beta"`)
	})
}

func everythingMatching(t *testing.T, a *asker) {
	const path = "/users/7/a?preview=12&lang=en&mode=full"
	fields := []string{"Host: a.example.com", "X-Beta: yes", "User-Agent: Test", "X-Version: 2.1", "X-User: 1", "X-Debug: on"}
	r := a.ask("GET", path, "", fields...)
	require.Contains(t, r.text, "GET /v2/users/7/a?id=7&preview=12&lang=en&mode=full\nHost: internal.a.example.com\n")
	for _, f := range []string{"X-Client: 127.0.0.1", "X-Route: beta", "X-Seen: Test", "X-Forwarded-Host: a.example.com"} {
		require.Contains(t, r.text, f+"\r\n")
	}
	require.NotContains(t, r.text, "X-Debug")
	require.Empty(t, r.Header.Get("Server"))
	require.Equal(t, "edge", r.Header.Get("X-Served"))
	id := r.Header.Get("X-Request-Id")
	require.Len(t, id, 32)
	require.Contains(t, r.text, "X-Request-Id: "+id)
	require.Contains(t, r.text, "Traceparent: 00-")
	// Every condition is one.
	for _, other := range [][]string{
		{path, "X-Beta: no"}, {path, "X-Legacy: 1"}, {path, "User-Agent: 1"}, {path, "X-Version: 3.1"}, {path, "Host: example.com"},
		{"/users/7/a?preview=2&lang=en&mode=full"}, {"/users/7/a?preview=1&lang=eng&mode=full"}, {"/users/7/a?preview=1&lang=en&mode=part"}, {path + "&debug=1"},
	} {
		changed := append([]string(nil), fields...)
		for _, f := range other[1:] {
			name, _, _ := strings.Cut(f, ":")
			for i := range changed {
				if strings.HasPrefix(changed[i], name+":") {
					changed[i] = f
				}
			}
			if name == "X-Legacy" {
				changed = append(changed, f)
			}
		}
		require.Contains(t, a.ask("GET", other[0], "", changed...).text, "GET "+other[0]+"\n", "%q", other)
	}
	require.Equal(t, 413, a.ask("POST", path, strings.Repeat("x", 2<<20), fields...).StatusCode)
	require.Contains(t, a.get("/old/x?q=1"), "GET /new/x\n")
	require.Contains(t, a.get("/any/v1/x"), "GET /any/x\n")
	require.Contains(t, a.get("/img/cat.png"), "GET /images/cat\n")
}

func everythingClusters(t *testing.T, a *asker) {
	for range 20 {
		require.Contains(t, []string{"0", "1"}, a.ask("GET", "/x", "").where(), "its own zone, and priority 0")
	}
	same := func(path string, field string) string {
		first := a.ask("GET", path, "", field).where()
		for range 5 {
			require.Equal(t, first, a.ask("GET", path, "", field).where(), path)
		}
		return first
	}
	differ := func(path func(i string) (path, field string)) {
		seen := map[string]bool{}
		for _, i := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			p, f := path(i)
			seen[same(p, f)] = true
		}
		require.Greater(t, len(seen), 1)
	}
	differ(func(i string) (string, string) { return "/by/header", "X-User: " + i })
	differ(func(i string) (string, string) { return "/by/cookie", "Cookie: user=" + i })
	differ(func(i string) (string, string) { return "/by/path/" + i, "X: y" })
	same("/by/source", "X: y")
	sticks(t, a, "/shop", "shop-at")
	c := a.ask("GET", "/shop", "").Cookies()[0]
	require.True(t, c.Secure)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.Equal(t, 24*3600, c.MaxAge)
	a.until("/listed", "at=listed")
	a.until("/named", "at=named")
	a.until("/services", "at=service")
	require.Contains(t, a.get("/shop.v1.Orders/Get"), "at=calls\nHTTP/2.0 GET")
	require.Contains(t, a.get("/private"), "from=gateway.test\nsni=edge.test\nat=tls\nHTTP/2.0 GET")
	require.Contains(t, a.get("/told"), "client=127.0.0.1:")
}

func everythingListeners(t *testing.T, s *stage, p *process) {
	r := s.h2(p.listener("edge")).ask("GET", "/health", "")
	require.Equal(t, "HTTP/2.0", r.Proto)
	text := raw(t, p.listener("balanced"), "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n")
	require.Contains(t, text, "X-Forwarded-For: 198.51.100.1, 192.0.2.7")

	edge := p.listener("secure")
	require.Equal(t, "https://example.com/x", s.plain(edge).ask("GET", "/x", "", "Host: example.com").Header.Get("Location"))
	pair, err := tls.LoadX509KeyPair(s.path("gateway.crt"), s.path("gateway.key"))
	require.NoError(t, err)
	secure := s.secure(edge, "edge.test", pair)
	r = secure.ask("GET", "/x", "")
	require.Contains(t, r.text, `Subject="CN=gateway.test"`)
	require.Empty(t, r.TLS.OCSPResponse)
	require.Contains(t, p.log(), "edge.ocsp", "a response that is unfit is left out, and the log says so")
	require.NotContains(t, s.secure(edge, "edge.test").get("/x"), "X-Forwarded-Client-Cert")
	_, err = s.secure(edge, "unknown.test").c.Get("https://" + edge)
	require.Error(t, err, "a name that no certificate has")
	conn, err := tls.Dial("tcp", edge, &tls.Config{RootCAs: s.roots(), ServerName: "edge.test", MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
	require.NoError(t, err)
	require.Equal(t, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, conn.ConnectionState().CipherSuite)
	conn.Close()

	trial := &stage{t: t} // trusts anybody
	require.Equal(t, "ok\n", trial.secure(p.listener("trial"), "localhost").get("/health"))
}

// upgrading starts an origin that also takes an upgrade, after which it answers in capitals.
func (s *stage) upgrading(name string) string {
	s.t.Helper()
	return origin(s.t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			tell(name)(w, r)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, b, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		if line, err := b.ReadString('\n'); err == nil {
			_, _ = io.WriteString(c, strings.ToUpper(line))
		}
	})
}
