package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

func start(t *testing.T, addr loop.Addr) *Server {
	t.Helper()
	s, err := Start(addr, Options{Registry: telemetry.NewRegistry("test", time.Now()), Endpoints: []Endpoint{echo}, Token: func() string { return token }})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

const token = "a token of sixteen or more"

// echo is a change that answers with its body.
var echo = Endpoint{"POST", "/echo", "", func(_ context.Context, r *Request) Response {
	return Response{200, Text, append(r.Body, r.Param("more")...)}
}}

func TestChangesNeedTheToken(t *testing.T) {
	s := start(t, loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:0")})
	ask := func(method, auth, body string) (int, string) {
		q, err := http.NewRequest(method, "http://"+s.Addr().String()+"/echo?more=x", strings.NewReader(body))
		require.NoError(t, err)
		if auth != "" {
			q.Header.Set("Authorization", auth)
		}
		r, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
	for _, bad := range []string{"", "Bearer", "Bearer ", "Bearer nonsense", "Basic " + token, "Bearer " + token + "x"} {
		status, _ := ask("POST", bad, "")
		require.Equal(t, 401, status, bad)
	}
	status, _ := ask("GET", "Bearer "+token, "")
	require.Equal(t, 405, status)
	long := strings.Repeat("0123456789", 100_000)
	status, body := ask("POST", "Bearer "+token, long)
	require.Equal(t, 200, status)
	require.Equal(t, long+"x", body)
	s.opt.Token = nil
	status, body = ask("POST", "Bearer ", "")
	require.Equal(t, 403, status)
	require.Contains(t, body, "admin.token")
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

func TestAnswers(t *testing.T) {
	s := start(t, loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:0")})
	url := "http://" + s.Addr().String()
	status, body := get(t, url+"/metrics")
	require.Equal(t, 200, status)
	require.Contains(t, body, `blitz_build_info{version="test"`)
	status, body = get(t, url+"/healthz?verbose")
	require.Equal(t, 200, status)
	require.Equal(t, "ok\n", body)
	status, _ = get(t, url+"/secret")
	require.Equal(t, 404, status)

	r, err := http.Post(url+"/metrics", "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, 405, r.StatusCode)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))

	r, err = http.Head(url + "/metrics")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, 200, r.StatusCode)
	require.Positive(t, r.ContentLength)
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	s := start(t, loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:0")})
	for _, request := range []string{"GET /metrics HTTP/1.1\r\n\r\n", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", maxHead)} {
		c, err := net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(15*time.Second)))
		_, err = io.WriteString(c, request)
		require.NoError(t, err)
		b, _ := io.ReadAll(c) // a reset may follow the answer
		require.Contains(t, string(b), "HTTP/1.1 4")
		require.NoError(t, c.Close())
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	for range 2 { // the second finds the file of the first
		s := start(t, loop.Addr{Unix: path})
		c, err := net.Dial("unix", path)
		require.NoError(t, err)
		_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(b), "\r\n\r\nok\n")
		require.NoError(t, c.Close())
		s.Close()
	}
}
