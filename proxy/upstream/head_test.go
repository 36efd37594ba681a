package upstream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

const browser = "GET /v1/items?page=2 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Test/1.0\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Cookie: session=0123456789abcdef\r\nX-Request-Id: 7f3a\r\nX-Custom: value\r\nConnection: keep-alive\r\n\r\n"

func parsed(t testing.TB, text string) *wire.Request {
	t.Helper()
	var r wire.Request
	limits := wire.DefaultLimits
	n, err := h1.ParseRequest([]byte(text), &r, &limits)
	if err != nil {
		t.Fatal(err)
	}
	require.Positive(t, n)
	return &r
}

var testClient = exchange.Client{IP: []byte("192.0.2.7"), Scheme: []byte("https"), Pseudonym: []byte("blitz")}

func BenchmarkHeadH1(b *testing.B) {
	r := parsed(b, browser)
	x := &exchange.Exchange{}
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if headSize(r, r.Path, x, &testClient) > cap(dst) {
			b.Fatal("too small")
		}
		dst = appendHead(dst[:0], r, r.Path, x, &testClient, false)
	}
}
