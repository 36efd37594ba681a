package floor

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func start(t *testing.T, o Options) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Address = ln.Addr().(*net.TCPAddr).AddrPort()
	require.NoError(t, ln.Close())
	ready, done := make(chan *Server), make(chan error, 1)
	go func() {
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
	return "http://" + o.Address.String()
}

func body(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
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
