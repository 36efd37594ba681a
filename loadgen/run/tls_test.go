package run

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

func tlsServer(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestHTTP1OverTLS(t *testing.T) {
	body := strings.Repeat("0123456789", 5000) // several records, several buffers
	s := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	for name, p := range map[string]tlsconf.Policy{
		"TLSv1.3": {MinVersion: "1.3", ALPN: []string{"http/1.1"}},
		"TLSv1.2": {Suites12: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, Groups: []string{"P-256"}},
	} {
		cfg := clientTLS(t, p)
		if name == "TLSv1.2" {
			cfg.MaxVersion = tls.VersionTLS12
		}
		eachEngine(t, func(t *testing.T, engine string) {
			for _, perRequest := range []bool{false, true} {
				w, err := workload.New(workload.Spec{URL: s.URL, Close: perRequest})
				require.NoError(t, err)
				r := do(t, Options{
					Workload: w, TLS: cfg, Rate: 100, Engine: engine, Duration: 200 * time.Millisecond, ExpectStatus: 200, ExpectBody: int64(len(body)),
					PerRequest: perRequest,
				}).Record
				require.Zero(t, r.Errors.Total(), r.Errors.Samples)
				require.Equal(t, r.Counts.Requests, r.Counts.Completed)
				require.Equal(t, name, r.TLS.Version)
				require.True(t, r.TLS.Unverified)
				if name == "TLSv1.2" {
					require.Equal(t, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", r.TLS.Suite)
				}
				require.Equal(t, r.Connections.Opened, r.TLS.Handshakes)
			}
		})
	}
}

// A request is a handshake: full ones, and such as resume the session of the first.
func TestHandshakes(t *testing.T) {
	s := tlsServer(t, func(http.ResponseWriter, *http.Request) { t.Error("nothing was to be requested") })
	eachEngine(t, func(t *testing.T, engine string) {
		for _, resume := range []bool{false, true} {
			r := do(t, Options{
				Workload: newWorkload(t, s.URL), TLS: clientTLS(t, tlsconf.Policy{}), Handshakes: true, Resume: resume, Rate: 100, Engine: engine,
				Duration: 200 * time.Millisecond, ExpectBody: 5,
			}).Record
			require.Zero(t, r.Errors.Total(), r.Errors.Samples)
			require.Equal(t, r.Counts.Requests, r.Counts.Completed)
			require.Equal(t, r.Counts.Completed+1, r.TLS.Handshakes, "and the one before the run")
			require.Empty(t, r.Counts.ByCode)
			if resume {
				require.Equal(t, r.Counts.Completed, r.TLS.Resumed)
			} else {
				require.Zero(t, r.TLS.Resumed)
			}
		}
	})
	closed := do(t, Options{
		Workload: newWorkload(t, s.URL), TLS: clientTLS(t, tlsconf.Policy{}), Handshakes: true, Closed: true, Duration: time.Second,
	}).Record
	require.Zero(t, closed.Errors.Total(), closed.Errors.Samples)
	require.Greater(t, closed.Counts.Completed, int64(4), "a connection ends when its handshake has")
}

// Sessions that are not resumed are errors, and so is a server without tickets.
func TestSessionsThatAreNotResumed(t *testing.T) {
	var fresh int
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := tlsServer(t, func(http.ResponseWriter, *http.Request) {})
	base := &tls.Config{Certificates: s.TLS.Certificates}
	tl := tls.NewListener(l, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		fresh++ // every connection has keys of its own; one goroutine accepts and shakes hands
		c := base.Clone()
		c.SetSessionTicketKeys([][32]byte{{byte(fresh), byte(fresh >> 8)}})
		return c, nil
	}})
	t.Cleanup(func() { tl.Close() })
	go func() {
		for {
			c, err := tl.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_ = c.(*tls.Conn).Handshake()
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	r := do(t, Options{
		Workload: newWorkload(t, "https://"+l.Addr().String()), TLS: clientTLS(t, tlsconf.Policy{}), Handshakes: true, Resume: true, Rate: 50,
		Connections: 1, Duration: 100 * time.Millisecond,
	}).Record
	require.NotZero(t, r.Errors.TLS)
	require.Zero(t, r.Counts.Completed)
	require.Contains(t, strings.Join(r.Errors.Samples, "\n"), "did not resume")

	without := httptest.NewUnstartedServer(http.NotFoundHandler())
	without.TLS = &tls.Config{SessionTicketsDisabled: true}
	without.StartTLS()
	t.Cleanup(without.Close)
	_, err = Run(t.Context(), Options{
		Workload: newWorkload(t, without.URL), TLS: clientTLS(t, tlsconf.Policy{}), Handshakes: true, Resume: true, Rate: 50, Connections: 1,
		Duration: 100 * time.Millisecond, Timeout: 200 * time.Millisecond,
	})
	require.ErrorContains(t, err, "session ticket")
}

// What is wrong with a server's TLS is said, before the run, or in the errors of its requests.
func TestTLSErrors(t *testing.T) {
	s := tlsServer(t, func(http.ResponseWriter, *http.Request) {})
	good := clientTLS(t, tlsconf.Policy{ALPN: []string{"http/1.1"}})
	checked := good.Clone()
	checked.InsecureSkipVerify, checked.ServerName = false, "127.0.0.1"
	plain := newHTTPServer(t, hello)
	for name, tt := range map[string]struct {
		url, alpn string
		cfg       *tls.Config
		want      string
	}{
		"unknown authority": {s.URL, "", checked, "not accepted"},
		"no TLS":            {strings.Replace(plain.url, "http:", "https:", 1), "", good, "not_tls"},
		"no h2":             {s.URL, "h2", good, "did not agree to the application protocol h2"},
		"hangs up": {strings.Replace(badServer(t, func(_ net.Listener, c *net.TCPConn) { request(c) }), "http:", "https:", 1), "", good,
			"in the middle of the TLS handshake"},
		"alert": {strings.Replace(badServer(t, func(_ net.Listener, c *net.TCPConn) {
			request(c)
			_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
		}), "http:", "https:", 1), "", good, "handshake_failure"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run(t.Context(), Options{
				Workload: newWorkload(t, tt.url), TLS: tt.cfg, ALPN: tt.alpn, Rate: 10, Connections: 1, Duration: time.Second, ExpectBody: -1,
			})
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// middle is a proxy that tampers with what the server says after so many bytes: it cuts it off, or damages a byte.
func middle(t *testing.T, to string, after int, cut bool) string {
	return badServer(t, func(_ net.Listener, c *net.TCPConn) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer up.Close()
		go func() { _, _ = io.Copy(up, c) }()
		_, _ = io.CopyN(c, up, int64(after))
		if cut {
			return
		}
		b := make([]byte, 1<<10)
		for {
			n, err := up.Read(b)
			if err != nil {
				return
			}
			b[n-1] ^= 1
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	})
}

// Records that are damaged or cut off within a response are never taken for one.
func TestDamagedAndTruncatedRecords(t *testing.T) {
	s := tlsServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush() // no Content-Length …
		_, _ = w.Write(make([]byte, 100<<10))
	})
	for _, cut := range []bool{true, false} {
		url := "https" + strings.TrimPrefix(middle(t, s.Listener.Addr().String(), 20<<10, cut), "http")
		eachEngine(t, func(t *testing.T, engine string) {
			r := do(t, Options{
				Workload: newWorkload(t, url), TLS: clientTLS(t, tlsconf.Policy{}), Rate: 50, Connections: 2, Engine: engine, Duration: 200 * time.Millisecond,
			}).Record
			kind := func(e runfmt.Errors) int64 { return e.Protocol }
			if cut {
				kind = func(e runfmt.Errors) int64 { return e.Reset }
			}
			require.NotZero(t, r.Counts.Sent)
			require.Equal(t, r.Counts.Sent, kind(r.Errors), "%+v", r.Errors)
		})
	}
}
