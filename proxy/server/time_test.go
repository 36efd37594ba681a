package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeaderTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "timeouts: {header: 50ms}"})
		c := g.dial()
		c.send("GET /hello HTTP/1.1\r\nHost:")
		r := c.response("GET")
		require.Equal(t, 408, r.StatusCode)
		require.Equal(t, "408 Request Timeout: request_header_timeout: the request head did not arrive in time\n", r.Text)
		require.True(t, r.Close)
		c.closed()

		// Also for the second request of a connection.
		c = g.dial()
		c.send(get("/hello") + "GET /he")
		require.Equal(t, 200, c.response("GET").StatusCode)
		require.Equal(t, 408, c.response("GET").StatusCode)
		c.closed()

		// Who sends nothing at all is not answered.
		c = g.dial()
		c.closed()

		log := g.log()
		require.Equal(t, "DT", log[0].Flags)
		require.Equal(t, "request_header_timeout", log[0].Code)
	})
}

func TestIdleTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "timeouts: {idle: 30ms}"})
		c := g.dial()
		require.False(t, c.ask(get("/hello")).Close)
		c.closed()
	})
}

func TestBodyTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: "timeouts: {body_idle: 50ms}"})
		for _, framing := range []string{"Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 300_000)} {
			c := g.dial()
			c.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing)
			p := o.accept()
			p.head()
			r := c.response("POST")
			require.Equal(t, 408, r.StatusCode)
			require.Equal(t, "408 Request Timeout: request_body_timeout: the request body stalled\n", r.Text)
			require.True(t, r.Close)
			c.closed()
			p.gone()
		}
		e := g.log()[0]
		require.Equal(t, "DT", e.Flags)
		require.Equal(t, "request_body_timeout", e.Code)
	})
}

// The endpoint's time limit says nothing about how long a client may take.
func TestSlowUploadIsNotTheEndpointsFault(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "timeouts: {idle: 30ms}"})
		c := g.dial()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
		p := o.accept()
		p.head()
		b := make([]byte, 3)
		_, err := io.ReadFull(p.br, b)
		require.NoError(t, err)
		// Longer than that limit: nothing to wait for but the clock.
		time.Sleep(120 * time.Millisecond)
		c.send("def")
		_, err = io.ReadFull(p.br, b)
		require.NoError(t, err)
		p.send(ok("slow"))
		require.Equal(t, "slow", c.response("POST").Text)
		c.Close()
	})
}

func TestClientThatDoesNotReadIsCut(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: "timeouts: {body_idle: 100ms}"})
		c := g.dial()
		require.NoError(t, c.SetReadBuffer(4096))
		c.send(get("/"))
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
		junk := make([]byte, 64<<10)
		for {
			if _, err := p.Write(junk); err != nil {
				break // the gateway has given up, and told the endpoint
			}
		}
		eventually(t, "the connection is cut", func() bool { return g.metric("blitz_downstream_connections_active") == 0 })
		require.Equal(t, 1.0, g.metric(`blitz_failures_total{code="client_write_timeout"}`))
		require.Equal(t, "DC", g.log()[0].Flags)
	})
}

func TestFirstByteTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "timeouts: {first_byte: 40ms}",
			routes: "  - {match: {path: /patient}, cluster: up, timeouts: {first_byte: 10s}}\n"})
		c := g.dial()
		for _, part := range []string{"", "HTTP/1.1 20"} {
			c.send(get("/"))
			p := o.accept()
			p.head()
			p.send(part)
			r := c.response("GET")
			require.Equal(t, 504, r.StatusCode)
			require.Equal(t, "504 Gateway Timeout: first_byte_timeout: the upstream did not answer in time\n", r.Text)
			require.False(t, r.Close)
			p.gone()
		}
		c.send(get("/patient"))
		p := o.accept()
		p.head()
		time.Sleep(100 * time.Millisecond) // longer than the cluster's limit
		p.send(ok("at last"))
		require.Equal(t, "at last", c.response("GET").Text)
		c.Close()
		e := g.log()[0]
		require.Equal(t, "UT", e.Flags)
		require.Equal(t, "first_byte_timeout", e.Code)
		require.Equal(t, 1, e.Attempts)
	})
}

func TestUpstreamThatStallsInItsResponse(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "timeouts: {idle: 40ms}",
			routes: "  - {match: {path: /patient}, cluster: up, timeouts: {idle: 10s}}\n"})
		for _, response := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
			"HTTP/1.1 200 OK\r\n\r\nhalf"} {
			c := g.dial()
			c.send(get("/"))
			p := o.accept()
			p.head()
			p.send(response)
			c.broken("GET")
			p.gone()
		}
		c := g.dial()
		c.send(get("/patient"))
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
		time.Sleep(100 * time.Millisecond) // longer than the cluster's limit
		p.send("half")
		require.Equal(t, "halfhalf", c.response("GET").Text)
		c.Close()
		for _, e := range g.log()[:3] {
			require.Equal(t, "UT", e.Flags)
			require.Equal(t, "upstream_idle_timeout", e.Code)
		}
	})
}

func TestUpstreamThatDoesNotTakeTheRequest(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "timeouts: {idle: 100ms}"})
		c := g.dial()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
			junk := make([]byte, 64<<10)
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		}()
		o.accept()
		r := c.response("POST")
		require.Equal(t, 504, r.StatusCode)
		require.True(t, r.Close)
		<-done
		require.Equal(t, "UT", g.log()[0].Flags)
	})
}

func TestConnectTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		// A backlog of one that is full: the kernel drops further SYNs, so connecting never ends.
		full := fullBacklog(t)
		g := gate(t, engine, setup{endpoints: []string{full}, cluster: "timeouts: {connect: 60ms}, retries: 1"})
		c := g.dial()
		r := c.ask(request("POST", "/", "x"))
		require.Equal(t, 504, r.StatusCode)
		require.Equal(t, "504 Gateway Timeout: connect_timeout: connecting to the upstream took too long\n", r.Text)
		c.Close()
		e := g.log()[0]
		require.Equal(t, "UF,UT", e.Flags)
		require.Equal(t, 2, e.Attempts)
		require.EqualValues(t, 2, g.counters().UpstreamConnectTimeouts)

		// A route may be less patient than its cluster.
		g = gate(t, engine, setup{endpoints: []string{full}, cluster: "timeouts: {connect: 1h}, retries: 0",
			routes: "  - {match: {path: /short}, cluster: up, timeouts: {connect: 60ms}}\n"})
		c = g.dial()
		r = c.ask(get("/short"))
		require.Equal(t, 504, r.StatusCode)
		require.Contains(t, r.Text, "connect_timeout")
		c.Close()
	})
}
