package floor

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
)

func start(t *testing.T, o Options) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Address = ln.Addr().(*net.TCPAddr).AddrPort()
	require.NoError(t, ln.Close())
	ready, done := make(chan *Server), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // handshakes are coroutines
		s, err := New(o)
		ready <- s
		if err == nil {
			err = s.Run()
		}
		done <- err
	}()
	s := <-ready
	t.Cleanup(func() {
		if s != nil {
			s.Stop()
		}
		require.NoError(t, <-done)
	})
	require.NotNil(t, s)
	if o.TLS != nil {
		return "https://" + o.Address.String()
	}
	return "http://" + o.Address.String()
}

func body(t *testing.T, url string) string {
	t.Helper()
	return ask(t, http.DefaultClient, url)
}

func ask(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	r, err := c.Get(url)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func TestFloorAnswersAndPassesOn(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	defer origin.Close()
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			url := start(t, Options{Body: "Hello, World!", Engine: engine})
			for range 3 {
				require.Equal(t, "Hello, World!", body(t, url+"/"))
			}
			url = start(t, Options{Upstream: netip.MustParseAddrPort(origin.Listener.Addr().String()), Engine: engine})
			require.Equal(t, "/a", body(t, url+"/a"))
			require.Equal(t, "/b", body(t, url+"/b"))
		})
	}
}

// secured is a server's configuration, as the command makes it.
func secured(t *testing.T) *tls.Config {
	t.Helper()
	pair, err := tlsconf.SelfSigned("127.0.0.1")
	require.NoError(t, err)
	b := tlsconf.Server{Policy: tlsconf.Policy{ALPN: []string{"h2", "http/1.1"}}, Tickets: tlsconf.NewTickets(), Pairs: []*tls.Certificate{pair}}
	cfg, _, err := b.Build()
	require.NoError(t, err)
	return cfg
}

// Requests at once in HTTP/2, by prior knowledge and over TLS: the header blocks of the later ones count on the client's dynamic table.
func TestFloorAnswersInHTTP2(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		for _, cfg := range []*tls.Config{nil, secured(t)} {
			url := start(t, Options{Body: "Hello, World!", Engine: engine, TLS: cfg})
			tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxConnsPerHost: 1} // the certificate is ours
			tr.Protocols.SetHTTP2(true)
			tr.Protocols.SetUnencryptedHTTP2(true)
			t.Cleanup(tr.CloseIdleConnections)
			c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					r, err := c.Get(url + "/hello")
					if !assert.NoError(t, err) {
						return
					}
					defer r.Body.Close()
					b, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					assert.Equal(t, "Hello, World!", string(b))
					assert.Equal(t, 2, r.ProtoMajor)
					assert.EqualValues(t, 13, r.ContentLength)
				})
			}
			wg.Wait()
		}
	}
}

// What is cut into single bytes is answered like what comes at once, PING included.
func TestFramesByteByByte(t *testing.T) {
	in := []byte(h2.Preface)
	in = h2.AppendSettings(in, h2.Setting{ID: 3, Value: 100})
	in = h2.AppendPing(in, 0, 0x0102030405060708)
	in = h2.AppendFrame(in, h2.FrameHeaders, h2.FlagEndHeaders|h2.FlagEndStream, 1, []byte{0x82, 0x86, 0x84})
	in = h2.AppendPing(in, h2.FlagAck, 1)
	in = h2.AppendFrame(in, h2.FrameHeaders, h2.FlagEndHeaders, 3, []byte{0x83, 0x86, 0x84})
	in = h2.AppendFrame(in, h2.FrameData, h2.FlagEndStream, 3, []byte("abc"))
	at := func(pieces ...[]byte) (out []byte) {
		var f frames
		out = f.begin(out, pieces[0])
		require.True(t, f.speaks)
		for _, p := range pieces {
			out = f.answer(out, p, response("x"))
		}
		return out
	}
	want := h2.AppendSettings(nil)
	want = h2.AppendFrame(want, h2.FrameSettings, h2.FlagAck, 0, nil)
	want = h2.AppendPing(want, h2.FlagAck, 0x0102030405060708)
	for _, stream := range []uint32{1, 3} {
		want = h2.AppendFrame(want, h2.FrameHeaders, h2.FlagEndHeaders, stream, []byte("\x88\x0f\x10\x0atext/plain\x0f\x0d\x011"))
		want = h2.AppendFrame(want, h2.FrameData, h2.FlagEndStream, stream, []byte("x"))
	}
	require.Equal(t, want, at(in))
	pieces := [][]byte{in[:4]}
	for i := 4; i < len(in); i++ {
		pieces = append(pieces, in[i:i+1])
	}
	require.Equal(t, want, at(pieces...))
}

// The last bytes of a side that has closed arrive at the other one, in the clear and over TLS, and the connection ends behind them.
func TestFloorPassesTheEndOnBehindTheBytes(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 1<<17)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, large)
	}))
	defer origin.Close()
	for _, engine := range []string{"uring", "epoll"} {
		for _, cfg := range []*tls.Config{nil, secured(t)} {
			url := start(t, Options{Upstream: netip.MustParseAddrPort(origin.Listener.Addr().String()), Engine: engine, TLS: cfg})
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the certificate is ours
			t.Cleanup(tr.CloseIdleConnections)
			for range 3 {
				require.True(t, large == ask(t, &http.Client{Transport: tr, Timeout: 10 * time.Second}, url))
			}
		}
	}
}

// With Close, an answer announces the end of its connection, and the end follows.
func TestFloorCloses(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		url := start(t, Options{Body: "Hello, World!", Close: true, Engine: engine})
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		all, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(all), "\r\nConnection: close\r\n\r\nHello, World!")
	}
}
