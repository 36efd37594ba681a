package origin

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
)

func serverTLS(t *testing.T) *tls.Config {
	pair, err := tlsconf.SelfSigned("127.0.0.1")
	require.NoError(t, err)
	cfg, _, err := (&tlsconf.Server{
		Policy: tlsconf.Policy{ALPN: []string{"h2", "http/1.1"}}, Pairs: []*tls.Certificate{pair}, Tickets: tlsconf.NewTickets(),
	}).Build()
	require.NoError(t, err)
	return cfg
}

// h2Client is Go's client of HTTP/2, or of HTTP/1.1, that accepts any certificate.
func h2Client(t *testing.T, http1 bool) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	tr.Protocols.SetHTTP1(http1)
	tr.Protocols.SetHTTP2(!http1)
	tr.Protocols.SetUnencryptedHTTP2(!http1)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// The paths mean the same in HTTP/2, plain and over TLS, and in HTTP/1.1 over TLS.
func TestPathsInHTTP2AndOverTLS(t *testing.T) {
	big := strings.Repeat("x", 300_000)
	tests := []struct {
		method, path, body string
		status             int
		size               int64
		is                 string
	}{
		{"GET", "/", "", 200, 100, ""},
		{"HEAD", "/", "", 200, 0, ""},
		{"POST", "/", big, 200, 100, ""},
		{"GET", "/bytes/0", "", 200, 0, ""},
		{"GET", "/bytes/3000001", "", 200, 3000001, ""},
		{"GET", "/bytes/x", "", 400, 0, ""},
		{"GET", "/chunked/100000", "", 200, 100000, ""},
		{"GET", "/chunked/0", "", 200, 0, ""},
		{"POST", "/echo", big, 200, 300_000, big},
		{"POST", "/echo", "", 200, 0, ""},
		{"GET", "/status/503", "", 503, 0, ""},
		{"GET", "/status/204", "", 204, 0, ""},
		{"GET", "/delay/5ms", "", 200, 100, ""},
		{"GET", "/close", "", 200, 100, ""},
		{"GET", "/", "", 200, 100, ""},
	}
	for name, tt := range map[string]struct {
		tls, http1 bool
	}{"h2c": {}, "h2": {tls: true}, "https": {true, true}} {
		t.Run(name, func(t *testing.T) {
			o := Options{BodySize: 100}
			if tt.tls {
				o.TLS = serverTLS(t)
			}
			eachEngine(t, o, func(t *testing.T, base string) {
				if tt.tls {
					base = "https" + strings.TrimPrefix(base, "http")
				}
				c := h2Client(t, tt.http1)
				for _, r := range tests {
					var body io.Reader
					if r.body != "" {
						body = strings.NewReader(r.body)
					}
					req, err := http.NewRequest(r.method, base+r.path, body)
					require.NoError(t, err)
					res, err := c.Do(req)
					require.NoError(t, err, r.path)
					b, err := io.ReadAll(res.Body)
					require.NoError(t, err, r.path)
					res.Body.Close()
					require.Equal(t, map[bool]int{true: 1, false: 2}[tt.http1], res.ProtoMajor)
					require.Equal(t, r.status, res.StatusCode, r.path)
					require.Len(t, b, int(r.size), r.path)
					if r.is != "" {
						require.True(t, r.is == string(b))
					}
				}
			})
		})
	}
}

// Many requests at once on one connection, some slow, some large: each gets its own answer.
func TestManyStreams(t *testing.T) {
	eachEngine(t, Options{BodySize: 10, TLS: serverTLS(t)}, func(t *testing.T, base string) {
		c := h2Client(t, false)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				want, path := i*1000, fmt.Sprintf("/bytes/%d", i*1000)
				if i%3 == 0 {
					want, path = 10, "/delay/20ms"
				}
				res, err := c.Get("https" + strings.TrimPrefix(base, "http") + path)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if b, err := io.ReadAll(res.Body); err != nil || len(b) != want {
					t.Errorf("%s: %d bytes, %v", path, len(b), err)
				}
			})
		}
		wg.Wait()
	})
}

func TestUnaryCalls(t *testing.T) {
	eachEngine(t, Options{BodySize: 50}, func(t *testing.T, base string) {
		c := h2Client(t, false)
		message := append([]byte{0, 0, 0, 0, 3}, "abc"...)
		for path, want := range map[string][]byte{"/t.T/Echo": message, "/t.T/Get": append([]byte{0, 0, 0, 0, 50}, filler[:50]...)} {
			req, err := http.NewRequest("POST", base+path, bytes.NewReader(message))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/grpc+proto")
			req.Header.Set("Te", "trailers")
			res, err := c.Do(req)
			require.NoError(t, err)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			require.Equal(t, want, b)
			require.Equal(t, "application/grpc", res.Header.Get("Content-Type"))
			require.Equal(t, "0", res.Trailer.Get("Grpc-Status"))
		}
	})
}
