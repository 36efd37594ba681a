package server

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A response that is cut off must look cut off to the client, whatever its framing.
func TestTruncatedResponseIsNeverWhole(t *testing.T) {
	long := strings.Repeat("0123456789", 60_000)
	for name, x := range map[string]struct {
		request, response string
		reset             bool
	}{
		"length":                          {get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false},
		"length, reset":                   {get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true},
		"long, length":                    {get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + long, false},
		"chunked":                         {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false},
		"chunked, within a chunk":         {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf", false},
		"chunked, before the end of it":   {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", false},
		"chunked, broken":                 {get("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxx\r\n", false},
		"chunked, to HTTP/1.0":            {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false},
		"long, chunked, to HTTP/1.0":      {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf0000\r\n" + long, false},
		"length, to HTTP/1.0":             {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false},
		"until close, reset":              {get("/"), "HTTP/1.1 200 OK\r\n\r\nhalf", true},
		"until close, reset, to HTTP/1.0": {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhalf", true},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}})
				c := g.dial()
				c.send(x.request)
				p := o.accept()
				p.head()
				p.send(x.response)
				if x.reset {
					// Not before the gateway has the bytes: a reset overtakes them.
					eventually(t, "the gateway has read", func() bool { return g.metric("blitz_upstream_received_bytes_total") == float64(len(x.response)) })
					p.reset()
				} else {
					p.Close()
				}
				c.broken("GET")
				e := g.log()[0]
				if name == "chunked, broken" {
					require.Equal(t, "UPE", e.Flags)
				} else {
					require.Equal(t, "UC", e.Flags)
					require.Equal(t, "upstream_truncated", e.Code)
				}
			})
		})
	}
}

func TestMalformedResponseBecomes502(t *testing.T) {
	for name, response := range map[string]string{
		"not HTTP":             "220 smtp.example.com ESMTP\r\n",
		"version":              "HTTP/2.0 200 OK\r\n\r\n",
		"status":               "HTTP/1.1 2000 OK\r\n\r\n",
		"bare LF":              "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"both framings":        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
		"negative length":      "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
		"unknown coding":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
		"space before colon":   "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
		"head too large":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 40_000) + "\r\n\r\n",
		"204 with a body":      "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
		"101 nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"endless interim":      strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100),
		"control in a value":   "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 2"})
				c := g.dial()
				c.send(get("/"))
				p := o.accept()
				p.head()
				p.send(response)
				r := c.head("GET")
				for r.StatusCode == 103 {
					r = c.head("GET")
				}
				require.Equal(t, 502, r.StatusCode)
				b, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				require.Equal(t, "502 Bad Gateway: upstream_protocol_error: the upstream's response is malformed\n", string(b))
				p.gone()
				c.Close()
				e := g.log()[0]
				require.Equal(t, "UPE", e.Flags)
				require.Equal(t, "upstream_protocol_error", e.Code)
				require.NotEmpty(t, e.Detail)
				require.NotEqual(t, "the upstream's response is malformed", e.Detail, "the detail says what was wrong")
				require.Equal(t, 1, e.Attempts)
			})
		})
	}
}

func TestClientThatLeavesCancelsItsRequest(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for name, reset := range map[string]bool{"close": false, "reset": true} {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}})
			c := g.dial()
			c.send(get("/slow"))
			p := o.accept()
			p.head()
			if reset {
				require.NoError(t, c.SetLinger(0))
			}
			c.Close()
			p.gone()
			e := g.log()[0]
			require.Equal(t, 499, e.Status, name)
			require.Equal(t, "DC", e.Flags)
			require.EqualValues(t, 1, g.counters().DownstreamAborts)

			// In the middle of the response.
			g = gate(t, engine, setup{endpoints: []string{o.addr}})
			c = g.dial()
			c.send(get("/slow"))
			p = o.accept()
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
			c.head("GET")
			if reset {
				require.NoError(t, c.SetLinger(0))
			}
			c.Close()
			p.gone()
			e = g.log()[0]
			require.Equal(t, 200, e.Status)
			require.Equal(t, "DC", e.Flags)
		}
	})
}
