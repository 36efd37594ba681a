package snapshot

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cases of testdata/explain.golden: what is asked, as `blitz explain` would be.
var policyQuestions = []struct{ method, target, headers, source string }{
	{"GET", "/api/x", "", ""},
	{"POST", "/api/x", "", ""},
	{"GET", "/cache/x", "X-User: bob", ""},
	{"GET", "/cache/x", "", ""},
	{"GET", "/near/x", "", "192.0.2.7"},
	{"GET", "/near/x", "", ""},
	{"GET", "/shop/x", "", ""},
	{"GET", "/shop/x", "Cookie: a=b; shop-at=TOKEN", ""},
	{"GET", "/shop/x", "Cookie: shop-at=unknown", ""},
	{"POST", "/upload", "", ""},
	{"GET", "/secure", "", ""},
	{"GET", "/own/x", "", ""},
	{"POST", "/own/x", "", ""},
	{"GET", "/never", "", ""},
	{"POST", "/rpc/x", "", ""},
	{"GET", "/part", "", ""},
	{"GET", "/auto", "", ""},
	{"CONNECT", "outside.example.com:443", "", ""},
	{"CONNECT", "inside.example.com:443", "", ""},
	{"GET", "/api/x", "Upgrade: websocket", ""},
}

const policyConfig = `
listeners: [{address: ":8080"}]
clusters:
  - name: api
    balance: p2c
    endpoints: [{address: 127.0.0.1:9000}, {address: 127.0.0.1:9001}]
    retries: 2
    retry: {when: [connect, reset, timeout, refused, status], statuses: [502, 503], per_try: 1s, backoff: 25ms, max_backoff: 250ms, budget: {percent: 20, min: 10}}
    hedge: {after: 300ms}
    circuit_breaker: {max_connections: 2000, max_pending: 1000, max_requests: 4000, max_retries: 100}
  - name: cache
    balance: maglev
    hash: {header: x-user}
    endpoints: [{address: 127.0.0.1:9000}, {address: 127.0.0.1:9001}, {address: 127.0.0.1:9002}]
  - name: near
    balance: ring_hash
    hash: {source: true}
    endpoints: [{address: 127.0.0.1:9000}, {address: 127.0.0.1:9001}, {address: 127.0.0.1:9002}]
  - name: shop
    balance: least_request
    sticky: {cookie: shop-at, secret: change-me}
    endpoints: [{address: 127.0.0.1:9000}, {address: 127.0.0.1:9001}]
  - name: secure
    protocol: h2
    tls: {verify: false}
    endpoints: [{address: 127.0.0.1:9443}]
  - name: auto
    protocol: auto
    tls: {verify: false}
    endpoints: [{address: 127.0.0.1:9443}]
routes:
  - {name: api, match: {path: /api/*}, cluster: api, mirror: {cluster: cache}, timeouts: {total: 20s}}
  - {name: cache, match: {path: /cache/*}, cluster: cache}
  - {name: near, match: {path: /near/*}, cluster: near}
  - {name: shop, match: {path: /shop/*}, cluster: shop}
  - {name: upload, match: {path: /upload}, cluster: cache, buffer_request: 64KiB, max_body: 1MiB, allow_upgrade: true}
  - {name: secure, match: {path: /secure}, cluster: secure}
  - {name: own, match: {path: /own/*}, cluster: api, retry: {retries: 3, when: [connect, status], statuses: [503], per_try: 2s, hedge: false}}
  - {name: never, match: {path: /never}, cluster: api, retry: {retries: 0}}
  - {name: rpc, match: {path: /rpc/*}, cluster: api, retry: {when: [status], grpc_statuses: [unavailable, resource_exhausted], non_idempotent: true}}
  - {name: part, match: {path: /part}, split: [{cluster: api, weight: 9}, {cluster: cache}], retry: {retries: 4, when: [connect]}}
  - {name: auto, match: {path: /auto}, cluster: auto}
  - {name: outside, match: {host: outside.example.com, path: /}, cluster: cache, allow_upgrade: true}
  - {name: inside, match: {host: inside.example.com}, cluster: cache}
`

// Policies and the endpoint that would serve, as people read it. BLITZ_GOLDEN=update writes the file anew.
func TestExplainPolicies(t *testing.T) {
	s, err := BuildWith(parse(t, policyConfig), 2, nil)
	require.NoError(t, err)
	token := s.Clusters[3].Endpoints[1].Token
	var b strings.Builder
	for _, x := range policyQuestions {
		q := Question{Method: x.method, Target: x.target}
		if x.source != "" {
			q.Source = netip.MustParseAddr(x.source)
		}
		if name, value, ok := strings.Cut(x.headers, ": "); ok {
			q.Headers = []Header{{name, strings.ReplaceAll(value, "TOKEN", token)}}
		}
		var text strings.Builder
		require.NoError(t, Explain(s, &q).WriteText(&text))
		taken, _, _ := strings.Cut(text.String(), "not taken:\n")
		b.WriteString("# " + strings.TrimSpace(x.headers+" "+x.source) + "\n" + taken + "\n")
	}
	file := filepath.Join("testdata", "explain.golden")
	if os.Getenv("BLITZ_GOLDEN") == "update" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}
