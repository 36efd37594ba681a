package origin

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// engines are those that run here. epoll runs everywhere; io_uring may be forbidden to this process.
func engines(t *testing.T) []string {
	t.Helper()
	es := []string{"epoll"}
	if _, err := loop.New(loop.Options{Engine: "uring"}); err == nil {
		es = append(es, "uring")
	} else {
		t.Logf("io_uring is not tested: %v", err)
	}
	return es
}

func eachEngine(t *testing.T, o Options, f func(t *testing.T, base string)) {
	for _, e := range engines(t) {
		t.Run(e, func(t *testing.T) {
			o := o
			o.Engine = e
			f(t, "http://"+start(t, o).String())
		})
	}
}

func start(t *testing.T, o Options) netip.AddrPort {
	t.Helper()
	o.Address = netip.MustParseAddrPort("127.0.0.1:0")
	s, err := New(o)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Run() }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-done)
	})
	return s.Addr()
}

func httpClient(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func TestPaths(t *testing.T) {
	big := strings.Repeat("x", 300_000)
	tests := []struct {
		method, path, body string
		status             int
		size               int64
		is                 string
	}{
		{"GET", "/", "", 200, 100, ""},
		{"GET", "/anything/else?q=1", "", 200, 100, ""},
		{"HEAD", "/", "", 200, 0, ""},
		{"POST", "/", "some body", 200, 100, ""},
		{"POST", "/", big, 200, 100, ""},
		{"GET", "/bytes/0", "", 200, 0, ""},
		{"GET", "/bytes/16384", "", 200, 16384, ""},
		{"GET", "/bytes/16385", "", 200, 16385, ""},
		{"GET", "/bytes/3000001", "", 200, 3000001, ""},
		{"GET", "/bytes/x", "", 400, 0, ""},
		{"GET", "/chunked/0", "", 200, 0, ""},
		{"GET", "/chunked/100001", "", 200, 100001, ""},
		{"GET", "/status/503", "", 503, 0, ""},
		{"GET", "/status/204", "", 204, 0, ""},
		{"GET", "/status/700", "", 400, 0, ""},
		{"GET", "/delay/2ms", "", 200, 100, ""},
		{"GET", "/delay/never", "", 400, 0, ""},
		{"POST", "/echo", "hello", 200, 5, "hello"},
		{"POST", "/echo", "", 200, 0, ""},
		{"PUT", "/echo", big, 200, 300_000, big},
		{"GET", "/close", "", 200, 100, ""},
	}
	eachEngine(t, Options{BodySize: 100}, func(t *testing.T, base string) {
		c := httpClient(t)
		for _, tt := range tests {
			req, err := http.NewRequest(tt.method, base+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			res, err := c.Do(req)
			require.NoError(t, err, "%s %s", tt.method, tt.path)
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err, "%s %s", tt.method, tt.path)
			res.Body.Close()
			require.Equal(t, tt.status, res.StatusCode, tt.path)
			require.Len(t, b, int(tt.size), tt.path)
			if tt.is != "" {
				require.Equal(t, tt.is, string(b))
			} else if len(b) > 0 {
				require.Equal(t, fill(len(b)), string(b), tt.path)
			}
			require.Equal(t, tt.path == "/close", res.Close, tt.path)
			_, err = http.ParseTime(res.Header.Get("Date"))
			require.NoError(t, err)
		}
	})
}

func fill(n int) string {
	return strings.Repeat(string(filler[:64]), n/64+1)[:n]
}

func TestEchoOfAChunkedBodyAndHeaders(t *testing.T) {
	eachEngine(t, Options{}, func(t *testing.T, base string) {
		c := httpClient(t)
		pr, pw := io.Pipe()
		go func() {
			for i := range 50 {
				fmt.Fprintf(pw, "part %d\n", i)
			}
			pw.Close()
		}()
		res, err := c.Post(base+"/echo", "text/plain", pr)
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, 50, strings.Count(string(b), "\n"))

		req, _ := http.NewRequest("GET", base+"/headers", nil)
		req.Header.Set("X-Test", "yes")
		res, err = c.Do(req)
		require.NoError(t, err)
		b, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		require.True(t, strings.HasPrefix(string(b), "GET /headers HTTP/1.1\r\n"))
		require.Contains(t, string(b), "X-Test: yes\r\n")
		require.True(t, strings.HasSuffix(string(b), "\r\n\r\n"))
	})
}

func dial(t *testing.T, base string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

func readResponse(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(b)
}

// A hundred requests in one write, some with delays and large bodies among them, are answered in their order.
func TestPipelining(t *testing.T) {
	eachEngine(t, Options{BodySize: 7}, func(t *testing.T, base string) {
		c := dial(t, base)
		var out bytes.Buffer
		var want []int
		for i := range 100 {
			switch i % 4 {
			case 0:
				out.WriteString("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				want = append(want, 7)
			case 1:
				fmt.Fprintf(&out, "GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n", i*1000)
				want = append(want, i*1000)
			case 2:
				fmt.Fprintf(&out, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, strings.Repeat("e", i))
				want = append(want, i)
			case 3:
				out.WriteString("GET /delay/1ms HTTP/1.1\r\nHost: a\r\n\r\n")
				want = append(want, 7)
			}
		}
		go func() { _, _ = c.Write(out.Bytes()) }()
		r := bufio.NewReader(c)
		for i, n := range want {
			_, b := readResponse(t, r)
			require.Len(t, b, n, "response %d", i)
		}
	})
}

// More pipelined requests than the stash holds: the kernel holds the rest, nothing is lost.
func TestPipeliningBeyondTheStash(t *testing.T) {
	eachEngine(t, Options{BodySize: 1}, func(t *testing.T, base string) {
		c := dial(t, base)
		const n = 5000
		go func() {
			one := "GET /bytes/1 HTTP/1.1\r\nHost: a\r\nX-Padding: " + strings.Repeat("p", 100) + "\r\n\r\n"
			_, _ = io.WriteString(c, "GET /delay/30ms HTTP/1.1\r\nHost: a\r\n\r\n"+strings.Repeat(one, n))
		}()
		r := bufio.NewReader(c)
		for range n + 1 {
			_, b := readResponse(t, r)
			require.Len(t, b, 1)
		}
	})
}

func TestARequestMayComeByteByByte(t *testing.T) {
	eachEngine(t, Options{BodySize: 3}, func(t *testing.T, base string) {
		c := dial(t, base)
		for _, b := range []byte("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n") {
			_, err := c.Write([]byte{b})
			require.NoError(t, err)
		}
		_, b := readResponse(t, bufio.NewReader(c))
		require.Equal(t, "abc", b)
	})
}

func TestContinueIsSentBeforeTheBody(t *testing.T) {
	eachEngine(t, Options{}, func(t *testing.T, base string) {
		c := dial(t, base)
		r := bufio.NewReader(c)
		for range 3 {
			_, err := io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
			require.NoError(t, err)
			line, err := r.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
			_, err = r.ReadString('\n')
			require.NoError(t, err)
			_, err = io.WriteString(c, "body")
			require.NoError(t, err)
			_, b := readResponse(t, r)
			require.Equal(t, "body", b)
		}
		// A client that does not wait gets both.
		_, err := io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n")))
		require.NoError(t, err)
		_, b := readResponse(t, r)
		require.Equal(t, "body", b)
	})
}

func TestConnectionClose(t *testing.T) {
	eachEngine(t, Options{BodySize: 5}, func(t *testing.T, base string) {
		for _, req := range []string{
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"GET / HTTP/1.0\r\n\r\n",
			"GET /chunked/5 HTTP/1.0\r\n\r\n",
			"GET /close HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", // the second is not answered
		} {
			c := dial(t, base)
			_, err := io.WriteString(c, req)
			require.NoError(t, err)
			all, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, 1, bytes.Count(all, []byte("HTTP/1.1 200 OK")), req)
			require.Contains(t, string(all), "Connection: close\r\n")
			require.True(t, bytes.HasSuffix(all, []byte("\r\n\r\n01234")), "%q", all)
		}
	})
}

func TestBadRequestsAreRefused(t *testing.T) {
	eachEngine(t, Options{}, func(t *testing.T, base string) {
		for _, req := range []string{
			"nonsense\r\n\r\n",
			"GET / HTTP/1.1\r\n\r\n", // no Host
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n",
		} {
			c := dial(t, base)
			_, err := io.WriteString(c, req)
			require.NoError(t, err)
			res, _ := readResponse(t, bufio.NewReader(c))
			require.GreaterOrEqual(t, res.StatusCode, 400, "%.40q", req)
			require.True(t, res.Close)
		}
	})
}

func TestStallAndNever(t *testing.T) {
	eachEngine(t, Options{BodySize: 1000}, func(t *testing.T, base string) {
		c := httpClient(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", base+"/stall", nil)
		res, err := c.Do(req)
		require.NoError(t, err)
		got := make([]byte, 500)
		_, err = io.ReadFull(res.Body, got)
		require.NoError(t, err)
		cancel()
		_, err = io.ReadAll(res.Body)
		require.Error(t, err)
		res.Body.Close()

		// After /never, the connection ends when the client gives up; the origin serves on.
		n := dial(t, base)
		_, err = io.WriteString(n, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		require.NoError(t, n.(*net.TCPConn).CloseWrite())
		all, err := io.ReadAll(n)
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestThreadsShareThePort(t *testing.T) {
	addr := start(t, Options{BodySize: 1, Threads: 2, Engine: "epoll"})
	c := httpClient(t)
	for range 20 {
		res, err := c.Get("http://" + addr.String() + "/close")
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		res.Body.Close()
	}
	_, err := New(Options{Address: addr, Threads: 2, Engine: "epoll"})
	require.Error(t, err, "the port is taken, also for a server that would share it")
}

func TestBadOptions(t *testing.T) {
	any := netip.MustParseAddrPort("127.0.0.1:0")
	for _, o := range []Options{{Address: any, Threads: -1}, {Address: any, BodySize: -1}, {Address: any, Delay: -1}, {Address: any, Engine: "steam"}} {
		_, err := New(o)
		require.Error(t, err)
	}
}
