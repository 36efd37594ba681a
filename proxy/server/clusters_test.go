package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// switchable is an origin that answers with its name, or as it is told.
type switchable struct {
	addr   string
	status atomic.Int64 // 0: 200
	hits   atomic.Int64
	posts  atomic.Int64
}

func newSwitchable(t *testing.T, name string) *switchable {
	s := &switchable{}
	s.addr = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" {
			s.hits.Add(1)
			if r.Method == http.MethodPost {
				s.posts.Add(1)
			}
		}
		if code := int(s.status.Load()); code != 0 {
			w.WriteHeader(code)
		}
		_, _ = io.WriteString(w, name)
	})
	return s
}

// answers asks n times and counts bodies.
func (c *client) answers(n int, fields ...string) map[string]int {
	out := map[string]int{}
	for range n {
		out[c.ask(get("/", fields...)).Text]++
	}
	return out
}

func (g *gateway) healthy(want int) func() bool {
	return func() bool { return g.metric(`blitz_cluster_endpoints{cluster="up",state="healthy"}`) == float64(want) }
}

func TestHealthChecksTakeOutAndLetIn(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr},
			cluster: "health_check: {path: /ready, interval: 10ms, timeout: 5s, healthy: 2, unhealthy: 2}"})
		c := g.dial()
		require.Equal(t, map[string]int{"a": 5, "b": 5}, c.answers(10))
		a.status.Store(500)
		eventually(t, "a is out", g.healthy(1))
		require.Equal(t, map[string]int{"b": 10}, c.answers(10))
		b.status.Store(404)
		eventually(t, "b is out", g.healthy(0))
		r := c.ask(get("/"))
		require.Equal(t, 503, r.StatusCode)
		require.Contains(t, r.Text, "no_healthy_upstream")
		report := g.s.Clusters(context.Background())[0]
		require.Equal(t, "status 500", report.Endpoints[0].FailsChecks)
		require.NotZero(t, report.Endpoints[0].CheckFailures)
		a.status.Store(0)
		eventually(t, "a is in again", g.healthy(1))
		require.Equal(t, map[string]int{"a": 10}, c.answers(10))
	})
}

func TestOutlierIsEjectedAndReturns(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr},
			cluster: "retries: 0, outlier: {consecutive_5xx: 3, base_ejection: 300ms, max_ejection: 300ms}"})
		c := g.dial()
		a.status.Store(500)
		for range 6 {
			c.ask(get("/"))
		}
		eventually(t, "a is ejected", g.healthy(1))
		require.EqualValues(t, 1, g.metric(fmt.Sprintf("blitz_endpoint_ejections_total{cluster=%q,endpoint=%q}", "up", a.addr)))
		a.status.Store(0)
		eventually(t, "a is let in again", func() bool { return c.ask(get("/")).Text == "a" })
	})
}

func TestOnlyAShareIsEjected(t *testing.T) {
	a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
	a.status.Store(500)
	b.status.Store(500)
	g := gate(t, "epoll", setup{endpoints: []string{a.addr, b.addr}, cluster: "retries: 0, outlier: {consecutive_5xx: 2, max_percent: 50, base_ejection: 1m}"})
	c := g.dial()
	for range 20 {
		c.ask(get("/"))
	}
	eventually(t, "one is ejected", g.healthy(1))
	require.Equal(t, 500, c.ask(get("/")).StatusCode, "the other stays, whatever it answers")
}

func TestSuccessRateEjectsTheOneThatIsWorse(t *testing.T) {
	var eps []string
	bad := newSwitchable(t, "bad")
	for range 4 {
		eps = append(eps, newSwitchable(t, "good").addr)
	}
	bad.status.Store(500)
	g := gate(t, "epoll", setup{endpoints: append(eps, bad.addr), cluster: "retries: 0, outlier: {consecutive_5xx: 0, consecutive_connect: 0, " +
		"success_rate_factor: 1500, success_rate_volume: 5, interval: 50ms, base_ejection: 1m}"})
	c := g.dial()
	eventually(t, "it is ejected", func() bool {
		c.answers(50)
		return g.metric(`blitz_cluster_endpoints{cluster="up",state="healthy"}`) == 4
	})
	require.Equal(t, map[string]int{"good": 20}, c.answers(20))
}

func TestRetryByStatus(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
		a.status.Store(503)
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr}, cluster: "retry: {when: [status], statuses: [503], backoff: 1ms, budget: {percent: 100}}"})
		c := g.dial()
		require.Equal(t, map[string]int{"b": 10}, c.answers(10))
		// A POST is passed on as it was answered, and sent once.
		seen := a.hits.Load() + b.hits.Load()
		for range 10 {
			c.ask(request("POST", "/", "once"))
		}
		require.Equal(t, seen+10, a.hits.Load()+b.hits.Load())
		// When all fail, the client gets the last answer.
		b.status.Store(503)
		require.Equal(t, 503, c.ask(get("/")).StatusCode)
	})
}

func TestRetryAfterIsRespected(t *testing.T) {
	o := listen(t)
	g := gate(t, "epoll", setup{endpoints: []string{o.addr}, cluster: "retry: {when: [status], max_retry_after: 1s}"})
	c := g.dial()
	c.send(get("/"))
	p := o.accept()
	p.head()
	p.send("HTTP/1.1 503 No\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n")
	require.Equal(t, 503, c.response("GET").StatusCode, "two seconds are too long")
	c.send(get("/"))
	p.head()
	p.send("HTTP/1.1 503 No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
	p = o.accept()
	p.head()
	p.send(ok("second"))
	require.Equal(t, "second", c.response("GET").Text)
}

// The first retry does not wait: with this pause it would come after the test.
func TestPerTryTimeoutGoesElsewhere(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		hung, b := listen(t), newSwitchable(t, "b")
		g := gate(t, engine, setup{endpoints: []string{hung.addr, b.addr}, cluster: "retry: {per_try: 50ms, backoff: 1h, max_backoff: 1h}"})
		c := g.dial()
		require.Equal(t, map[string]int{"b": 4}, c.answers(4))
		require.Positive(t, g.metric("blitz_upstream_try_timeouts_total"))
		// A POST that may have been acted on is waited for.
		c.send(request("POST", "/", "x"))
		p := hung.accept()
		for !strings.HasPrefix(p.head(), "POST") {
			p = hung.accept() // the attempts above
		}
		p.send(ok("late"))
		require.Equal(t, "late", c.response("POST").Text)
	})
}

func TestRetryBudget(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newSwitchable(t, "a")
		a.status.Store(503)
		g := gate(t, engine, setup{endpoints: []string{a.addr}, cluster: "retries: 5, retry: {when: [status], backoff: 0s, budget: {percent: 20, min: 0}}"})
		c := g.dial()
		const n = 100
		for range n {
			require.Equal(t, 503, c.ask(get("/")).StatusCode)
		}
		require.LessOrEqual(t, a.hits.Load(), int64(n+n/5))
		require.Greater(t, a.hits.Load(), int64(n+n/10))
		require.Positive(t, g.metric("blitz_retry_budget_exhausted_total"))
	})
}

func TestHedgeTakesTheFirstAnswer(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		slow, b := listen(t), newSwitchable(t, "b")
		g := gate(t, engine, setup{endpoints: []string{slow.addr, b.addr}, cluster: "hedge: {after: 20ms}"})
		c := g.dial()
		c.send(get("/"))
		p := slow.accept()
		p.head()
		require.Equal(t, "b", c.response("GET").Text)
		p.gone() // the other attempt is given up
		require.EqualValues(t, 1, g.metric(`blitz_hedge_results_total{first="hedge"}`))
		// The original may also win.
		c.answers(1)
		c.send(get("/"))
		p = slow.accept()
		p.head()
		eventually(t, "a second attempt", func() bool { return g.metric("blitz_hedges_total") >= 1 })
		c.response("GET")
	})
}

func TestCircuitBreakerOfRequests(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "circuit_breaker: {max_requests: 1}"})
		first, second := g.dial(), g.dial()
		first.send(get("/"))
		p := o.accept()
		p.head()
		r := second.ask(get("/"))
		require.Equal(t, 503, r.StatusCode)
		require.Contains(t, r.Text, "upstream_overflow")
		p.send(ok("ok"))
		require.Equal(t, "ok", first.response("GET").Text)
		require.EqualValues(t, 1, g.metric(`blitz_circuit_breaker_total{limit="requests"}`))
	})
}

func TestCircuitBreakerOfConnectionsMakesRequestsWait(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := listen(t), listen(t)
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr}, cluster: "circuit_breaker: {max_connections: 1, max_pending: 1}"})
		first, second, third := g.dial(), g.dial(), g.dial()
		first.send(get("/1"))
		p := a.accept()
		p.head()
		second.send(get("/2"))
		eventually(t, "it waits", func() bool { return g.metric(`blitz_circuit_breaker_total{limit="connections"}`) == 1 })
		require.Equal(t, 503, third.ask(get("/3")).StatusCode, "one may wait")
		p.send(ok("one", "Connection: close"))
		require.Equal(t, "one", first.response("GET").Text)
		p = b.accept()
		require.Contains(t, p.head(), "GET /2 ")
		p.send(ok("two"))
		require.Equal(t, "two", second.response("GET").Text)
		first.send(get("/4"))
		require.Contains(t, p.head(), "GET /4 ", "the refused one had a's turn")
		p.send(ok("four"))
		require.Equal(t, "four", first.response("GET").Text)
		// The unused connection to b makes room for one to a.
		first.send(get("/5"))
		p = a.accept()
		p.head()
		p.send(ok("five"))
		require.Equal(t, "five", first.response("GET").Text)
	})
}

func TestStickyCookieSurvivesAChangeOfTheList(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b, d := newSwitchable(t, "a"), newSwitchable(t, "b"), newSwitchable(t, "d")
		s := setup{endpoints: []string{a.addr, b.addr}, cluster: "sticky: {cookie: at, secret: s, max_age: 1h}"}
		g := gate(t, engine, s)
		c := g.dial()
		r := c.ask(get("/"))
		cookie := r.Cookies()[0]
		require.Equal(t, "at", cookie.Name)
		require.Equal(t, 3600, cookie.MaxAge)
		require.True(t, cookie.HttpOnly)
		require.NotContains(t, cookie.Value, a.addr)
		mine := "Cookie: x=1; at=" + cookie.Value
		require.Equal(t, map[string]int{r.Text: 6}, c.answers(6, mine))
		require.Empty(t, c.ask(get("/", mine)).Cookies(), "once is enough")
		require.Len(t, c.answers(6), 2, "others go where they like")
		s.endpoints = []string{d.addr, b.addr, a.addr}
		require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
		require.Equal(t, map[string]int{r.Text: 6}, c.answers(6, mine))
		s.endpoints = []string{d.addr}
		require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
		r = c.ask(get("/", mine))
		require.Equal(t, "d", r.Text)
		require.Len(t, r.Cookies(), 1, "another one")
	})
}

func TestHashesSendTheSameToTheSame(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		var eps []string
		for i := range 5 {
			eps = append(eps, named(t, fmt.Sprint(i)))
		}
		for _, x := range []struct{ balance, hash, field string }{
			{"ring_hash", "header: X-User", "x-user: %d"},
			{"maglev", "cookie: user", "Cookie: a=b; user=%d"},
		} {
			g := gate(t, engine, setup{endpoints: eps, cluster: "balance: " + x.balance + ", hash: {" + x.hash + "}"})
			c := g.dial()
			used := map[string]bool{}
			for user := range 20 {
				seen := c.answers(3, fmt.Sprintf(x.field, user))
				require.Len(t, seen, 1)
				for name := range seen {
					used[name] = true
				}
			}
			require.Greater(t, len(used), 2)
			c.Close()
		}
		for _, hash := range []string{"source: true", "path: true"} {
			g := gate(t, engine, setup{endpoints: eps, cluster: "balance: maglev, hash: {" + hash + "}"})
			c := g.dial()
			require.Len(t, c.answers(10), 1)
			c.Close()
		}
	})
}

func TestDiscoveryByFile(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := listen(t), newSwitchable(t, "b")
		file := filepath.Join(t.TempDir(), "endpoints.yaml")
		write := func(addresses ...string) {
			text := "endpoints:\n"
			for _, x := range addresses {
				text += "  - address: " + x + "\n"
			}
			require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
			require.NoError(t, os.Rename(file+".new", file))
		}
		write(a.addr)
		g := gate(t, engine, setup{top: fmt.Sprintf("clusters:\n  - {name: up, discovery: {file: %q, min_interval: 100ms}}\n", file),
			routes: "  - {match: {path: /*}, cluster: up}\n"})
		c, busy := g.dial(), g.dial()
		c.send(get("/1"))
		idle := a.accept()
		idle.head()
		busy.send(get("/busy"))
		p := a.accept()
		p.head()
		idle.send(ok("a"))
		require.Equal(t, "a", c.response("GET").Text)
		write(b.addr)
		idle.gone()
		require.Equal(t, "b", c.ask(get("/")).Text)
		p.send(ok("done"))
		require.Equal(t, "done", busy.response("GET").Text, "what was in flight is finished")
		p.gone()
		require.NoError(t, os.WriteFile(file, []byte("endpoints: [{address: nonsense}]"), 0o600))
		require.Equal(t, "b", c.ask(get("/")).Text)
		// A reload that does not concern the cluster leaves what was found.
		require.NoError(t, g.reload(strings.Replace(setup{top: fmt.Sprintf("clusters:\n  - {name: up, discovery: {file: %q, min_interval: 100ms}}\n", file),
			routes: "  - {match: {path: /*}, cluster: up}\n"}.yaml(engine, g.logPath), "hello\\n", "other", 1)))
		require.Equal(t, "b", c.ask(get("/")).Text)
	})
}

func TestPanicThresholdIsAPolicy(t *testing.T) {
	a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
	a.status.Store(500)
	for action, want := range map[string]int{"use_all": 500, "fail": 503} {
		g := gate(t, "epoll", setup{endpoints: []string{a.addr, b.addr}, cluster: "health_check: {path: /ready, interval: 10ms, unhealthy: 1}, " +
			"panic_threshold: {percent: 60, action: " + action + "}"})
		eventually(t, "panic", func() bool { return g.metric(`blitz_cluster_panic{cluster="up"}`) == 1 })
		c := g.dial()
		worst := 0
		for range 4 {
			worst = max(worst, c.ask(get("/")).StatusCode)
		}
		require.Equal(t, want, worst)
		c.Close()
	}
}

func TestDeadEndpointCostsNoErrors(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		dead, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		dead.Close()
		g := gate(t, engine, setup{endpoints: []string{dead.Addr().String(), named(t, "b"), named(t, "c")}, cluster: "outlier: {consecutive_connect: 2, base_ejection: 1m}"})
		c := g.dial()
		seen := c.answers(30)
		require.Equal(t, 30, seen["b"]+seen["c"])
		eventually(t, "it is ejected", g.healthy(2))
		tried := g.metric("blitz_upstream_connect_failures_total")
		c.answers(30)
		require.Equal(t, tried, g.metric("blitz_upstream_connect_failures_total"), "nobody asks it any more")
	})
}
