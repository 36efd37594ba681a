package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

func at(t *testing.T, addr string) *endpoint.Endpoint {
	t.Helper()
	a, err := netip.ParseAddrPort(addr)
	require.NoError(t, err)
	return endpoint.New(addr, loop.Addr{TCP: a}, 1)
}

func check(h cluster.HealthCheck, e *endpoint.Endpoint) error {
	if h.Timeout == 0 {
		h.Timeout = 10 * time.Second
	}
	if h.Statuses == nil {
		h.Statuses = [][2]int{{200, 299}}
	}
	if h.Path == "" {
		h.Path = "/ready"
	}
	return Check(context.Background(), &h, e)
}

func handler(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ready":
		fmt.Fprint(w, "I am fine")
	case "/host":
		fmt.Fprint(w, r.Host)
	case "/chunked":
		for range 3 {
			fmt.Fprint(w, "a piece ")
			w.(http.Flusher).Flush()
		}
	case "/large":
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20)+"end")
	case "/hint":
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(handler))
	defer s.Close()
	e := at(t, s.Listener.Addr().String())
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP}, e))
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/hint"}, e))
	require.EqualError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/no"}, e), "status 503")
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/no", Statuses: [][2]int{{200, 200}, {500, 503}}}, e))
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Body: "fine"}, e))
	require.EqualError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Body: "ill"}, e), `the body does not contain "ill"`)
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/chunked", Body: "piece a piece"}, e))
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/host", Host: "api.example.com", Body: "api.example.com"}, e))
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Path: "/large", Body: "end"}, e), "only the beginning is looked at")
}

func TestHTTPOfServersThatMisbehave(t *testing.T) {
	for name, answer := range map[string]string{
		"closes": "", "speaks nonsense": "nonsense\r\n\r\n", "never ends its head": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20),
		"is cut off": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfi",
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = io.WriteString(c, answer)
			_ = c.Close()
		}()
		require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Body: "fine"}, at(t, ln.Addr().String())), name)
		ln.Close()
	}
}

func TestTCPAndTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts: the kernel does
	require.NoError(t, err)
	e := at(t, ln.Addr().String())
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckTCP}, e))
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Timeout: 20 * time.Millisecond}, e), "it does not answer")
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckGRPC, Timeout: 20 * time.Millisecond}, e))
	ln.Close()
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckTCP}, e))
	// Another port.
	s := httptest.NewServer(http.HandlerFunc(handler))
	defer s.Close()
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, Port: port}, e))
}

func TestOverTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(handler))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	e := at(t, s.Listener.Addr().String())
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, TLS: &tls.Config{RootCAs: roots}}, e))
	require.NoError(t, check(cluster.HealthCheck{Protocol: cluster.CheckTCP, TLS: &tls.Config{InsecureSkipVerify: true}}, e))
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckTCP, TLS: &tls.Config{}}, e), "an unknown authority")
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckHTTP, TLS: &tls.Config{RootCAs: roots, ServerName: "other.test"}}, e))
}

// grpcHealth answers as grpc.health.v1 does, for the services "up" and "down".
func grpcHealth(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Content-Type") != "application/grpc" || r.Header.Get("Te") != "trailers" || len(b) < 5 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "grpc-status")
	service := ""
	if len(b) > 7 {
		service = string(b[7:])
	}
	status := "0"
	switch service {
	case "", "up":
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, 1})
	case "down":
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, 2})
	default:
		status = "5"
	}
	w.Header().Set("grpc-status", status)
}

func TestGRPC(t *testing.T) {
	plain := httptest.NewUnstartedServer(http.HandlerFunc(grpcHealth))
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(grpcHealth))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	for s, conf := range map[*httptest.Server]*tls.Config{plain: nil, secure: {InsecureSkipVerify: true}} {
		e := at(t, s.Listener.Addr().String())
		h := cluster.HealthCheck{Protocol: cluster.CheckGRPC, TLS: conf}
		require.NoError(t, check(h, e))
		h.Service = "up"
		require.NoError(t, check(h, e))
		h.Service = "down"
		require.EqualError(t, check(h, e), "serving status 2")
		h.Service = "unknown"
		require.EqualError(t, check(h, e), `grpc-status "5"`)
	}
	h1 := httptest.NewServer(http.HandlerFunc(handler))
	defer h1.Close()
	require.Error(t, check(cluster.HealthCheck{Protocol: cluster.CheckGRPC}, at(t, h1.Listener.Addr().String())), "it speaks HTTP/1.1 only")
}

func TestServingStatus(t *testing.T) {
	good, err := servingStatus([]byte{0, 0, 0, 0, 6, 0x12, 2, 'h', 'i', 8, 1})
	require.NoError(t, err, "unknown fields are skipped")
	require.EqualValues(t, 1, good)
	none, err := servingStatus([]byte{0, 0, 0, 0, 0})
	require.NoError(t, err)
	require.Zero(t, none)
	whole := []byte{0, 0, 0, 0, 6, 0x12, 2, 'h', 'i', 8, 1}
	for n := range whole {
		_, err := servingStatus(whole[:n])
		require.Error(t, err)
	}
	for _, bad := range [][]byte{{1, 0, 0, 0, 2, 8, 1}, {0, 0, 0, 0, 2, 0x12, 9}, {0, 0, 0, 0, 1, 0x80}, {0, 0, 0, 0, 2, 0x0d, 1}} {
		_, err := servingStatus(bad)
		require.Error(t, err)
	}
}
