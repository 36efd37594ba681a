package run

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/origin"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// Every way in which a server can let a request down is counted as what it is, for each request exactly once.
func TestErrorsByKind(t *testing.T) {
	reset := func(c *net.TCPConn) { _ = c.SetLinger(0) }
	says := func(s string) func(net.Listener, *net.TCPConn) {
		return func(_ net.Listener, c *net.TCPConn) {
			for request(c) {
				_, _ = io.WriteString(c, s)
			}
		}
	}
	saysOnce := func(s string) func(net.Listener, *net.TCPConn) {
		return func(_ net.Listener, c *net.TCPConn) {
			if request(c) {
				_, _ = io.WriteString(c, s)
			}
		}
	}
	tests := []struct {
		name   string
		server func(net.Listener, *net.TCPConn)
		path   string // on an origin, when there is no server
		body   int64
		// timeout is short where it is what is tested: elsewhere a busy machine must not add timeouts of its own.
		timeout time.Duration
		check   func(t *testing.T, r *runfmt.Record)
	}{
		{name: "resets", server: func(_ net.Listener, c *net.TCPConn) {
			request(c)
			reset(c)
		}, check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Reset) }},
		{name: "closes without an answer", server: func(_ net.Listener, c *net.TCPConn) { request(c) },
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Reset) }},
		{name: "closes within the body", server: saysOnce("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Reset) }},
		{name: "closes within the chunks", server: saysOnce("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Reset) }},
		{name: "body until it closes", server: saysOnce("HTTP/1.1 200 OK\r\n\r\nwhole"),
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, 5*r.Counts.Requests, r.Counts.BodyBytes) }},
		{name: "garbage", server: says("SSH-2.0-OpenSSH_9.2\r\n"),
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Protocol) }},
		{name: "two framings", server: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Protocol) }},
		{name: "more than the answer", server: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz"), check: func(t *testing.T, r *runfmt.Record) {
			require.Equal(t, r.Counts.Requests, r.Counts.Completed)
			require.GreaterOrEqual(t, r.Connections.Unsolicited, r.Counts.Completed)
		}},
		{name: "never answers", path: "/never", timeout: 100 * time.Millisecond,
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Timeout) }},
		{name: "stops within the body", path: "/stall", timeout: 100 * time.Millisecond,
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Timeout) }},
		{name: "500", path: "/status/500", check: func(t *testing.T, r *runfmt.Record) {
			require.Equal(t, r.Counts.Requests, r.Errors.Status)
			require.Equal(t, r.Counts.Requests, r.Counts.Completed)
			require.Equal(t, r.Counts.Requests, r.Counts.ByClass["5xx"])
		}},
		{name: "wrong size", path: "/bytes/99", body: 100,
			check: func(t *testing.T, r *runfmt.Record) { require.Equal(t, r.Counts.Requests, r.Errors.Status) }},
	}
	base := newOrigin(t, origin.Options{Engine: "epoll", BodySize: 1000})
	eachEngine(t, func(t *testing.T, engine string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				url := base + tt.path
				if tt.server != nil {
					url = badServer(t, tt.server)
				}
				for _, closed := range []bool{false, true} {
					o := Options{
						Workload: newWorkload(t, url), Engine: engine, Connections: 2, Closed: closed, ExpectBody: tt.body,
						Duration: 100 * time.Millisecond, Timeout: tt.timeout,
					}
					if !closed {
						o.Rate = 100
					}
					r := do(t, o).Record
					for try := 0; try < 20 && r.Counts.Requests == r.Counts.Unsent; try++ {
						r = do(t, o).Record // a busy machine did not let us run at all in so short a window
					}
					// A request that was due could still be waiting at the end; everything that was sent is accounted for.
					r.Counts.Requests -= r.Counts.Unsent
					require.Positive(t, r.Counts.Requests)
					tt.check(t, r)
					if r.Errors.Total() > 0 {
						require.False(t, r.Validity.Valid)
						require.NotEmpty(t, r.Errors.Samples)
					}
				}
			})
		}
	})
}

// A server that dies: the requests in flight are reset, all that follow cannot connect.
func TestServerThatGoesAway(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		for _, closed := range []bool{false, true} {
			url := badServer(t, func(l net.Listener, c *net.TCPConn) {
				if request(c) {
					l.Close()
					_ = c.SetLinger(0)
				}
			})
			o := Options{Workload: newWorkload(t, url), Engine: engine, Connections: 1, Closed: closed, Duration: 200 * time.Millisecond, Timeout: 5 * time.Second}
			if !closed {
				o.Rate = 100
			}
			r := do(t, o).Record
			require.EqualValues(t, 1, r.Errors.Reset)
			require.Positive(t, r.Errors.Connect)
			require.Zero(t, r.Counts.Completed)
			require.EqualValues(t, 1, r.Counts.Sent)
			require.True(t, strings.Contains(strings.Join(r.Errors.Samples, " "), "refused"), r.Errors.Samples)
		}
	})
}

// A kept-alive connection that breaks under its second request is an error of that request. It is not sent again.
func TestAResetOnAReusedConnectionIsNotRetried(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		seen := make(chan struct{}, 1000)
		url := badServer(t, func(_ net.Listener, c *net.TCPConn) {
			for i := 0; request(c); i++ {
				seen <- struct{}{}
				if i == 1 {
					_ = c.SetLinger(0)
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		r := do(t, Options{Workload: newWorkload(t, url), Engine: engine, Connections: 1, Rate: 100, Duration: 205 * time.Millisecond}).Record
		require.EqualValues(t, 20, r.Counts.Requests)
		require.EqualValues(t, 10, r.Counts.Completed)
		require.EqualValues(t, 10, r.Errors.Reset)
		require.Len(t, seen, 20, "each request was seen once")
	})
}

// A request with a large body is answered before it was read: the answer counts, and the broken send does not.
func TestEarlyAnswerToALargeRequest(t *testing.T) {
	url := badServer(t, func(_ net.Listener, c *net.TCPConn) {
		request(c)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	w, err := workload.New(workload.Spec{URL: url, Body: make([]byte, 8<<20)})
	require.NoError(t, err)
	eachEngine(t, func(t *testing.T, engine string) {
		r := do(t, Options{Workload: w, Engine: engine, Connections: 1, Closed: true, Duration: 50 * time.Millisecond, ExpectStatus: 413}).Record
		require.Positive(t, r.Counts.Completed)
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		require.Zero(t, r.Errors.Total(), r.Errors.Samples)
	})
}
