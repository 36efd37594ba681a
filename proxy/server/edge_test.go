package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/proxyproto"
)

func TestProxyProtocolNamesTheClient(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: "proxy_protocol: true"})
		source, here := netip.MustParseAddrPort("192.0.2.7:4711"), netip.MustParseAddrPort("192.0.2.1:80")
		for version := byte(1); version <= 2; version++ {
			c := g.dial()
			header := proxyproto.Append(nil, version, source, here)
			// In pieces, the last of them together with the request.
			c.send(string(header[:5]))
			c.send(string(header[5:20]))
			c.send(string(header[20:]) + get("/a"))
			p := o.accept()
			r, _ := p.request()
			require.Equal(t, "192.0.2.7", r.Header.Get("X-Forwarded-For"))
			p.send(ok("fine", "Connection: close"))
			require.Equal(t, "fine", c.response("GET").Text)
			c.Close()
		}
		for _, e := range g.log() {
			require.Equal(t, "192.0.2.7:4711", e.Client)
		}
	})
}

func TestProxyProtocolHeaderIsRequired(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "proxy_protocol: true"})
		c := g.dial()
		c.send(get("/hello"))
		c.closed()
		c = g.dial()
		c.send("PROXY TCP4 192.0.2.300 192.0.2.1 1 2\r\n" + get("/hello"))
		c.closed()
		require.EqualValues(t, 2, g.metric(`blitz_failures_total{code="bad_proxy_header"}`))
	})
}

func TestProxyProtocolToTheEndpoint(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for version, name := range map[byte]string{1: "v1", 2: "v2"} {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "proxy_protocol: " + name})
			c := g.dial()
			for range 2 { // one connection for each request: what was said of the first client holds for nobody else
				c.send(get("/a"))
				p := o.accept()
				want := proxyproto.Append(nil, version, c.LocalAddr().(*net.TCPAddr).AddrPort(), netip.MustParseAddrPort(g.addr))
				got := make([]byte, len(want))
				_, err := io.ReadFull(p.br, got)
				require.NoError(t, err)
				require.Equal(t, want, got)
				p.request()
				p.send(ok("fine"))
				require.Equal(t, "fine", c.response("GET").Text)
				p.gone()
			}
			c.Close()
			g.end()
		}
	})
}

func TestConnectionsPerSourceAreLimited(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "max_connections_per_source: 2"})
		a, b := g.dial(), g.dial()
		require.Equal(t, 200, a.ask(get("/hello")).StatusCode)
		require.Equal(t, 200, b.ask(get("/hello")).StatusCode)
		g.dial().closed()
		require.EqualValues(t, 1, g.metric(`blitz_failures_total{code="too_many_connections_from_source"}`))
		a.Close()
		eventually(t, "a place for another connection", func() bool { return g.metric("blitz_downstream_connections_active") == 1 })
		require.Equal(t, 200, g.dial().ask(get("/hello")).StatusCode)
	})
}

func TestOldConnectionEndsWithItsResponse(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "max_age: 1us"})
		c := g.dial()
		r := c.ask(get("/hello"))
		require.Equal(t, 200, r.StatusCode)
		require.True(t, r.Close)
		c.closed()
	})
}

func TestBufferedRequestReachesTheEndpointWhole(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: "  - {match: {path: /*}, cluster: up, buffer_request: 64KiB}\n"})
		c := g.dial()
		body := strings.Repeat("0123456789", 1000)
		c.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\nExpect: 100-continue\r\n\r\n")
		require.Equal(t, 100, c.head("POST").StatusCode)
		c.send(body[:9999])
		eventually(t, "the body arrives", func() bool { return g.metric("blitz_downstream_received_bytes_total") > 9999 })
		require.Zero(t, g.metric("blitz_upstream_connects_total"), "no endpoint is asked before the body is here")
		c.send(body[9999:])
		p := o.accept()
		r, got := p.request()
		require.Equal(t, body, got)
		require.Empty(t, r.Header.Get("Expect"), "nobody is left to wait for a 100")
		p.send(ok("fine"))
		require.Equal(t, "fine", c.response("POST").Text)

		// A longer body than the buffer is streamed from there on.
		c.send("POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
		long := strings.Repeat("x", 200_000)
		go c.send("30d40\r\n" + long + "\r\n0\r\n\r\n")
		r, got = p.request()
		require.Equal(t, "/b", r.URL.Path)
		require.Equal(t, long, got)
		p.send(ok("fine"))
		require.Equal(t, "fine", c.response("POST").Text)
	})
}

func TestNewRequestsAreShedWhenBuffersAreFull(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		up := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		g := gate(t, engine, setup{endpoints: []string{up}, workers: "buffers: 16MiB"})
		g.sheds = true
		// Each of these clients asks for a response without end and does not read it.
		var stuck []*client
		probe := g.dial()
		var r response
		for r = probe.ask(get("/hello")); r.StatusCode == http.StatusOK; r = probe.ask(get("/hello")) {
			if len(stuck) < 200 {
				c := g.dial()
				require.NoError(t, c.SetReadBuffer(4096))
				c.send(get("/endless"))
				stuck = append(stuck, c)
			}
		}
		require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
		require.Equal(t, "1", r.Header.Get("Retry-After"))
		require.Contains(t, r.Text, "overload")
		for _, c := range stuck {
			c.Close()
		}
		eventually(t, "room again", func() bool { return probe.ask(get("/hello")).StatusCode == http.StatusOK })
	})
}
