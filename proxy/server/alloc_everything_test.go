package server

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// everythingOn is a hundred routes that rewrite and divide, a cluster that checks, ejects, retries and hedges, and a log that is chosen and sampled. Each
// of the routes has series of its own.
func everythingOn(h2 bool) setup {
	var routes strings.Builder
	for i := range 100 {
		fmt.Fprintf(&routes, `
  - name: r%d
    match: {path: "/r%d/{id}/*", headers: [{name: User-Agent, prefix: te}], query: [{name: q, exact: "1"}]}
    cluster: up
    rewrite: {path: "/u/{id}/{*}", host: "in.{host}", query: "id={id}&{query}"}
    request_headers: {set: {X-Client: "{client_ip}", X-Route: "{route}"}, add: {X-Seen: "{header:User-Agent}"}, remove: [Accept]}
    response_headers: {set: {X-Id: "{request_id}"}, add: {X-A: b}, remove: [Content-Type]}
    timeouts: {connect: 2s, first_byte: 5s, idle: 5s, total: 10s}
    max_body: 1MiB
`, i, i)
	}
	s := setup{
		routes: routes.String()[1:],
		top:    "tracing: {request_id: true, trace_context: true}\n",
		log:    "fields: [time, client, method, host, path, status, flags, duration_us, route, cluster, endpoint, attempts, request_id, tls, cipher, alpn, sni], sample: 0.2, slow: 50ms",
		cluster: strings.Replace(everything, "outlier: {", "outlier: {consecutive_5xx: 5, consecutive_connect: 3, ", 1) +
			", health_check: {protocol: tcp, interval: 30s}, panic_threshold: {percent: 25}, timeouts: {connect: 1s, first_byte: 6s}",
	}
	s.cluster = strings.Replace(s.cluster, "per_try: 5s}", "per_try: 5s, statuses: [503], budget: {percent: 20, min: 10}}", 1)
	if h2 {
		s.cluster += ", protocol: h2"
	}
	return s
}

// With everything on that a request may meet, one that goes well allocates nothing, on its way there and back, counted and logged. What checks of health
// and the sampling of outliers allocate beside it belongs to the control plane: the first check is made before the count begins, the next is far off.
func TestEverythingOnAllocatesNothing(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		for _, x := range []struct {
			name, method, body string
			h2                 bool
		}{
			{"get", "GET", "", false},
			{"post", "POST", "a body for the origin", false},
			{"get over HTTP/2", "GET", "", true},
		} {
			t.Run(engine+"/"+x.name, func(t *testing.T) {
				s := everythingOn(x.h2)
				if x.h2 {
					s.endpoints = []string{quietH2Origin(t)}
					s.cluster = strings.Replace(s.cluster, "health_check: {protocol: tcp, interval: 30s}, ", "", 1) // that origin takes one connection
				} else {
					s.endpoints = []string{quietOrigins(t), quietOrigins(t) + ", weight: 2, zone: a"}
				}
				g := gate(t, engine, s)
				c, err := net.Dial("tcp", g.addr)
				require.NoError(t, err)
				defer c.Close()
				var batch []byte
				const routes = 100
				for i := range routes {
					batch = append(batch, request(x.method, fmt.Sprintf("/r%d/7/x?q=1", i), x.body, "User-Agent: test", "Accept: */*", "Cookie: a=b; at=unknown; user=7",
						"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")...)
				}
				// Ten of the hundred are sent at a time; their answers are as long as those of the first round were, but for the number of the route.
				buf, end := make([]byte, 64<<10), []byte("\r\n\r\nproxied")
				ask := func() bool {
					for rest := batch; len(rest) > 0; {
						n := 0
						for range 10 {
							head := bytes.Index(rest[n:], []byte("\r\n\r\n")) + 4
							n += head + len(x.body)
						}
						if _, err := c.Write(rest[:n]); err != nil {
							return false
						}
						rest = rest[n:]
						for got, answers := 0, 0; answers < 10; {
							m, err := c.Read(buf[got:])
							if err != nil {
								return false
							}
							got += m
							answers = bytes.Count(buf[:got], end)
						}
					}
					return true
				}
				for range 20 {
					require.True(t, ask())
				}
				const rounds = 200
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				worked := true
				for range rounds {
					worked = worked && ask()
				}
				runtime.ReadMemStats(&after)
				require.True(t, worked)
				per := float64(after.Mallocs-before.Mallocs) / (rounds * routes)
				require.Less(t, per, allocationsAllowed(x.name), "allocations per request")

				// All of it was really on.
				require.EqualValues(t, 220, g.metric(`blitz_route_requests_total{route="r99",class="2xx"}`))
				require.EqualValues(t, 220, g.metric(`blitz_route_duration_seconds_count{route="r0"}`))
				if !x.h2 {
					require.Positive(t, g.metric(fmt.Sprintf(`blitz_endpoint_checks_total{cluster="up",endpoint="%s"}`, strings.Split(s.endpoints[0], ",")[0])))
				}
				c.Close()
				g.end()
				log, err := os.ReadFile(g.logPath)
				require.NoError(t, err)
				lines := strings.Count(string(log), "\n")
				require.Greater(t, lines, 1000, "a fifth of 22,000")
				require.Less(t, lines, 11_000)
				require.Contains(t, string(log), `"route":"r42"`)
			})
		}
	}
}

// quietOrigins is quietOrigin for any number of connections, those of health checks among them.
func quietOrigins(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answer := []byte(ok("proxied", "Content-Type: text/plain"))
	headEnd, bodyEnd := []byte("\r\n\r\n"), []byte("\r\n\r\na body for the origin")
	serve := func(c net.Conn) {
		defer c.Close()
		buf := make([]byte, 4096)
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
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}
