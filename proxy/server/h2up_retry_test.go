package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// What tests of HTTP/1.1 say about retries holds over HTTP/2, and what is left of it there: RST_STREAM in place of a closed connection, GOAWAY, REFUSED_STREAM.

func newSwitchableH2(t *testing.T, name string) *switchable {
	s := &switchable{}
	s.addr = serveH2(t, func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		if r.Method == http.MethodPost {
			s.posts.Add(1)
		}
		if code := int(s.status.Load()); code != 0 {
			w.WriteHeader(code)
		}
		_, _ = io.WriteString(w, name)
	})
	return s
}

func TestH2UpstreamRetryByStatus(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := newSwitchableH2(t, "a"), newSwitchableH2(t, "b")
		a.status.Store(503)
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr}, cluster: "protocol: h2, retry: {when: [status], statuses: [503], backoff: 1ms, budget: {percent: 100}}"})
		c := g.dial()
		require.Equal(t, map[string]int{"b": 10}, c.answers(10))
		seen := a.hits.Load() + b.hits.Load()
		for range 10 {
			c.ask(request("POST", "/", "once"))
		}
		require.Equal(t, seen+10, a.hits.Load()+b.hits.Load(), "a POST is sent once")
		b.status.Store(503)
		require.Equal(t, 503, c.ask(get("/")).StatusCode, "the last answer, when all fail")
	})
}

func TestH2UpstreamRetryBudget(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newSwitchableH2(t, "a")
		a.status.Store(503)
		g := gate(t, engine, setup{endpoints: []string{a.addr}, cluster: "protocol: h2, retries: 5, retry: {when: [status], backoff: 0s, budget: {percent: 20, min: 0}}"})
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

// The first retry does not wait: with this pause it would come after the test.
func TestH2UpstreamPerTryTimeoutGoesElsewhere(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		hung, b := listen(t), newSwitchableH2(t, "b")
		g := gate(t, engine, setup{endpoints: []string{hung.addr, b.addr}, cluster: "protocol: h2, retry: {per_try: 50ms, backoff: 1h, max_backoff: 1h}"})
		c := g.dial()
		c.send(get("/"))
		p := hung.acceptH2()
		id := p.stream()
		require.Equal(t, "b", c.response("GET").Text)
		f := p.next(h2.FrameRSTStream)
		require.Equal(t, id, f.Stream, "the attempt is given up, and nothing else")
		require.EqualValues(t, h2.Cancel, binary.BigEndian.Uint32(f.payload))
		require.EqualValues(t, 1, g.metric("blitz_upstream_try_timeouts_total"))
	})
}

func TestH2UpstreamHedgeTakesTheFirstAnswer(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		slow, b := listen(t), newSwitchableH2(t, "b")
		g := gate(t, engine, setup{endpoints: []string{slow.addr, b.addr}, cluster: "protocol: h2, hedge: {after: 20ms}"})
		c := g.dial()
		c.send(get("/"))
		p := slow.acceptH2()
		id := p.stream()
		require.Equal(t, "b", c.response("GET").Text)
		require.Equal(t, id, p.next(h2.FrameRSTStream).Stream, "the other attempt is given up")
		require.EqualValues(t, 1, g.metric(`blitz_hedge_results_total{first="hedge"}`))
		require.Equal(t, "b", c.ask(get("/")).Text)
	})
}

// A hedge whose endpoint cannot be reached ends by the time limit of the connect, and takes nothing from the first attempt.
func TestHedgeToNowhere(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, protocol := range []string{"h1", "h2"} {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr, fullBacklog(t)}, cluster: "protocol: " + protocol + ", hedge: {after: 20ms}, retries: 0, timeouts: {connect: 60ms}"})
			c := g.dial()
			c.send(get("/"))
			answer := func() {}
			if protocol == "h1" {
				p := o.accept()
				p.head()
				answer = func() { p.send(ok("first")) }
			} else {
				p := o.acceptH2()
				id := p.stream()
				answer = func() { p.write(join(headers(id, false, block(200)), data(id, true, "first"))) }
			}
			eventually(t, "the hedge fails", func() bool { return g.metric("blitz_upstream_connect_timeouts_total") == 1 })
			answer()
			require.Equal(t, "first", c.response("GET").Text)
			c.Close()
		}
	})
}

// The rules for what is not idempotent, one by one: what the endpoint may have seen is never sent again, what it cannot have seen is.
func TestH2UpstreamPostIsNeverSentTwice(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		goAway := func(last uint32) func(p rawH2, id uint32) {
			return func(p rawH2, id uint32) { p.write(h2.AppendGoAway(nil, min(last, id), h2.NoError, "")); p.Close() }
		}
		rst := func(code h2.ErrCode) func(p rawH2, id uint32) {
			return func(p rawH2, id uint32) { p.write(h2.AppendRSTStream(nil, id, code)) }
		}
		for _, x := range []struct {
			name  string
			end   func(p rawH2, id uint32)
			again bool
		}{
			{"reset", func(p rawH2, _ uint32) { p.reset() }, false},
			{"closed", func(p rawH2, _ uint32) { p.Close() }, false},
			{"GOAWAY that includes it", goAway(1 << 30), false},
			{"GOAWAY that does not", goAway(0), true},
			{"RST_STREAM INTERNAL_ERROR", rst(h2.InternalError), false},
			{"RST_STREAM CANCEL", rst(h2.Cancel), false},
			{"RST_STREAM NO_ERROR", rst(h2.NoError), false},
			{"RST_STREAM REFUSED_STREAM", rst(h2.RefusedStream), true},
			{"broken rules", func(p rawH2, _ uint32) { p.write(h2.AppendFrame(nil, h2.FrameData, 0, 0, nil)) }, false},
		} {
			for _, warm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, warm %v", x.name, warm), func(t *testing.T) {
					o := listen(t)
					g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, retries: 3, retry: {backoff: 0s, budget: {min: 1000}}"})
					c := g.dial()
					var p rawH2
					if warm { // a connection that was idle: a GET would get a free retry
						c.send(get("/warm"))
						p = o.acceptH2()
						p.write(headers(p.stream(), true, block(200)))
						require.Equal(t, 200, c.response("GET").StatusCode)
					}
					c.send(request("POST", "/pay", "money"))
					if !warm {
						p = o.acceptH2()
					}
					id := p.stream()
					require.Equal(t, "money", string(p.next(h2.FrameData).payload))
					x.end(p, id)
					if x.again {
						if x.name != "RST_STREAM REFUSED_STREAM" {
							p = o.acceptH2()
						}
						id = p.stream()
						require.Equal(t, "money", string(p.next(h2.FrameData).payload))
						p.write(join(headers(id, false, block(200)), data(id, true, "paid")))
						require.Equal(t, "paid", c.response("POST").Text)
					} else {
						require.Equal(t, 502, c.response("POST").StatusCode)
					}
					c.Close()
					g.end()
					// Whatever has been opened has carried one stream with the POST.
					streams := uint64(1 + btoi(warm) + btoi(x.again))
					require.Equal(t, streams, g.counters().UpstreamStreams)
				})
			}
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestRetryByGRPCStatus(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		var status atomic.Int64
		status.Store(14)
		var calls atomic.Int64
		a := serveH2(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", fmt.Sprint(status.Load())) // Trailers-Only
		})
		b := serveH2(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "0")
		})
		statuses := func(g *gateway, n int) map[string]int {
			tr := &http.Transport{Protocols: new(http.Protocols)}
			tr.Protocols.SetUnencryptedHTTP2(true)
			defer tr.CloseIdleConnections()
			out := map[string]int{}
			for range n {
				r, err := (&http.Client{Transport: tr}).Post("http://"+g.addr+"/pkg.Service/Call", "application/grpc", strings.NewReader("\x00\x00\x00\x00\x00"))
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				require.Equal(t, 200, r.StatusCode)
				out[r.Header.Get("Grpc-Status")]++
			}
			return out
		}
		const retry = "when: [status], backoff: 0s, grpc_statuses: [unavailable, resource_exhausted]"
		s := setup{endpoints: []string{a, b}, cluster: "protocol: h2, retry: {" + retry + ", non_idempotent: true, budget: {percent: 100}}"}
		g := gate(t, engine, s)
		require.Equal(t, map[string]int{"0": 10}, statuses(g, 10))
		status.Store(8)
		require.Equal(t, map[string]int{"0": 10}, statuses(g, 10))
		status.Store(13)
		require.Equal(t, map[string]int{"0": 5, "13": 5}, statuses(g, 10), "not listed")
		// A call is a POST: without the operator's word it is not repeated.
		status.Store(14)
		calls.Store(0)
		s.cluster = "protocol: h2, retry: {" + retry + "}"
		g = gate(t, engine, s)
		require.Equal(t, map[string]int{"0": 5, "14": 5}, statuses(g, 10))
		require.EqualValues(t, 5, calls.Load())
	})
}

// The retry of a route takes the place of the cluster's, whatever the protocol.
func TestRouteRetry(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, protocol := range []string{"h1", "h2"} {
			make := newSwitchable
			if protocol == "h2" {
				make = newSwitchableH2
			}
			a := make(t, "a")
			a.status.Store(503)
			g := gate(t, engine, setup{endpoints: []string{a.addr}, cluster: "protocol: " + protocol + ", retries: 1, retry: {when: [status], backoff: 0s, budget: {percent: 1000}}",
				routes: "  - {match: {path: /never}, cluster: up, retry: {retries: 0}}\n" +
					"  - {match: {path: /often}, cluster: up, retry: {retries: 3, when: [status], backoff: 0s, non_idempotent: true}}\n" +
					"  - {match: {path: /other}, cluster: up, retry: {retries: 3, when: [status], statuses: [502]}}\n" +
					"  - {match: {path: /default}, cluster: up, retry: {}}\n"})
			c := g.dial()
			for path, want := range map[string]int64{"/": 2, "/never": 1, "/often": 4, "/other": 1, "/default": 1} {
				a.hits.Store(0)
				require.Equal(t, 503, c.ask(get(path)).StatusCode)
				require.Equal(t, want, a.hits.Load(), path)
			}
			a.hits.Store(0)
			c.ask(request("POST", "/often", "x"))
			require.EqualValues(t, 4, a.hits.Load())
			c.Close()
		}
	})
}

// What has no second attempt: a request of a route that says so, and a POST.
func TestNotHedged(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for i, request := range []string{get("/once"), get("/once"), request("POST", "/twice", "money"), request("POST", "/twice", "money")} {
			protocol := []string{"h1", "h2"}[i%2]
			o, b := listen(t), listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr, b.addr}, cluster: "protocol: " + protocol + ", hedge: {after: 20ms}",
				routes: "  - {match: {path: /once}, cluster: up, retry: {hedge: false}}\n  - {match: {path: /twice}, cluster: up}\n"})
			once, twice := g.dial(), g.dial()
			once.send(request)
			answers := []func(){}
			serve := func(o *origin) {
				if protocol == "h1" {
					p := o.accept()
					p.head()
					answers = append(answers, func() { p.send(ok("ok")) })
					return
				}
				p := o.acceptH2()
				id := p.stream()
				answers = append(answers, func() { p.write(join(headers(id, false, block(200)), data(id, true, "ok"))) })
			}
			serve(o)
			twice.send(get("/twice")) // its hedge is due after that of the other would be
			serve(b)
			eventually(t, "the hedge of the other request", func() bool { return g.metric("blitz_hedges_total") == 1 })
			answers[1]()
			require.Equal(t, "ok", twice.response("GET").Text)
			answers[0]()
			require.Equal(t, "ok", once.response("GET").Text)
			require.EqualValues(t, 1, g.metric("blitz_hedges_total"))
			once.Close()
			twice.Close()
		}
	})
}

// The connect timeout of a route bounds its own requests, not those of other routes that wait for the same connection.
func TestH2UpstreamRouteConnectTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t) // accepts, and says nothing: HTTP/2 is not ready before its SETTINGS are here
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, retries: 0, timeouts: {connect: 300ms}",
			routes: "  - {match: {path: /short}, cluster: up, timeouts: {connect: 30ms}}\n  - {match: {path: /long}, cluster: up, timeouts: {connect: 1m}}\n"})
		short, usual, long := g.dial(), g.dial(), g.dial()
		long.send(get("/long"))
		p := o.accept()
		usual.send(get("/usual"))
		eventually(t, "two wait", func() bool { return g.metric("blitz_requests_active") == 2 })
		r := short.ask(get("/short"))
		require.Equal(t, 504, r.StatusCode)
		require.Contains(t, r.Text, "connect_timeout")
		require.Equal(t, 504, usual.response("GET").StatusCode)
		// The patient one still waits on the same connection.
		b := make([]byte, len(h2.Preface))
		_, err := io.ReadFull(p.br, b)
		require.NoError(t, err)
		raw := rawH2{p}
		raw.write(h2.AppendSettings(nil))
		id := raw.stream()
		raw.write(join(headers(id, false, block(200)), data(id, true, "long")))
		require.Equal(t, "long", long.response("GET").Text)
		for _, c := range []*client{short, usual, long} {
			c.Close()
		}
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
		require.EqualValues(t, 2, g.counters().UpstreamConnectTimeouts)
	})
}
