package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

// kind of a scenario.
type kind int

const (
	load kind = iota
	idle
	cold
	find
	chaos
	scaling
	reload
)

// Scenario is one thing that is asked of every target.
type Scenario struct {
	Name  string
	Title string
	About string
	kind  kind
	// proxied: answered by the origin with bodyBytes; otherwise the target answers by itself.
	proxied   bool
	bodyBytes int64
	path      string
	// connections of the load generator.
	connections int
	// newConnection for each request.
	newConnection bool
	// rates that are offered to every target, requests per second; half of the slowest saturation is added.
	rates []float64
	// attacked: only fixed rates are measured, while attack (a key of attacks, "" for none) goes on.
	attacked bool
	attack   string
	// tls on the listener; h2: HTTP/2 with so many streams on each connection; originH2: HTTP/2 to the origin, with prior knowledge.
	tls, h2, originH2 bool
	streams           int
	// grpc: unary calls. handshakes: a request is a TLS handshake and nothing else, of a new session, or resumed.
	grpc, handshakes, resumed bool
	// shares of the slowest target's saturation that are offered to every target, beside rates.
	shares []float64
	// slo: the highest rate that keeps this objective, or the machine's, is sought with blitzload find.
	slo string
	// full: only the full profile has it among "all".
	full bool
	// vanilla: targets that are measured sparingly are measured here; sparing is how many there are, for the plan.
	vanilla bool
	sparing int
	// able is how many of the targets do this scenario, for the plan; 0: all, -1: none.
	able int
	// routes of a configuration that is reloaded, beside those that every one has.
	routes int
	// equipped: the targets that can have everything on are measured in both forms, beside nginx and haproxy.
	equipped bool
}

var scenarios = []Scenario{
	{
		Name: "h1-static", Title: "HTTP/1.1, fixed answer", vanilla: true,
		About: "Keep-alive requests for a body of 13 bytes that the target answers by itself: the cost of a request without an upstream.",
		path:  target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 64, rates: []float64{20000},
	},
	{
		Name: "h1-proxy-100b", Title: "HTTP/1.1, proxied, 100 B",
		About:   "Keep-alive requests forwarded over pooled connections to one origin that answers 100 bytes.",
		proxied: true, path: "/100b", bodyBytes: 100, connections: 64, rates: []float64{20000},
	},
	{
		Name: "h1-proxy-1k", Title: "HTTP/1.1, proxied, 1 KiB", vanilla: true,
		About:   "Keep-alive requests forwarded over pooled connections to one origin that answers 1,024 bytes.",
		proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 64, rates: []float64{20000}, shares: []float64{0.1, 0.5, 0.8},
	},
	{
		Name: "h1-churn", Title: "HTTP/1.1, a new connection per request",
		About: "Each request opens its own connection and the target answers by itself: accept, parse, answer, close.",
		path:  target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 64, newConnection: true,
	},
	{
		Name: "h1-large", Title: "HTTP/1.1, proxied, 1 MiB",
		About:   "Keep-alive requests for bodies of 1 MiB, forwarded from one origin: the cost of moving bytes.",
		proxied: true, path: "/1m", bodyBytes: 1 << 20, connections: 32,
	},
	{
		Name: "h1-tls-proxy", Title: "HTTP/1.1 over TLS, proxied, 1 KiB",
		About: "Keep-alive requests over TLS 1.3, forwarded in the clear over pooled connections to one origin that answers 1,024 bytes.",
		tls:   true, proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 64, rates: []float64{20000},
	},
	{
		Name: "h2-static", Title: "HTTP/2 over TLS, fixed answer", vanilla: true,
		About: "16 connections with 32 requests at once on each, for a body of 13 bytes that the target answers by itself.",
		tls:   true, h2: true, streams: 32, path: target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 16, rates: []float64{20000},
		shares: []float64{0.2, 0.5, 0.8},
	},
	{
		Name: "h2-proxy", Title: "HTTP/2 over TLS, proxied, 1 KiB",
		About: "16 connections with 32 requests at once on each, forwarded in HTTP/1.1 to one origin that answers 1,024 bytes.",
		tls:   true, h2: true, streams: 32, proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 16, rates: []float64{20000},
		shares: []float64{0.2, 0.5, 0.8},
	},
	{
		Name: "h2-proxy-h2", Title: "HTTP/2 over TLS, proxied in HTTP/2, 1 KiB", full: true,
		About: "As h2-proxy, but the origin speaks HTTP/2, with prior knowledge.",
		tls:   true, h2: true, originH2: true, streams: 32, proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 16, rates: []float64{20000},
	},
	{
		Name: "grpc-unary", Title: "gRPC, unary calls", full: true,
		About: "Calls with a message of 100 bytes each way over TLS, forwarded to an origin that speaks HTTP/2 with prior knowledge; grpc-status is checked.",
		tls:   true, h2: true, originH2: true, grpc: true, streams: 32, proxied: true, path: "/blitz.Bench/Call", bodyBytes: 100, connections: 16,
		rates: []float64{20000},
	},
	{
		Name: "tls-handshake", Title: "TLS 1.3 handshakes", full: true,
		About: "Each request is a full handshake (ECDSA P-256, X25519) on a connection of its own, and nothing more. The load generator makes them on one thread for each of its CPUs, and what waits for it there is in the response times.",
		tls:   true, handshakes: true, newConnection: true, path: target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 64,
	},
	{
		Name: "tls-handshake-resumed", Title: "TLS 1.3 handshakes, resumed", full: true,
		About: "Each request is a handshake that resumes a session by its ticket, on a connection of its own, and nothing more. The load generator makes them on one thread for each of its CPUs, and what waits for it there is in the response times.",
		tls:   true, handshakes: true, resumed: true, newConnection: true, path: target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 64,
	},
	{
		Name: "h1-slo", Title: "HTTP/1.1, highest rate that holds an objective", kind: find, full: true, slo: "p99<1ms,errors<0.1%",
		About: "The highest rate, in an open loop, at which an objective holds for the response time, counted from the moment at which a request was due, and for the share of requests that fail. " +
			"Forwarded to one origin that answers 1,024 bytes.",
		proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 64,
	},
	{
		Name: "h2-slo", Title: "HTTP/2 over TLS, highest rate that holds an objective", kind: find, full: true, slo: "p99<1ms,errors<0.1%",
		About: "As h1-slo, in HTTP/2 over TLS with 16 connections and up to 32 requests at once on each.",
		tls:   true, h2: true, streams: 32, proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 16,
	},
	{
		Name: "h1-proxy-full", Title: "HTTP/1.1, proxied, 1 KiB, with everything on", full: true, equipped: true,
		About:   "As h1-proxy-1k. NAME-full has 100 routes, a line in the access log for each request, metrics on its admin listener, and retries armed; the others have none of it.",
		proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 64, rates: []float64{20000},
	},
	attackScenario("none", "", "The same load as below without an attack: what to compare with."),
	attackScenario("headers", "headers", "1,000 connections whose request heads never end (slowloris)."),
	attackScenario("body", "body", "1,000 connections whose request bodies drip."),
	attackScenario("range", "range", "1,000 connections that ask for thousands of overlapping ranges."),
	attackScenario("read", "read", "1,000 connections that read their responses a few bytes at a time."),
	{
		Name: "idle-10k", Title: "10,000 idle connections", kind: idle,
		About: "Connections that have been served one request each and are kept open: memory and CPU time of doing nothing.",
		path:  target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 10000,
	},
	{
		Name: "idle-10k-tls", Title: "10,000 idle TLS connections", kind: idle, full: true,
		About: "As idle-10k, over TLS 1.3.",
		tls:   true, path: target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 10000,
	},
	{
		Name: "scaling", Title: "HTTP/1.1, fixed answer, by number of workers", kind: scaling, full: true,
		About: "As h1-static, with 1, 2, 4, 8 … workers as far as there are CPUs, 64 connections for each. On a machine without a second CPU for the server the workers take all CPUs, and share them with " +
			"the load generator, which has a thread on each in all samples: requests per second do not show there how workers scale, CPU time per request does.",
		path: target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 64,
	},
	{
		Name: "cold-start", Title: "Cold start", kind: cold,
		About: "From just before fork to the last byte of the first answer, asked for without pause.",
		path:  target.StaticPath, bodyBytes: int64(len(target.StaticBody)), connections: 1,
	},
	reloadScenario("reload-10", 10),
	reloadScenario("reload-10k", 10000),
	{
		Name: "chaos", Title: "Three endpoints in trouble", kind: chaos, full: true,
		About: "GET requests at a fixed rate to three endpoints, real processes of which one at a time is killed, stopped, cut off from the network, slow, resetting or flapping, by the same random script for " +
			"every target; then with one of them dead. The script is played once while six load generators follow one another without a pause, so that there are six sections of each, in which the same happens to every target. Settings are as equal as the targets allow: connect 200 ms, 250 ms until the answer begins, three retries elsewhere, health checks each 100 ms (nginx has " +
			"none), endpoints that fail are left out for a time. A client gives up after 2 s.",
		proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 512, rates: []float64{chaosRate},
	},
}

// chaosRate is modest: what is looked at is who fails, not who is fast.
const chaosRate = 1000

// reloadScenario has a configuration with so many routes of its own.
func reloadScenario(name string, routes int) Scenario {
	return Scenario{
		Name: name, Title: fmt.Sprintf("Reloads under load, %d routes", routes), kind: reload, full: true, routes: routes,
		About: fmt.Sprintf("A configuration with %d routes changes every 60 ms, or when the last change has been seen, while nine tenths of the requests come over 64 kept connections, the others over one each, all forwarded, "+
			"and 32 WebSockets are open. Six sections with reloads and six of half their length without alternate on one running target, in random pairs (A B B A), and what each saw is kept apart. blitz and nginx are told by SIGHUP, HAProxy's master by SIGUSR2, Caddy by its admin API.", routes),
		proxied: true, path: "/1k", bodyBytes: 1 << 10, connections: 64, rates: []float64{20000},
	}
}

// attackScenario is what well-behaved clients see at a modest rate while slowhttptest attacks.
func attackScenario(name, attack, about string) Scenario {
	return Scenario{
		Name: "h1-attack-" + name, Title: "HTTP/1.1, proxied, slow clients: " + name, About: about,
		proxied: true, path: "/64k", bodyBytes: 64 << 10, connections: 16, rates: []float64{1000}, attacked: true, attack: attack,
	}
}

// groups are names for several scenarios.
var groups = map[string][]string{
	"h1-proxy":  {"h1-proxy-100b", "h1-proxy-1k"},
	"h2":        {"h2-static", "h2-proxy", "h2-proxy-h2"},
	"slo":       {"h1-slo", "h2-slo"},
	"reload":    {"reload-10", "reload-10k"},
	"tls":       {"h1-tls-proxy", "tls-handshake", "tls-handshake-resumed", "idle-10k-tls"},
	"h1-attack": {"h1-attack-none", "h1-attack-headers", "h1-attack-body", "h1-attack-range", "h1-attack-read"},
}

// ScenarioNames lists all scenarios in the order in which they run.
func ScenarioNames() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.Name)
	}
	return out
}

// IsLoad tells whether targets are loaded at saturation, which is what a gate compares.
func (s Scenario) IsLoad() bool { return s.kind == load && !s.attacked }

// LoadNames are the names of the scenarios of which that is so.
func LoadNames() (out []string) {
	for _, s := range scenarios {
		if s.IsLoad() {
			out = append(out, s.Name)
		}
	}
	return out
}

// Select returns the named scenarios in their own order, each once; "all" or nothing means all of the profile but those that are run when they are
// named: the attacks, which need slowhttptest, and what takes minutes for each target. The quick profile leaves out those that are marked full.
func Select(names []string, full bool) ([]Scenario, error) {
	want := map[string]bool{}
	for _, n := range names {
		switch {
		case n == "all":
			names = nil
		case groups[n] != nil:
			for _, g := range groups[n] {
				want[g] = true
			}
		case slices.Contains(ScenarioNames(), n):
			want[n] = true
		default:
			return nil, fmt.Errorf("no scenario %q; there are %s, h1-proxy, h1-attack, h2, tls, slo, reload and all", n, strings.Join(ScenarioNames(), ", "))
		}
	}
	var out []Scenario
	for _, s := range scenarios {
		if len(names) == 0 && !s.attacked && (full || !s.full) || want[s.Name] {
			out = append(out, s)
		}
	}
	return out, nil
}
