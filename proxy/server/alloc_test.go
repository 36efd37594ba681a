package server

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A request costs no allocation, neither answered here nor proxied, access log included. The client and the origin of this test
// share the process, so they work with buffers made beforehand. What the runtime allocates in the background stays far below one in a
// hundred requests.
func TestRequestsAllocateNothing(t *testing.T) {
	const warmUp = 1000
	for _, engine := range []string{"uring", "epoll"} {
		for _, x := range []struct {
			name, request, body string
			requests            int
		}{
			{"static", get("/hello", "User-Agent: test", "Accept: */*"), "hello\n", 20_000},
			{"proxied", get("/proxied", "User-Agent: test", "Accept: */*"), "proxied", 20_000},
			{"proxied, with a body", request("POST", "/proxied", "a body for the origin"), "proxied", 5000},
			{"refused", get("/nowhere", "X: y"), "404 Not Found: no_route: no route matches this host and path\n", 5000},
			{"rewritten", get("/users/7/x?q=1", "User-Agent: test", "Cookie: s=1"), "proxied", 5000},
			{"redirected", get("/go/x", "User-Agent: test"), "\r\n\r\n", 5000},
			{"proxied, everything armed", get("/proxied", "User-Agent: test", "Cookie: a=b; at=unknown; user=7"), "proxied", 20_000},
			{"pipelined", get("/hello") + get("/proxied"), "proxied", 5000},
			{"proxied to h2", get("/proxied", "User-Agent: test", "Accept: */*"), "proxied", 5000},
			{"proxied to h2, with a body", request("POST", "/proxied", "a body for the origin"), "proxied", 5000},
			{"proxied to h2, rewritten", get("/users/7/x?q=1", "User-Agent: test", "Cookie: s=1"), "proxied", 5000},
			{"proxied to h2, everything armed", get("/proxied", "User-Agent: test", "Cookie: a=b; at=unknown; user=7"), "proxied", 5000},
		} {
			t.Run(engine+"/"+x.name, func(t *testing.T) {
				s := setup{top: "tracing: {request_id: true, trace_context: true}\n"}
				if x.name != "refused" {
					s.endpoints = []string{quietOrigin(t)}
					s.routes = allocRoutes
				}
				if strings.HasSuffix(x.name, "everything armed") {
					s.cluster = everything
				}
				if strings.HasPrefix(x.name, "proxied to h2") {
					s.endpoints = []string{quietH2Origin(t)}
					s.cluster = strings.TrimPrefix(s.cluster+", protocol: h2", ", ")
				}
				g := gate(t, engine, s)
				c, err := net.Dial("tcp", g.addr)
				require.NoError(t, err)
				defer c.Close()
				one, end := []byte(x.request), []byte(x.body)
				ten := bytes.Repeat(one, 10)
				buf := make([]byte, 16<<10)
				size := 0 // of the answer to x.request
				ask := func(requests []byte, answers int) bool {
					if _, err := c.Write(requests); err != nil {
						return false
					}
					for got := 0; got < answers*size || size == 0; {
						m, err := c.Read(buf[got:])
						if err != nil {
							return false
						}
						if got += m; size == 0 && bytes.HasSuffix(buf[:got], end) {
							size = got
						}
					}
					return bytes.HasSuffix(buf[:answers*size], end)
				}
				// One in ten comes alone, the others ten at a time, which saves the test most of its waiting.
				run := func(n int) bool {
					for range n / 10 {
						if !ask(one, 1) {
							return false
						}
					}
					for range n / 10 {
						if !ask(ten, 10) {
							return false
						}
					}
					return true
				}
				require.True(t, run(warmUp))
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				worked := run(x.requests)
				runtime.ReadMemStats(&after)
				require.True(t, worked)
				per := float64(after.Mallocs-before.Mallocs) / float64(x.requests)
				require.Less(t, per, allocationsAllowed(x.name), "allocations per request")
				c.Close()
				g.end()
				require.GreaterOrEqual(t, g.counters().RequestsTotal, uint64(warmUp+x.requests))
			})
		}
	}
}

// allocRoutes do most of what a route can do with a request.
const allocRoutes = `
  - match: {path: "/users/{id}/*", headers: [{name: User-Agent, regex: "[a-z]+"}], query: [{name: q, exact: "1"}], source: [127.0.0.0/8]}
    split: [{cluster: up}]
    split_by: cookie:s
    rewrite: {path: "/u/{id}/{*}", host: "in.{host}", query: "id={id}&{query}"}
    request_headers: {set: {X-Client: "{client_ip}", X-Route: "{route}"}, remove: [Accept]}
    response_headers: {set: {X-Id: "{request_id}"}, add: {X-A: b}}
    timeouts: {total: 10s, connect: 5s}
  - match: {path: /go/*}
    redirect: {scheme: https, prefix: /to/}
    response_headers: {set: {X-Client: "{client_ip}"}}
`

// everything is what a cluster can do to a request that goes well.
const everything = "balance: maglev, hash: {cookie: user}, sticky: {cookie: at}, zone: a, outlier: {success_rate_factor: 1900}, hedge: {after: 5s}, retries: 3, " +
	"retry: {when: [connect, reset, timeout, refused, status], per_try: 5s}, circuit_breaker: {max_connections: 100, max_pending: 100, max_requests: 100, max_retries: 100}"

// quietOrigin answers every piece that ends a request, and allocates nothing while it does.
func quietOrigin(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		answer := []byte(ok("proxied", "Content-Type: text/plain"))
		buf := make([]byte, 4096)
		headEnd, bodyEnd := []byte("\r\n\r\n"), []byte("\r\n\r\na body for the origin")
		for got := 0; ; {
			n, err := c.Read(buf[got:])
			if err != nil {
				return
			}
			got += n
			if (buf[0] == 'G' && bytes.HasSuffix(buf[:got], headEnd)) || bytes.HasSuffix(buf[:got], bodyEnd) {
				got = 0
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}
