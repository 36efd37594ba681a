package server

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusedAddr is an address where nobody listens: a socket that is bound and not listening keeps the port from others.
func refusedAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	return addr
}

// Every local reply of the data plane: what the client gets and what the log says.
func TestLocalReplies(t *testing.T) {
	many := strings.Repeat("X-A: b\r\n", 101)
	for name, x := range map[string]struct {
		s       setup
		request string
		origin  string // what the endpoint answers; "-": nobody listens
		status  int
		body    string
		flags   string
		code    string
		close   bool
		more    map[string]string
	}{
		"400 malformed": {request: "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, flags: "DPE", code: "bad_target", close: true,
			body: "400 Bad Request: bad_target: the request target must be visible ASCII without '#', between single spaces\n"},
		"400 smuggling": {request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 400, flags: "DPE",
			code: "content_length_with_transfer_encoding", close: true},
		"400 no host": {request: "GET / HTTP/1.1\r\n\r\n", status: 400, flags: "DPE", code: "missing_host", close: true},
		"404": {request: get("/nowhere"), status: 404, flags: "NR", code: "no_route",
			body: "404 Not Found: no_route: no route matches this host and path\n"},
		"405": {s: setup{routes: "  - {match: {path: /form, methods: [GET, POST]}, respond: {body: x}}\n"}, request: request("DELETE", "/form", ""), status: 405,
			flags: "NR", code: "method_not_allowed", body: "405 Method Not Allowed: method_not_allowed: this path does not allow the request's method\n",
			more: map[string]string{"Allow": "GET, HEAD, POST"}},
		"405 TRACE": {request: "TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n", status: 405, code: "trace_not_allowed"},
		"413 length": {s: setup{listener: "limits: {body_size: 10B}"}, request: request("POST", "/echo/", "eleven byte"), status: 413, flags: "DPE",
			code: "request_body_too_large", close: true, body: "413 Content Too Large: request_body_too_large: the request body is larger than this route allows\n"},
		"413 length, proxied": {s: setup{routes: "  - {match: {path: /small}, cluster: up, max_body: 10B}\n"}, request: request("POST", "/small", "eleven byte"), origin: "?",
			status: 413, flags: "DPE", code: "request_body_too_large", close: true},
		"413 chunked, proxied": {s: setup{listener: "limits: {body_size: 10B}"}, request: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\neleven byte\r\n0\r\n\r\n",
			origin: "?", status: 413, flags: "DPE", code: "request_body_too_large", close: true},
		"414": {request: "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", status: 414, flags: "DPE", code: "request_line_too_long", close: true,
			body: "414 URI Too Long: request_line_too_long: the request line is longer than the limit\n"},
		"417": {request: get("/hello", "Expect: miracles"), status: 417, flags: "DPE", code: "unknown_expectation", close: true},
		"431 size": {request: get("/hello", "X-Large: "+strings.Repeat("a", 40000)), status: 431, flags: "DPE", code: "head_too_large", close: true,
			body: "431 Request Header Fields Too Large: head_too_large: start line and fields together are larger than the limit\n"},
		"431 count":  {request: "GET /hello HTTP/1.1\r\nHost: a\r\n" + many + "\r\n", status: 431, flags: "DPE", code: "too_many_fields", close: true},
		"501 coding": {request: "POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", status: 501, flags: "DPE", code: "unknown_transfer_encoding", close: true},
		"501 method": {request: strings.Repeat("M", 40) + " /hello HTTP/1.1\r\nHost: a\r\n\r\n", status: 501, flags: "DPE", code: "method_too_long", close: true},
		"502 refused": {request: get("/"), origin: "-", status: 502, flags: "UF", code: "connect_failed",
			body: "502 Bad Gateway: connect_failed: could not connect to the upstream\n"},
		"505":          {request: "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", status: 505, flags: "DPE", code: "version_not_supported", close: true},
		"403 CONNECT":  {request: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", origin: "?", status: 403, code: "upgrade_not_allowed"},
		"404 asterisk": {request: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", origin: "?", status: 404, flags: "NR", code: "no_route"},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				s := x.s
				switch x.origin {
				case "-":
					s.endpoints = []string{refusedAddr(t)}
				case "?":
					s.endpoints = []string{listen(t).addr}
				}
				g := gate(t, engine, s)
				c := g.dial()
				c.send(x.request)
				method, _, _ := strings.Cut(x.request, " ")
				r := c.response(method)
				require.NoError(t, r.Err)
				require.Equal(t, x.status, r.StatusCode, r.Text)
				require.Contains(t, r.Text, ": "+x.code+": ")
				if x.body != "" {
					require.Equal(t, x.body, r.Text)
				}
				require.Equal(t, "text/plain; charset=utf-8", r.Header.Get("Content-Type"))
				require.Equal(t, "blitz", r.Header.Get("Server"))
				require.NotEmpty(t, r.Header.Get("Date"))
				for k, v := range x.more {
					require.Equal(t, v, r.Header.Get(k))
				}
				require.Equal(t, x.close, r.Close)
				if x.close {
					c.closed()
				} else {
					require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
					c.Close()
				}
				e := g.log()[0]
				require.Equal(t, x.status, e.Status)
				require.Equal(t, x.flags, e.Flags)
				require.Equal(t, x.code, e.Code)
				require.EqualValues(t, len(r.Text), e.BytesOut)
			})
		})
	}
}

func TestLocalReplyToHeadHasNoBody(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{})
		c := g.dial()
		r := c.ask(request("HEAD", "/nowhere", ""))
		require.Equal(t, 404, r.StatusCode)
		require.Positive(t, r.ContentLength)
		require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
		c.Close()
		require.Zero(t, g.log()[0].BytesOut)
	})
}

// The reply must reach a client that is still sending what was refused.
func TestRefusalSurvivesTheRestOfTheRequest(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "limits: {body_size: 1KiB}"})
		for range 20 {
			c := g.dial()
			c.send(request("POST", "/echo/", strings.Repeat("x", 300<<10)))
			r := c.response("POST")
			require.NoError(t, r.Err)
			require.Equal(t, 413, r.StatusCode)
			c.closed()
		}
	})
}

func TestBadChunkOfARequest(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
		r := c.response("POST")
		require.Equal(t, 400, r.StatusCode)
		require.True(t, r.Close)
		c.closed()
		p := o.accept()
		p.gone() // and never a last chunk

		c = g.dial()
		c.send("POST /echo/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
		c.broken("POST") // the echo had begun: it must not end as if it were whole
		log := g.log()
		require.Equal(t, "bad_chunk_size", log[0].Code)
		require.Equal(t, "DPE", log[1].Flags)
	})
}

func TestChunkedEchoOverTheLimitIsBroken(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "limits: {body_size: 10B}"})
		c := g.dial()
		c.send("POST /echo/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n7\r\nefghijk\r\n0\r\n\r\n")
		c.broken("POST")
		e := g.log()[0]
		require.Equal(t, "request_body_too_large", e.Code)
	})
}
