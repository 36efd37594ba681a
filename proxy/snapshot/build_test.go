package snapshot

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/route"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text))
	require.NoError(t, err)
	return c
}

func buildText(t *testing.T, text string) *Snapshot {
	t.Helper()
	s, err := Build(parse(t, text), 1)
	require.NoError(t, err)
	return s
}

const full = `
workers: {count: 2, cpus: 1-3, engine: epoll, busy_poll: 20us, buffers: 64MiB}
admin: {address: 127.0.0.1:9901}
listeners:
  - name: edge
    address: :8080
    limits: {head_size: 16KiB, request_line: 4KiB, header_count: 50, body_size: 1MB}
    timeouts: {header: 1s, idle: 2s, body_idle: 3s, min_rate: 200B}
    max_connections_per_source: 5
    max_age: 1h
    proxy_protocol: true
    max_requests: 10
    max_connections: 20
    trust_forwarded: true
    server_name: edge-1
    backlog: 128
  - address: "[::1]:0"
  - address: unix:/run/blitz.sock
clusters:
  - name: other
    endpoints: [{address: unix:/run/other.sock}]
  - name: api
    endpoints: [{address: 127.0.0.1:9000, weight: 3}, {address: "[::1]:9001"}]
    timeouts: {connect: 4s, first_byte: 5s, idle: 6s, keepalive: 7s}
    max_idle: 8
    max_connections: 9
    max_pending: 10
    retries: 0
routes:
  - name: v1
    match: {host: api.example.com, path: /v1/*, methods: [GET]}
    cluster: api
    max_body: 2MB
    allow_upgrade: true
    buffer_request: 64KiB
    timeouts: {first_byte: 1m, idle: 2m}
  - match: {path: /hello}
    respond: {body: "hello\n"}
  - match: {path: /echo/*}
    echo: true
access_log: {path: stdout, format: text}
drain_timeout: 1s
`

func TestBuild(t *testing.T) {
	s, err := Build(parse(t, full), 7)
	require.NoError(t, err)
	require.Equal(t, uint64(7), s.Generation)
	require.Equal(t, Workers{Count: 2, CPUs: []int{1, 2}, Engine: "epoll", BusyPoll: 20 * time.Microsecond, Buffers: 64 << 20}, s.Workers)
	require.Equal(t, AccessLog{Path: "stdout", Format: "text", Sample: 1}, s.AccessLog)
	require.Equal(t, time.Second, s.DrainTimeout)
	require.Equal(t, &loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:9901")}, s.Admin)

	limits := wire.DefaultLimits
	limits.HeadBytes, limits.LineBytes, limits.Fields = 16<<10, 4<<10, 50
	h2limits := h2.DefaultLimits
	h2limits.Message, h2limits.StallTicks, h2limits.StallBytes = limits, 3, 200
	require.Equal(t, Listener{
		Name: "edge", Address: loop.Addr{TCP: netip.MustParseAddrPort("0.0.0.0:8080")}, Backlog: 128, Limits: limits,
		HeaderTimeout: time.Second, IdleTimeout: 2 * time.Second, BodyIdleTimeout: 3 * time.Second,
		MaxBody: 1_000_000, MaxRequests: 10, MaxConnections: 20, MaxPerSource: 5, MaxAge: time.Hour, MinRate: 200, ProxyProtocol: true,
		TrustForwarded: true, ServerName: "edge-1", HTTP1: true, HTTP2: true, H2Limits: h2limits,
	}, s.Listeners[0])
	require.Equal(t, loop.Addr{TCP: netip.MustParseAddrPort("[::1]:0")}, s.Listeners[1].Address)
	require.Equal(t, loop.Addr{Unix: "/run/blitz.sock"}, s.Listeners[2].Address)
	require.Equal(t, "unix:/run/blitz.sock", s.Listeners[2].Name)

	require.Len(t, s.Clusters, 2)
	require.Equal(t, "/run/other.sock", s.Clusters[0].Endpoints[0].Addr.Unix)
	api := s.Clusters[1]
	require.Equal(t, balance.RoundRobin, api.Balance)
	require.Equal(t, []time.Duration{4 * time.Second, 5 * time.Second, 6 * time.Second, 7 * time.Second},
		[]time.Duration{api.ConnectTimeout, api.FirstByteTimeout, api.IdleTimeout, api.KeepAlive})
	require.Equal(t, []int{8, 9, 10, 0}, []int{api.MaxIdle, api.MaxConnections, api.MaxPending, api.Retries})
	require.Equal(t, netip.MustParseAddrPort("127.0.0.1:9000"), api.Endpoints[0].Addr.TCP)
	require.Equal(t, netip.MustParseAddrPort("[::1]:9001"), api.Endpoints[1].Addr.TCP)
	require.Equal(t, []uint32{3, 1}, []uint32{api.Endpoints[0].Weight, api.Endpoints[1].Weight})
	require.Equal(t, []int{0, 1}, []int{api.Endpoints[0].Index, api.Endpoints[1].Index})
	require.True(t, api.Endpoints[0].Healthy())

	require.Equal(t, Action{
		Name: "v1", Cluster: api, ClusterIndex: 1, MaxBody: 2_000_000, AllowUpgrade: true, BufferRequest: 65536,
		FirstByteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
	}, s.Actions[0])
	require.Equal(t, "/hello", s.Actions[1].Name)
	require.Equal(t, -1, s.Actions[1].ClusterIndex)
	require.True(t, s.Actions[2].Echo)
	id, result := s.Table.Lookup([]byte("API.example.com:80"), []byte("/v1/x"), wire.MethodGet, nil, nil)
	require.Equal(t, route.Found, result)
	require.Equal(t, "v1", s.Actions[id].Name)

	require.Equal(t, int64(2_000_000), s.Actions[0].BodyLimit(&s.Listeners[0]))
	require.Equal(t, int64(1_000_000), s.Actions[1].BodyLimit(&s.Listeners[0]))
	require.Zero(t, s.Actions[1].BodyLimit(&s.Listeners[1]))
}

func TestDefaults(t *testing.T) {
	s, err := Build(config.Default(), 1)
	require.NoError(t, err)
	require.Equal(t, wire.DefaultLimits, s.Listeners[0].Limits)
	require.GreaterOrEqual(t, s.Workers.Count, 1)
	require.Empty(t, s.Workers.CPUs)
	require.Nil(t, s.Admin)
	for path, want := range map[string]string{"/hello": "hello\n", "/health": "ok\n"} {
		id, result := s.Table.Lookup([]byte("anything"), []byte(path), wire.MethodGet, nil, nil)
		require.Equal(t, route.Found, result)
		require.Equal(t, want, string(s.Actions[id].Respond.Body))
		require.Equal(t, 200, s.Actions[id].Respond.Status)
	}
	id, result := s.Table.Lookup(nil, []byte("/echo/x"), wire.MethodPost, nil, nil)
	require.Equal(t, route.Found, result)
	require.True(t, s.Actions[id].Echo)
	require.Equal(t, config.MaxParams, route.MaxParams)
	for _, kind := range balance.Kinds() {
		hash := ""
		if kind.Hashes() {
			hash = ", hash: {path: true}"
		}
		_, err := config.Parse("x", []byte("listeners: [{address: ':1'}]\nclusters: [{name: a, balance: "+string(kind)+hash+", endpoints: [{address: 'h:1'}]}]\nroutes: [{cluster: a}]\n"))
		require.NoError(t, err, "the configuration must know every balancer")
	}
}

func TestWorkersOnGivenCPUs(t *testing.T) {
	const rest = "\nlisteners: [{address: ':8080'}]\nroutes: [{echo: true}]\n"
	require.Equal(t, 3, buildText(t, "workers: {cpus: 0-2}"+rest).Workers.Count)
	require.Equal(t, Workers{Count: 5, CPUs: nil, Engine: "auto", Buffers: 1 << 30}, buildText(t, "workers: {count: 5}"+rest).Workers)
}

func TestRespondHead(t *testing.T) {
	tests := []struct{ respond, want string }{
		{`{body: "hello\n"}`, "content-type: text/plain; charset=utf-8\r\ncontent-length: 6\r\n"},
		{`{}`, "content-length: 0\r\n"},
		{`{status: 204}`, ""},
		{`{status: 304, headers: {ETag: '"1"'}}`, "ETag: \"1\"\r\n"},
		{`{status: 301, headers: {Location: /b, X-A: ""}}`, "Location: /b\r\nX-A: \r\ncontent-length: 0\r\n"},
		{`{headers: {CONTENT-type: text/html}, body: "ä"}`, "CONTENT-type: text/html\r\ncontent-length: 2\r\n"},
	}
	for _, tt := range tests {
		s := buildText(t, "listeners: [{address: ':8080'}]\nroutes:\n  - respond: "+tt.respond+"\n")
		require.Equal(t, tt.want, string(s.Actions[0].Respond.Head), tt.respond)
	}
}

// fakeNames answers from a map.
type fakeNames map[string][]string

func (f fakeNames) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	list, ok := f[host]
	if !ok {
		return nil, errors.New("no such host " + host + " in " + network)
	}
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

const named = `
listeners: [{address: ":8080"}]
clusters:
  - name: a
    endpoints: [{address: both:80}, {address: six:80}, {address: mapped:80}]
  - name: b
    endpoints: [{address: none:80}, {address: missing:80}]
routes: [{cluster: a}]
`

func TestResolve(t *testing.T) {
	names := fakeNames{"both": {"::1", "192.0.2.1", "192.0.2.2"}, "six": {"2001:db8::1"}, "mapped": {"::ffff:192.0.2.3"}, "none": {}}
	_, err := BuildWith(parse(t, named), 1, names)
	require.ErrorContains(t, err, "cluster b: endpoint none:80: no address")
	require.ErrorContains(t, err, "cluster b: endpoint missing:80: no such host missing")

	names["none"], names["missing"] = []string{"192.0.2.9"}, []string{"192.0.2.10"}
	s, err := BuildWith(parse(t, named), 1, names)
	require.NoError(t, err)
	var got []string
	for _, e := range s.Clusters[0].Endpoints {
		got = append(got, e.Name+" "+e.Addr.TCP.String())
	}
	require.Equal(t, []string{"both:80 192.0.2.1:80", "six:80 [2001:db8::1]:80", "mapped:80 192.0.2.3:80"}, got)
}

func TestBuildWithoutLookingUp(t *testing.T) {
	s, err := BuildWith(parse(t, named), 1, nil)
	require.NoError(t, err)
	require.False(t, s.Clusters[0].Endpoints[0].Addr.TCP.IsValid())
}

// Everything under examples/ must load, and the files must say what the defaults are where they claim to.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 4)
	for _, f := range files {
		c, err := config.Load(f)
		require.NoError(t, err)
		_, err = BuildWith(c, 1, nil)
		require.NoError(t, err, f)
	}
	text, err := os.ReadFile("../../examples/default.yaml")
	require.NoError(t, err)
	require.Equal(t, string(config.DefaultYAML()), string(text))
	text, err = os.ReadFile("../../examples/minimal.yaml")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(text), "\n"), 10)
}
