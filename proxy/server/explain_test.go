package server

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// The endpoint that blitz explain names is the one that serves.
func TestExplainNamesTheEndpointThatServes(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, cluster := range []string{"balance: maglev, hash: {header: X-User}", "balance: ring_hash, hash: {cookie: user}", "balance: maglev, hash: {path: true}"} {
			g := gate(t, engine, setup{endpoints: []string{named(t, "a"), named(t, "b"), named(t, "c")}, cluster: cluster})
			c := g.dial()
			var want []string
			for i := range 20 {
				path, user, jar := fmt.Sprintf("/%d", i), fmt.Sprint("u", i), fmt.Sprintf("a=b; user=%d", i)
				e := snapshot.Explain(g.s.snap.Load(), &snapshot.Question{Method: "GET", Target: path, Headers: []snapshot.Header{{Name: "X-User", Value: user}, {Name: "Cookie", Value: jar}}})
				require.NotEmpty(t, e.Route.Endpoint, e.Route.Why)
				want = append(want, e.Route.Endpoint)
				c.ask(get(path, "X-User: "+user, "Cookie: "+jar))
			}
			c.Close()
			seen := map[string]bool{}
			for i, l := range g.log() {
				require.Equal(t, want[i], l.Endpoint)
				seen[l.Endpoint] = true
			}
			require.Greater(t, len(seen), 1)
		}
	})
}
