package run

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/origin"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// eachEngine runs a test on every engine that runs here, both at once since they mostly wait. epoll runs everywhere; io_uring may be
// forbidden to this process.
func eachEngine(t *testing.T, f func(t *testing.T, engine string)) {
	t.Run("epoll", func(t *testing.T) {
		t.Parallel()
		f(t, "epoll")
	})
	t.Run("uring", func(t *testing.T) {
		t.Parallel()
		if _, err := loop.New(loop.Options{Engine: "uring"}); err != nil {
			t.Skipf("io_uring does not run here: %v", err)
		}
		f(t, "uring")
	})
}

func newWorkload(t *testing.T, url string) *workload.Workload {
	t.Helper()
	w, err := workload.New(workload.Spec{URL: url})
	require.NoError(t, err)
	return w
}

// do makes a run, and checks what holds for every record: it is consistent, and survives being written and read.
func do(t *testing.T, o Options) *Result {
	t.Helper()
	return doContext(t, t.Context(), o)
}

func doContext(t *testing.T, ctx context.Context, o Options) *Result {
	t.Helper()
	if o.ExpectBody == 0 {
		o.ExpectBody = -1
	}
	if o.Connections == 0 {
		o.Connections = 4
	}
	if o.MaxLateness == 0 {
		o.MaxLateness = time.Minute // the machine that runs the tests is busy
	}
	res, err := Run(ctx, o)
	require.NoError(t, err)
	var buf bytes.Buffer
	require.NoError(t, runfmt.Write(&buf, res.Record))
	back, err := runfmt.Read(&buf)
	require.NoError(t, err)
	require.Equal(t, res.Record.Counts, back.Counts)
	var table bytes.Buffer
	require.NoError(t, WriteTable(&table, res.Record))
	require.Contains(t, table.String(), "service time")
	return res
}

// httpServer is Go's server, which counts requests and connections.
type httpServer struct {
	url             string
	requests, conns atomic.Int64
}

func newHTTPServer(t *testing.T, h http.HandlerFunc) *httpServer {
	t.Helper()
	s := &httpServer{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		h(w, r)
	}))
	srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			s.conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func newOrigin(t *testing.T, o origin.Options) string {
	t.Helper()
	o.Address = netip.MustParseAddrPort("127.0.0.1:0")
	s, err := origin.New(o)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run() }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-done)
	})
	return "http://" + s.Addr().String()
}

// badServer accepts connections and leaves them to f.
func badServer(t *testing.T, f func(l net.Listener, c *net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(l, c.(*net.TCPConn))
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// request waits for the (small) request.
func request(c net.Conn) bool {
	_, err := c.Read(make([]byte, 4096))
	return err == nil
}
