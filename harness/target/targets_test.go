package target_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/caddy"
	"github.com/blitz-gateway/blitz/harness/target/envoy"
	"github.com/blitz-gateway/blitz/harness/target/h2o"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
)

var foreign = []target.Target{nginx.New(), haproxy.New(), h2o.New(), envoy.New(), caddy.New()}

// origin answers every path with a body of 1 MiB and notes what it was sent.
type origin struct {
	addr  *net.TCPAddr
	conns atomic.Int32
	last  atomic.Pointer[http.Request]
	body  []byte
}

func newOrigin(t *testing.T) *origin {
	o := &origin{body: bytes.Repeat([]byte("0123456789abcdef"), 1<<16)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.last.Store(r)
		w.Header().Set("Content-Length", fmt.Sprint(len(o.body)))
		_, _ = w.Write(o.body)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			o.conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	o.addr = s.Listener.Addr().(*net.TCPAddr)
	return o
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Each system that is installed must do with its tuned configuration what the rules of the package promise.
func TestTunedConfigurations(t *testing.T) {
	own := ownBlitz(t)
	for _, sys := range append([]target.Target{blitz.New("blitz", own)}, foreign...) {
		t.Run(sys.Name(), func(t *testing.T) {
			bin, err := sys.Locate(context.Background())
			if err != nil {
				t.Skipf("%v: its configuration was not tried by the program itself", err)
			}
			t.Log(bin.Version)
			o := newOrigin(t)
			set := proc.NewSet(nil)
			defer func() { assert.NoError(t, set.Close()) }()
			run, err := target.Start(set, sys, bin, target.Plan{
				Dir: t.TempDir(), Host: "127.0.0.1", Port: freePort(t), OriginHost: "127.0.0.1", OriginPort: o.addr.Port, CPUs: []int{0},
			})
			require.NoError(t, err)
			require.NoError(t, run.AwaitReady(context.Background(), target.StaticPath, 10*time.Second))

			tr := &http.Transport{DisableCompression: true}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
			get := func(path string) (*http.Response, []byte) {
				res, err := c.Get("http://" + run.Plan.Addr() + path)
				require.NoError(t, err)
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				return res, b
			}

			res, body := get(target.StaticPath)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, target.StaticBody, string(body))
			assert.EqualValues(t, len(target.StaticBody), res.ContentLength)
			assert.False(t, res.Close, "the connection is kept")

			before := o.conns.Load()
			for range 20 {
				res, body = get("/large")
				require.Equal(t, 200, res.StatusCode)
				require.True(t, bytes.Equal(o.body, body))
			}
			assert.EqualValues(t, 1, o.conns.Load()-before, "one upstream connection serves requests in turn")
			got := o.last.Load()
			assert.Equal(t, "HTTP/1.1", got.Proto)
			assert.Equal(t, "127.0.0.1", got.Header.Get("X-Forwarded-For"))
			assert.Equal(t, "http", got.Header.Get("X-Forwarded-Proto"))

			pids, err := run.PIDs()
			require.NoError(t, err)
			assert.NotEmpty(t, pids)
			require.NoError(t, run.Stop())
			_, err = net.DialTimeout("tcp", run.Plan.Addr(), time.Second)
			assert.Error(t, err, "nobody listens any more")
		})
	}
}

// Every template renders for both kinds of scenario, with the addresses in it and nothing of the origin where there is none.
func TestTemplatesRender(t *testing.T) {
	p := target.Plan{Dir: "/run/x", Host: "127.0.0.1", Port: 18123, CPUs: []int{2, 3}}
	for _, sys := range append(foreign, blitz.New("blitz", "blitz")) {
		static, err := sys.Render(p)
		require.NoError(t, err)
		p.OriginHost, p.OriginPort = "127.0.0.1", 18456
		proxied, err := sys.Render(p)
		require.NoError(t, err)
		p.OriginPort = 0
		for _, l := range []target.Launch{static, proxied} {
			require.NotEmpty(t, l.Files, sys.Name())
			text := l.Files[0].Text
			assert.Contains(t, text, "18123", sys.Name())
			assert.Contains(t, text, target.StaticBody, sys.Name())
			assert.NotContains(t, text, "{{", sys.Name())
			assert.NotContains(t, text, "<no value>", sys.Name())
		}
		assert.NotContains(t, static.Files[0].Text, "origin", sys.Name())
		assert.Contains(t, proxied.Files[0].Text, "18456", sys.Name())
	}
	l, err := nginx.New().Render(p)
	require.NoError(t, err)
	assert.Contains(t, l.Files[0].Text, "worker_cpu_affinity 100 1000;")
}

func TestFailuresAreExplained(t *testing.T) {
	_, err := target.LocateBy(context.Background(), "no-such-server", "x")
	require.ErrorIs(t, err, target.ErrNotFound)
	_, err = target.LocateBy(context.Background(), "sh", "version", "-c", "echo nothing")
	require.Error(t, err)
	assert.NotErrorIs(t, err, target.ErrNotFound, "it is there, but says no version")

	set := proc.NewSet(nil)
	defer set.Close()
	start := func(script string) *target.Running {
		r, err := target.Start(set, fake(script), target.Binary{Path: "/bin/sh"}, target.Plan{Dir: t.TempDir(), Host: "127.0.0.1", Port: freePort(t)})
		require.NoError(t, err)
		return r
	}
	err = start("echo bad config >&2; exit 1").AwaitReady(context.Background(), "/", 10*time.Second)
	assert.ErrorContains(t, err, "bad config")
	err = start("echo still loading; sleep 600").AwaitReady(context.Background(), "/", 100*time.Millisecond)
	assert.ErrorContains(t, err, "did not answer")
}

// fake is a target that is a shell script.
type fake string

func (fake) Name() string                                  { return "fake" }
func (fake) Locate(context.Context) (target.Binary, error) { return target.Binary{}, nil }
func (f fake) Render(target.Plan) (target.Launch, error) {
	return target.Launch{Args: []string{"-c", string(f)}}, nil
}
func (f fake) String() string { return strings.TrimSpace(string(f)) }

// testPair is the pair of Go's test server.
func testPair(t *testing.T) *target.Pair {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	c := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	return &target.Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
}

func port(t *testing.T, raw string) int {
	u, err := url.Parse(raw)
	require.NoError(t, err)
	n, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return n
}
