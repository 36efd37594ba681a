package workload

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// decoded plays a server: the fields of blocks that come one after the other on a connection.
func decoded(t *testing.T, blocks ...[]byte) [][][2]string {
	var d hpack.Decoder
	d.Init(1<<15, 100)
	var out [][][2]string
	for _, b := range blocks {
		var l hpack.List
		require.Nil(t, d.Decode(b, &l))
		var fields [][2]string
		for _, f := range l.Fields {
			fields = append(fields, [2]string{string(f.Name), string(f.Value)})
		}
		out = append(out, fields)
	}
	return out
}

func TestOneRequestBecomesAFewBytes(t *testing.T) {
	w, err := New(Spec{URL: "https://example.com:8443/a/path?q=1", H2: true, Headers: []string{"X-Token: abc", "Cookie: a=b"}, Body: []byte("body")})
	require.NoError(t, err)
	require.Equal(t, "example.com:8443", w.HostPort)
	require.True(t, w.TLS)
	r := &w.Requests[0]
	want := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "example.com:8443"}, {":path", "/a/path?q=1"},
		{"user-agent", "blitzload"}, {"cookie", "a=b"}, {"x-token", "abc"}, {"content-length", "4"}}
	for _, got := range decoded(t, r.Insert, r.Indexed, r.Block, r.Indexed) {
		require.Equal(t, want, got)
	}
	require.LessOrEqual(t, len(r.Indexed), len(want))
	require.Equal(t, decoded(t, r.Block)[0], want, "without a table, too")
	require.Equal(t, len(r.Block)+4, r.Size())
}

// Any order of several targets decodes on one connection, whichever came first.
func TestTargetsShareTheTable(t *testing.T) {
	w, err := New(Spec{H2: true, Targets: strings.NewReader("GET http://a/1\nX-A: 1\n\nGET http://a/2\nX-B: 2\n\nDELETE http://a/3\n"), Headers: []string{"X-All: z"}})
	require.NoError(t, err)
	r := w.Requests
	for first := range r {
		got := decoded(t, r[first].Insert, r[0].Indexed, r[1].Indexed, r[2].Indexed, r[0].Indexed)
		require.Equal(t, decoded(t, r[first].Block)[0], got[0])
		for i, n := range []int{0, 1, 2, 0} {
			require.Equal(t, decoded(t, r[n].Block)[0], got[i+1])
		}
	}
	require.Contains(t, decoded(t, r[2].Block)[0], [2]string{"x-all", "z"})
}

// A field that is there twice is inserted once, and what does not fit into the table is not inserted at all.
func TestTwiceAndTooLarge(t *testing.T) {
	long := strings.Repeat("0123456789", 400)
	w, err := New(Spec{URL: "http://a/", H2: true, Headers: []string{"A: 1", "A: 1", "Long: " + long}})
	require.NoError(t, err)
	r := &w.Requests[0]
	got := decoded(t, r.Insert, r.Indexed, r.Indexed)
	require.Equal(t, got[0], got[1])
	require.Equal(t, got[0], got[2])
	require.Greater(t, len(r.Indexed), 2000)
}

func TestACallOfGRPC(t *testing.T) {
	w, err := New(Spec{URL: "http://a/pkg.Service/Method", H2: true, GRPC: true, Body: []byte("message")})
	require.NoError(t, err)
	r := &w.Requests[0]
	require.Equal(t, "\x00\x00\x00\x00\x07message", string(r.Body))
	fields := decoded(t, r.Block)[0]
	require.Equal(t, [2]string{":method", "POST"}, fields[0])
	require.Contains(t, fields, [2]string{"content-type", "application/grpc"})
	require.Contains(t, fields, [2]string{"te", "trailers"})
}
