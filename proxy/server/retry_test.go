package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// warm makes the gateway keep one idle connection to o.
func warm(g *gateway, o *origin, c *client) *peer {
	g.t.Helper()
	c.send(get("/warm"))
	p := o.accept()
	p.head()
	p.send(ok("warm"))
	require.Equal(g.t, "warm", c.response("GET").Text)
	return p
}

// A kept connection that turns out to be dead costs the client nothing, as long as repeating is allowed.
func TestStaleConnectionIsReplacedForIdempotentRequests(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, x := range []struct {
			method string
			end    func(p *peer)
		}{
			{"GET", func(p *peer) { p.Close() }},
			{"GET", func(p *peer) { p.reset() }},
			{"PUT", func(p *peer) { p.Close() }},
			{"DELETE", func(p *peer) { p.reset() }},
		} {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 0"})
			c := g.dial()
			p := warm(g, o, c)
			// The request is on its way when the endpoint ends the connection without having read it.
			body := ""
			if x.method == "PUT" {
				body = "with a body"
			}
			c.send(request(x.method, "/again", body))
			p.head()
			x.end(p)
			p = o.accept()
			r, got := p.request()
			require.Equal(t, x.method, r.Method)
			require.Equal(t, "/again", r.URL.Path)
			require.Equal(t, body, got)
			p.send(ok("fresh"))
			require.Equal(t, "fresh", c.response(x.method).Text)
			c.Close()
			log := g.log()
			require.Equal(t, 2, log[1].Attempts)
			require.Empty(t, log[1].Flags)
			require.EqualValues(t, 1, g.counters().UpstreamStale)
		}
	})
}

func TestPostIsNeverSentTwice(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 3"})
		c := g.dial()
		p := warm(g, o, c)
		c.send(request("POST", "/pay", "money"))
		p.head()
		p.Close()
		r := c.response("POST")
		require.Equal(t, 502, r.StatusCode)
		require.Equal(t, "502 Bad Gateway: upstream_reset: the upstream closed the connection before it answered\n", r.Text)
		// The next connection of the gateway carries the next request, not that one again.
		c.send(get("/next"))
		p = o.accept()
		require.Contains(t, p.head(), "GET /next ")
		p.send(ok("next"))
		require.Equal(t, "next", c.response("GET").Text)
		c.Close()
		e := g.log()[1]
		require.Equal(t, "UC", e.Flags)
		require.Equal(t, 1, e.Attempts)
		require.EqualValues(t, 0, g.counters().UpstreamRetries)
	})
}

func TestFailedAttemptOnAFreshConnectionCountsAgainstRetries(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for retries := range 3 {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: " + string(rune('0'+retries))})
			c := g.dial()
			c.send(get("/"))
			for range retries + 1 {
				p := o.accept()
				p.head()
				p.Close()
			}
			r := c.response("GET")
			require.Equal(t, 502, r.StatusCode)
			c.Close()
			e := g.log()[0]
			require.Equal(t, retries+1, e.Attempts)
			require.Equal(t, "UC", e.Flags)
			require.Equal(t, "upstream_reset", e.Code)
		}
	})
}

func TestConnectFailureGoesToTheOtherEndpoint(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{endpoints: []string{refusedAddr(t), named(t, "alive")}})
		c := g.dial()
		for range 6 {
			require.Equal(t, "alive", c.ask(request("POST", "/", "nothing of it was sent yet")).Text)
		}
		c.Close()
		g.end()
		require.EqualValues(t, 3, g.counters().UpstreamConnectFailures)
		require.EqualValues(t, 3, g.counters().UpstreamRetries)
	})
}

// Once a byte of the response has reached the client there is no second attempt.
func TestNoRetryAfterTheResponseBegan(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 5"})
		c := g.dial()
		c.send(get("/"))
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
		p.Close()
		c.broken("GET")
		e := g.log()[0]
		require.Equal(t, 1, e.Attempts)
		require.Equal(t, "UC", e.Flags)
		require.Equal(t, http.StatusOK, e.Status)
		require.Equal(t, "upstream_truncated", e.Code)
	})
}
