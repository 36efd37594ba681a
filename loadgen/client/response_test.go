package client

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire"
)

type outcome struct {
	status int
	body   int64
	done   bool
	keep   bool
	rest   string
	err    bool
}

// feedAll gives a response to a reader in pieces of the given size.
func feedAll(s string, piece int, m wire.Method) (o outcome) {
	var ps parser
	var r reader
	r.reset()
	for len(s) > 0 {
		n := min(piece, len(s))
		buf := []byte(s[:n])
		rest, done, err := r.feed(&ps, buf, m)
		s = s[n:]
		if err != nil {
			return outcome{err: true}
		}
		if done {
			o.done, o.rest = true, string(rest)+s
			break
		}
		// The loop takes its buffer back.
		for i := range buf {
			buf[i] = '!'
		}
	}
	o.status, o.body, o.keep = r.status, r.body, r.keepAlive
	return o
}

func TestReaderFindsTheEnd(t *testing.T) {
	tests := []struct {
		name, in string
		method   wire.Method
		want     outcome
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", wire.MethodGet, outcome{200, 5, true, true, "", false}},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", wire.MethodGet, outcome{204, 0, true, true, "", false}},
		{"length 0", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", wire.MethodGet, outcome{404, 0, true, true, "", false}},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", wire.MethodHead, outcome{200, 0, true, true, "", false}},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", wire.MethodGet, outcome{200, 13, true, true, "", false}},
		{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", wire.MethodGet, outcome{200, 1, true, true, "", false}},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", wire.MethodGet, outcome{200, 1, true, false, "", false}},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", wire.MethodGet, outcome{200, 1, true, false, "", false}},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nsome bytes", wire.MethodGet, outcome{200, 10, false, false, "", false}},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", wire.MethodPost, outcome{200, 1, true, true, "", false}},
		{"surplus", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP", wire.MethodGet, outcome{200, 1, true, true, "HTTP", false}},
		{"surplus after chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore", wire.MethodGet, outcome{200, 0, true, true, "more", false}},
		{"switching", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", wire.MethodGet, outcome{err: true}},
		{"not HTTP", "SSH-2.0-OpenSSH_9\r\n", wire.MethodGet, outcome{err: true}},
		{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", wire.MethodGet, outcome{err: true}},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", wire.MethodGet, outcome{err: true}},
		{"endless head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 40_000), wire.MethodGet, outcome{err: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, 64, 1 << 20} {
				if len(tt.in) > 1000*piece {
					continue // an incomplete head is parsed anew with each piece
				}
				require.Equal(t, tt.want, feedAll(tt.in, piece, tt.method), "pieces of %d", piece)
			}
			if tt.want.done {
				whole := len(tt.in) - len(tt.want.rest)
				for n := range whole {
					o := feedAll(tt.in[:n], 1<<20, tt.method)
					require.False(t, o.done || o.err, "cut at %d", n)
				}
			}
		})
	}
}

// The same head must not be taken for the same message when the method differs, nor a longer head for a shorter one.
func TestRecognizedHeads(t *testing.T) {
	var ps parser
	head := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
	v, n, err := ps.head(head, wire.MethodGet)
	require.Nil(t, err)
	require.Equal(t, len(head), n)
	require.Equal(t, wire.BodyLength, v.kind)
	v, _, err = ps.head(head, wire.MethodHead)
	require.Nil(t, err)
	require.Equal(t, wire.BodyNone, v.kind)
	v, _, err = ps.head(head, wire.MethodGet)
	require.Nil(t, err)
	require.Equal(t, wire.BodyLength, v.kind)
	v, _, err = ps.head([]byte("HTTP/1.1 200 OK\r\nContent-Length: 55\r\n\r\n"), wire.MethodGet)
	require.Nil(t, err)
	require.EqualValues(t, 55, v.length)
	_, n, err = ps.head(head[:len(head)-1], wire.MethodGet)
	require.Nil(t, err)
	require.Zero(t, n)
}
