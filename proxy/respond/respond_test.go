package respond

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("x", 3600))

// every failure that can be answered, so that none has a text that does not fit or is not a response.
var failures = []*exchange.Failure{
	exchange.ErrNoRoute, exchange.ErrMethodNotAllowed, exchange.ErrUpgradeNotAllowed, exchange.ErrTraceNotAllowed, exchange.ErrOverload,
	exchange.ErrHeaderTimeout, exchange.ErrBodyTimeout, exchange.ErrBodyTooLarge, exchange.ErrNoEndpoint, exchange.ErrOverflow, exchange.ErrConnect,
	exchange.ErrConnectTimeout, exchange.ErrSend, exchange.ErrReset, exchange.ErrTruncated, exchange.ErrFirstByteTimeout, exchange.ErrIdleTimeout,
	exchange.ErrProtocol, exchange.FromWire(h1.ErrLineLong), exchange.FromWire(h1.ErrHeadLarge), exchange.FromWire(h1.ErrExpect),
	exchange.FromWire(h1.ErrCoding), exchange.FromWire(h1.ErrVersionUnsupported),
}

func parse(t *testing.T, b []byte, method string) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(b))), &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, string(body)
}

func TestFailureNamesItsCodeAndReason(t *testing.T) {
	for _, f := range failures {
		var d Date
		allow := []byte("GET, HEAD")
		b := AppendFailure(nil, f, allow, Local{KeepAlive: true, Minor: 1, Server: []byte("blitz")}, &d, now)
		require.LessOrEqual(t, len(b), FailureSize(f, allow))
		r, body := parse(t, b, "GET")
		require.Equal(t, f.Status, r.StatusCode)
		require.Equal(t, r.Status+": "+f.Code+": "+f.Detail+"\n", body)
		require.Equal(t, "Wed, 04 Mar 2026 04:06:07 GMT", r.Header.Get("Date"))
		require.Equal(t, "blitz", r.Header.Get("Server"))
		require.Equal(t, f.Status == 405, r.Header.Get("Allow") != "")
		require.Equal(t, f.RetryAfter > 0, r.Header.Get("Retry-After") != "")
		require.False(t, r.Close)

		head := AppendFailure(nil, f, nil, Local{Minor: 1, Head: true}, &d, now)
		r, body = parse(t, head, "HEAD")
		require.EqualValues(t, len(f.Code)+len(f.Detail)+len(wire.StatusText(f.Status))+9, r.ContentLength)
		require.Empty(t, body)
		require.True(t, r.Close)
		require.Empty(t, r.Header.Get("Server"))
	}
}

func TestHeadOfAnUpstreamResponse(t *testing.T) {
	for _, x := range []struct {
		name, in string
		method   wire.Method
		f        Framing
		want     string
	}{
		{"length", "HTTP/1.1 200 Fine\r\nX: a\r\nContent-Length: 3\r\n\r\n", wire.MethodGet, Framing{KeepAlive: true, Minor: 1},
			"HTTP/1.1 200 Fine\r\nX: a\r\nDATE\r\ncontent-length: 3\r\n\r\n"},
		{"chunked", "HTTP/1.0 200 OK\r\n\r\n", wire.MethodGet, Framing{KeepAlive: true, Minor: 1, Chunked: true},
			"HTTP/1.1 200 OK\r\nDATE\r\ntransfer-encoding: chunked\r\n\r\n"},
		{"until close", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", wire.MethodGet, Framing{Minor: 0},
			"HTTP/1.1 200 OK\r\nDATE\r\nconnection: close\r\n\r\n"},
		{"hop-by-hop", "HTTP/1.1 200 OK\r\nConnection: x-a, close\r\nX-A: 1\r\nKeep-Alive: 5\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n", wire.MethodGet,
			Framing{KeepAlive: true, Minor: 0}, "HTTP/1.1 200 OK\r\nX-B: 2\r\nDATE\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"},
		{"own date", "HTTP/1.1 304 Not Modified\r\nDate: then\r\nContent-Length: 9\r\n\r\n", wire.MethodGet, Framing{KeepAlive: true, Minor: 1},
			"HTTP/1.1 304 Not Modified\r\nDate: then\r\ncontent-length: 9\r\n\r\n"},
		{"204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", wire.MethodGet, Framing{KeepAlive: true, Minor: 1},
			"HTTP/1.1 204 No Content\r\nDATE\r\n\r\n"},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", wire.MethodGet, Framing{KeepAlive: true, Minor: 1},
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
		{"upgrade", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-X: y\r\n\r\n", wire.MethodGet, Framing{Minor: 1, Tunnel: true},
			"HTTP/1.1 101 Switching Protocols\r\nSec-X: y\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"},
		{"connect", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", wire.MethodConnect, Framing{Minor: 1, Tunnel: true},
			"HTTP/1.1 200 OK\r\nDATE\r\n\r\n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var r wire.Response
			n, err := h1.ParseResponse([]byte(x.in), &r, x.method, nil)
			require.Nil(t, err)
			require.Equal(t, len(x.in), n)
			var d Date
			b := AppendHead(nil, &r, x.f, &d, now)
			require.LessOrEqual(t, len(b), HeadSize(&r))
			require.Equal(t, strings.Replace(x.want, "DATE", "date: Wed, 04 Mar 2026 04:06:07 GMT", 1), string(b))
		})
	}
}

func TestReplyTakesTheBodyThatFits(t *testing.T) {
	head, body := []byte("content-length: 10\r\n"), []byte("0123456789")
	var d Date
	l := Local{KeepAlive: true, Minor: 1}
	dst := make([]byte, 0, ReplySize(head, l)+len(body))
	out, rest := AppendReply(dst, 201, head, body, l, &d, now)
	require.Nil(t, rest)
	r, text := parse(t, out, "POST")
	require.Equal(t, 201, r.StatusCode)
	require.Equal(t, "0123456789", text)

	out, rest = AppendReply(make([]byte, 0, len(out)-1), 201, head, body, l, &d, now)
	require.Equal(t, body, rest, "the caller sends it behind the head")
	require.True(t, strings.HasSuffix(string(out), "\r\n\r\n"))

	l.Head = true
	out, rest = AppendReply(nil, 201, head, body, l, &d, now)
	require.Nil(t, rest)
	require.True(t, strings.HasSuffix(string(out), "content-length: 10\r\n\r\n"))
}

func TestDateChangesWithTheSecond(t *testing.T) {
	var d Date
	require.Equal(t, "date: Wed, 04 Mar 2026 04:06:07 GMT\r\n", string(d.Field(now)))
	require.Equal(t, "date: Wed, 04 Mar 2026 04:06:07 GMT\r\n", string(d.Field(now.Add(999*time.Millisecond))))
	require.Equal(t, "date: Wed, 04 Mar 2026 04:06:08 GMT\r\n", string(d.Field(now.Add(time.Second))))
}

func TestRenderingAllocatesNothing(t *testing.T) {
	var d Date
	b := make([]byte, 0, 2048)
	l := Local{KeepAlive: true, Minor: 1, Server: []byte("blitz")}
	require.Zero(t, testing.AllocsPerRun(100, func() { AppendFailure(b, exchange.ErrNoRoute, nil, l, &d, now) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { AppendReply(b, 200, nil, nil, l, &d, now) }))
}
