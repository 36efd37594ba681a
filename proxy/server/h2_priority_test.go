package server

import (
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// priorityUpdate sends the frame of RFC 9218 section 7.1.
func (c *h2client) priorityUpdate(stream uint32, value string) {
	c.t.Helper()
	require.NoError(c.t, c.f.WriteRawFrame(0x10, 0, 0, append(binary.BigEndian.AppendUint32(nil, stream), value...)))
}

// runs reads n responses to their ends and returns the streams of DATA frames in their order, a stream once for frames in a row.
func (c *h2client) runs(n int) (order []uint32) {
	c.t.Helper()
	for n > 0 {
		f := c.next()
		id := f.Header().StreamID
		if h, ok := f.(*http2.HeadersFrame); ok {
			_, err := c.dec.DecodeFull(h.HeaderBlockFragment())
			require.NoError(c.t, err)
			continue
		}
		d, ok := f.(*http2.DataFrame)
		require.True(c.t, ok, "%v", f)
		if len(d.Data()) > 0 && (len(order) == 0 || order[len(order)-1] != id) {
			order = append(order, id)
		}
		if d.StreamEnded() {
			n--
		}
	}
	return order
}

// What waits for the client's windows goes out in the order that the client asked for, by field or by frame (RFC 9218); the field reaches the endpoint.
func TestH2Priorities(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, engine string) {
		const size = 48 << 10 // less than what a stream holds before its endpoint has to wait
		up := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if want := r.URL.Query().Get("p"); want != "" && r.Header.Get("Priority") != want {
				w.WriteHeader(http.StatusBadRequest)
			}
			w.Header().Set("Content-Length", "49152")
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		})
		g := gate(t, engine, setup{endpoints: []string{up}})
		c := g.dialH2()
		require.NoError(t, c.f.WriteWindowUpdate(0, 1<<30))
		window := func(n uint32) {
			require.NoError(t, c.f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}))
		}
		arrived := 0.
		// ordered opens the windows when all responses wait for them.
		ordered := func(n int) []uint32 {
			arrived += float64(n * size)
			eventually(t, "all have arrived", func() bool { return g.metric("blitz_upstream_received_bytes_total") >= arrived })
			window(1 << 20)
			return c.runs(n)
		}

		window(0)
		c.headers(1, true, "GET", "/a?p=u%3D7", "priority", "u=7")
		c.headers(3, true, "GET", "/b")
		c.headers(5, true, "GET", "/c", "priority", "u=0")
		require.Equal(t, []uint32{5, 3, 1}, ordered(3))

		window(0)
		c.headers(7, true, "GET", "/a", "priority", "u=1, i")
		c.headers(9, true, "GET", "/b", "priority", "u=1, i")
		turns := ordered(2)
		require.GreaterOrEqual(t, len(turns), 6, "incremental ones take turns, a frame of at most 16 KiB each")
		require.Equal(t, []uint32{7, 9}, turns[:2])

		window(0)
		c.headers(11, true, "GET", "/a", "priority", "u=0")
		c.headers(13, true, "GET", "/b")
		c.priorityUpdate(11, "u=7")
		c.priorityUpdate(15, "u=0") // before the request
		c.headers(15, true, "GET", "/c", "priority", "u=6")
		require.Equal(t, []uint32{15, 13, 11}, ordered(3))
		c.Close()
		for _, e := range g.log() {
			require.Equal(t, 200, e.Status)
		}
	})
}

// A load balancer in front names the client ahead of the preface, and ahead of TLS.
func TestH2ProxyProtocol(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, engine string) {
		up := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
		})
		g := gate(t, engine, setup{endpoints: []string{up}, listener: "proxy_protocol: true"})
		c := g.dialH2After("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
		c.headers(1, true, "GET", "/a")
		require.Equal(t, "192.0.2.7", c.read(1).body)
		c.Close()
		require.Equal(t, "192.0.2.7:4711", g.log()[0].Client)
	})
}
