package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEndpointsTakeTurnsByWeight(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{endpoints: []string{named(t, "a") + ", weight: 3", named(t, "b") + ", weight: 1", named(t, "c") + ", weight: 2"}})
		c := g.dial()
		var got strings.Builder
		for range 12 {
			got.WriteString(c.ask(get("/")).Text)
		}
		c.Close()
		first, second := got.String()[:6], got.String()[6:]
		require.Equal(t, first, second, "the turn repeats")
		require.Equal(t, 3, strings.Count(first, "a"))
		require.Equal(t, 1, strings.Count(first, "b"))
		require.Equal(t, 2, strings.Count(first, "c"))
		require.NotContains(t, first, "aaa", "a heavy endpoint is not hit in bursts")
		g.end()
		require.EqualValues(t, 3, g.counters().UpstreamConnects)
		require.EqualValues(t, 9, g.counters().UpstreamReuses)
	})
}

func TestPoolKeepsMaxIdleConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		release := make(chan struct{})
		var arrived sync.WaitGroup
		arrived.Add(4)
		addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			arrived.Done()
			<-release
			_, _ = io.WriteString(w, "done")
		})
		g := gate(t, engine, setup{endpoints: []string{addr}, cluster: "max_idle: 2"})
		var clients []*client
		for range 4 {
			c := g.dial()
			c.send(get("/"))
			clients = append(clients, c)
		}
		arrived.Wait()
		require.EqualValues(t, 4, g.metric("blitz_upstream_connections_active"))
		close(release)
		for _, c := range clients {
			require.Equal(t, "done", c.response("GET").Text)
			c.Close()
		}
		eventually(t, "two connections are closed", func() bool { return g.metric("blitz_upstream_connections_active") == 2 })
		require.EqualValues(t, 2, g.metric("blitz_upstream_connections_idle"))
	})
}

func TestPoolWithoutIdleConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{endpoints: []string{named(t, "a")}, cluster: "max_idle: 0"})
		c := g.dial()
		for range 3 {
			require.Equal(t, "a", c.ask(get("/")).Text)
		}
		c.Close()
		g.end()
		require.EqualValues(t, 3, g.counters().UpstreamConnects)
	})
}

func TestIdleConnectionsEndAfterTheirKeepAliveTime(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "timeouts: {keepalive: 20ms}"})
		c := g.dial()
		c.send(get("/"))
		p := o.accept()
		p.head()
		p.send(ok("x"))
		require.Equal(t, "x", c.response("GET").Text)
		p.gone()
		eventually(t, "the connection is gone", func() bool { return g.metric("blitz_upstream_connections_active") == 0 })
		c.send(get("/"))
		p = o.accept()
		p.head()
		p.send(ok("y"))
		require.Equal(t, "y", c.response("GET").Text)
		c.Close()
	})
}

func TestRequestsWaitForAConnectionAndOverflow(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "max_connections: 1, max_idle: 1, max_pending: 1"})
		first, second, third := g.dial(), g.dial(), g.dial()
		first.send(get("/1"))
		p := o.accept()
		require.Contains(t, p.head(), "GET /1 ")
		second.send(get("/2"))
		eventually(t, "the second request is in", func() bool { return g.metric("blitz_requests_active") == 2 })
		r := third.ask(get("/3"))
		require.Equal(t, 503, r.StatusCode)
		require.Equal(t, "503 Service Unavailable: upstream_overflow: too many requests are waiting for this upstream\n", r.Text)
		require.Equal(t, "1", r.Header.Get("Retry-After"))
		require.False(t, r.Close)
		p.send(ok("one"))
		require.Equal(t, "one", first.response("GET").Text)
		require.Contains(t, p.head(), "GET /2 ", "the connection goes on to the request that waited")
		p.send(ok("two", "Connection: close"))
		require.Equal(t, "two", second.response("GET").Text)
		third.send(get("/4"))
		p = o.accept()
		p.head()
		p.send(ok("four"))
		require.Equal(t, "four", third.response("GET").Text)
		for _, c := range []*client{first, second, third} {
			c.Close()
		}
		e := g.log()[0]
		require.Equal(t, "UO", e.Flags)
		require.Equal(t, "upstream_overflow", e.Code)
		require.EqualValues(t, 2, g.counters().UpstreamConnects)
	})
}

// A request that waits for a connection has the connect timeout to get one.
func TestRequestDoesNotWaitForEverForAConnection(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "max_connections: 1, max_idle: 1, timeouts: {connect: 50ms}"})
		first, second := g.dial(), g.dial()
		first.send(get("/1"))
		p := o.accept()
		p.head()
		r := second.ask(get("/2"))
		require.Equal(t, 503, r.StatusCode)
		p.send(ok("one"))
		require.Equal(t, "one", first.response("GET").Text)
		first.Close()
		second.Close()
		require.Equal(t, "UO", g.log()[0].Flags)
	})
}

// A client that leaves takes its place in the queue with it.
func TestWaitingRequestOfALostClientIsForgotten(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "max_connections: 1, max_idle: 1"})
		first, second, third := g.dial(), g.dial(), g.dial()
		first.send(get("/1"))
		p := o.accept()
		p.head()
		for i, c := range []*client{second, third} {
			c.send(get(fmt.Sprint("/", i+2)))
			eventually(t, "it waits", func() bool { return g.metric("blitz_requests_active") == float64(i+2) })
		}
		second.Close()
		eventually(t, "it left", func() bool { return g.metric("blitz_requests_active") == 2 })
		p.send(ok("one"))
		require.Equal(t, "one", first.response("GET").Text)
		require.Contains(t, p.head(), "GET /3 ")
		p.send(ok("three"))
		require.Equal(t, "three", third.response("GET").Text)
		first.Close()
		third.Close()
	})
}

func TestUnsolicitedBytesEndAPooledConnection(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()

		// While it waits in the pool.
		c.send(get("/"))
		p := o.accept()
		p.head()
		p.send(ok("a"))
		require.Equal(t, "a", c.response("GET").Text)
		p.send(ok("poison"))
		p.gone()

		// Together with the response.
		c.send(get("/"))
		p = o.accept()
		p.head()
		p.send(ok("b") + ok("poison"))
		require.Equal(t, "b", c.response("GET").Text)
		p.gone()

		c.send(get("/"))
		p = o.accept()
		p.head()
		p.send(ok("c"))
		require.Equal(t, "c", c.response("GET").Text)
		c.Close()
		g.end()
		require.EqualValues(t, 2, g.counters().UpstreamUnsolicited)
	})
}
