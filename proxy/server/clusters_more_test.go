package server

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer knows one address for every name, while it is not silent.
type nameServer struct {
	addr   string
	silent atomic.Bool
	asked  atomic.Int64
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &nameServer{addr: pc.LocalAddr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			s.asked.Add(1)
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil || len(q.Questions) != 1 {
				continue
			}
			m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
			if s.silent.Load() {
				m.RCode = dnsmessage.RCodeServerFailure
			} else if q.Questions[0].Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 1},
					Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
				}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return s
}

// The last answer of a name server that has none any more is used as long as stale_if_error says, and an answer ends the matter.
func TestStaleIfError(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ns := newNameServer(t)
		_, port, err := net.SplitHostPort(named(t, "found"))
		require.NoError(t, err)
		for _, stale := range []string{"200ms", "1h", "0s"} {
			ns.silent.Store(false)
			g := gate(t, engine, setup{top: fmt.Sprintf("clusters:\n  - {name: up, discovery: {dns: \"api.test:%s\", server: %s, min_interval: 100ms, max_interval: 100ms, stale_if_error: %s}}\n",
				port, ns.addr, stale), routes: "  - {match: {path: /*}, cluster: up}\n"})
			c := g.dial()
			works := func() bool { return c.ask(get("/")).StatusCode == 200 }
			eventually(t, "it is found", works)
			ns.silent.Store(true)
			if stale == "200ms" {
				eventually(t, "the answer is too old", func() bool { return !works() })
				require.Contains(t, c.ask(get("/")).Text, "no_healthy_upstream")
				ns.silent.Store(false)
				eventually(t, "it is found again", works)
			} else {
				before := ns.asked.Load()
				eventually(t, "it is asked in vain", func() bool { return ns.asked.Load() >= before+6 })
				require.True(t, works())
			}
			c.Close()
		}
	})
}

// A file that has long been the same is not an old answer: how long it has been missing counts.
func TestStaleIfErrorOfAFileThatDidNotChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "endpoints.yaml")
	require.NoError(t, os.WriteFile(file, []byte("endpoints: [{address: "+named(t, "found")+"}]"), 0o600))
	const stale = 3 * time.Second
	g := gate(t, "epoll", setup{top: fmt.Sprintf("clusters:\n  - {name: up, discovery: {file: %q, min_interval: 100ms, stale_if_error: %s}}\n", file, stale),
		routes: "  - {match: {path: /*}, cluster: up}\n"})
	c := g.dial()
	works := func() bool { return c.ask(get("/")).StatusCode == 200 }
	eventually(t, "it is found", works)
	time.Sleep(stale + 200*time.Millisecond)
	require.NoError(t, os.Remove(file))
	for range 50 { // the file is looked at several times meanwhile
		require.True(t, works())
		time.Sleep(10 * time.Millisecond)
	}
	eventually(t, "the list is too old", func() bool { return !works() })
	c.Close()
}

func TestCircuitBreakerOfRetries(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 1, retry: {when: [status], statuses: [503], backoff: 0s, budget: {percent: 1000}}, circuit_breaker: {max_retries: 1}"})
		first, second := g.dial(), g.dial()
		fails := func() *peer {
			p := o.accept()
			p.head()
			p.send("HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			return p
		}
		first.send(get("/1"))
		fails()
		again := o.accept()
		require.Contains(t, again.head(), "GET /1 ") // the one retry that may be under way
		second.send(get("/2"))
		fails()
		require.Equal(t, 503, second.response("GET").StatusCode)
		require.EqualValues(t, 1, g.metric(`blitz_circuit_breaker_total{limit="retries"}`))
		again.send(ok("one", "Connection: close"))
		require.Equal(t, "one", first.response("GET").Text)
		second.send(get("/3"))
		fails()
		p := o.accept()
		require.Contains(t, p.head(), "GET /3 ")
		p.send(ok("three"))
		require.Equal(t, "three", second.response("GET").Text)
		require.EqualValues(t, 1, g.metric(`blitz_circuit_breaker_total{limit="retries"}`))
	})
}

// The own zone first, then the other ones, then the next level; and at the end the panic threshold.
func TestZonesAndPrioritiesFailOver(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		var eps []*switchable
		for _, name := range []string{"east1", "east2", "west", "spare"} {
			eps = append(eps, newSwitchable(t, name))
		}
		g := gate(t, engine, setup{
			endpoints: []string{eps[0].addr + ", zone: east", eps[1].addr + ", zone: east", eps[2].addr + ", zone: west", eps[3].addr + ", priority: 1, zone: east"},
			cluster: "zone: east, spill_below: 60, retries: 0, health_check: {path: /ready, interval: 10ms, timeout: 5s, healthy: 1, unhealthy: 1}, " +
				"panic_threshold: {percent: 10, action: use_all}"})
		c := g.dial()
		seen := c.answers(40)
		require.Equal(t, map[string]int{"east1": 20, "east2": 20}, seen)
		// Half of the zone is left: it takes 50/60 of the requests, the other zone the rest.
		eps[0].status.Store(500)
		eventually(t, "one is out", g.healthy(3))
		seen = c.answers(600)
		require.Equal(t, 600, seen["east2"]+seen["west"], "%v", seen)
		require.InDelta(t, 500, seen["east2"], 60)
		eps[1].status.Store(500)
		eventually(t, "the zone is out", g.healthy(2))
		require.Equal(t, map[string]int{"west": 40}, c.answers(40), "the other zone, before the next level")
		eps[2].status.Store(500)
		eventually(t, "the level is out", g.healthy(1))
		require.Equal(t, map[string]int{"spare": 20}, c.answers(20))
		require.Zero(t, g.metric(`blitz_cluster_panic{cluster="up"}`))
		eps[3].status.Store(500)
		eventually(t, "all are out", g.healthy(0))
		require.EqualValues(t, 1, g.metric(`blitz_cluster_panic{cluster="up"}`))
		seen = c.answers(40) // health is not believed any more
		require.Greater(t, len(seen), 1, "%v", seen)
		eps[0].status.Store(0)
		eventually(t, "one is back", g.healthy(1))
		require.Zero(t, g.metric(`blitz_cluster_panic{cluster="up"}`))
	})
}

// An endpoint that is healthy again gets a tenth of its share at first, and all of it in the end.
func TestSlowStart(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, slow := range []string{"1h", "200ms"} {
			a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
			b.status.Store(500)
			g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr},
				cluster: "slow_start: " + slow + ", health_check: {path: /ready, interval: 10ms, timeout: 5s, healthy: 1, unhealthy: 1}"})
			c := g.dial()
			eventually(t, "b is out", g.healthy(1))
			b.status.Store(0)
			eventually(t, "b is back", g.healthy(2))
			if slow == "1h" {
				seen := c.answers(110)
				require.InDelta(t, 10, seen["b"], 3, "%v", seen)
			} else {
				eventually(t, "it has its share", func() bool { return c.answers(20)["b"] == 10 })
			}
			c.Close()
		}
	})
}

// An endpoint that a reload removes finishes what it has, and gets nothing more; what carries nothing is closed at once.
func TestRemovedEndpointsDrain(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, protocol := range []string{"h1", "h2"} {
			arrived, release := make(chan struct{}, 1), make(chan struct{})
			open := make(chan struct{}, 16) // ended connections of the endpoint
			start := serve
			if protocol == "h2" {
				start = func(t *testing.T, h http.HandlerFunc) string {
					return serveH2(t, h, func(s *http.Server) { s.ConnState = ended(open) })
				}
			}
			old := start(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					arrived <- struct{}{}
					<-release
				}
				fmt.Fprint(w, "old")
			})
			s := setup{endpoints: []string{old}, cluster: "protocol: " + protocol}
			g := gate(t, engine, s)
			c, slow := g.dial(), g.dial()
			slow.send(get("/slow"))
			<-arrived
			require.Equal(t, "old", c.ask(get("/")).Text)
			next := newSwitchable
			if protocol == "h2" {
				next = newSwitchableH2
			}
			s.endpoints = []string{next(t, "new").addr}
			require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
			require.Equal(t, map[string]int{"new": 10}, c.answers(10))
			eventually(t, "one connection to each", func() bool { return g.metric("blitz_upstream_connections_active") == 2 })
			close(release)
			require.Equal(t, "old", slow.response("GET").Text)
			eventually(t, "the last connection to the old one is closed", func() bool { return g.metric("blitz_upstream_connections_active") == 1 })
			if protocol == "h2" {
				<-open
			}
			c.Close()
			slow.Close()
		}
	})
}

// ended reports connections that are closed.
func ended(to chan<- struct{}) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			to <- struct{}{}
		}
	}
}
