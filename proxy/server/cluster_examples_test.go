package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// The example with everything is started, with real endpoints in place of those of the file, and asked.
func TestExampleOfClusters(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		b, err := os.ReadFile("../../examples/cluster-everything.yaml")
		require.NoError(t, err)
		dir := t.TempDir()
		list := filepath.Join(dir, "endpoints.yaml")
		text := strings.Replace(string(b), "/tmp/blitz-endpoints.yaml", list, 1)
		text = strings.Replace(text, "127.0.0.1:8080", "127.0.0.1:0", 1)
		text = strings.Replace(text, "127.0.0.1:9901", "127.0.0.1:0", 1)
		for i := range 4 {
			text = strings.ReplaceAll(text, fmt.Sprintf("127.0.0.1:900%d", i), named(t, fmt.Sprint(i)))
		}
		require.NoError(t, os.WriteFile(list, []byte("endpoints: [{address: "+named(t, "found")+"}]"), 0o600))
		c, err := config.Parse("example.yaml", []byte(text+"workers: {count: 1, engine: "+engine+"}\n"))
		require.NoError(t, err)
		snap, err := snapshot.Build(c, 1)
		require.NoError(t, err)
		s, err := Start(snap, "test")
		require.NoError(t, err)
		g := &gateway{t: t, s: s, addr: s.Addrs()[0].TCP.String()}
		t.Cleanup(func() { g.end() })
		cl := g.dial()
		where := map[string]int{}
		for range 40 {
			r := cl.ask(get("/api/x"))
			require.Equal(t, 200, r.StatusCode)
			where[r.Text]++
		}
		require.Equal(t, 40, where["0"]+where["1"], "its own zone: %v", where)
		first := cl.ask(get("/cache/x", "x-user: 7")).Text
		for range 5 {
			require.Equal(t, first, cl.ask(get("/cache/x", "X-User: 7")).Text)
		}
		r := cl.ask(get("/shop/x"))
		require.Equal(t, "shop-at", r.Cookies()[0].Name)
		require.Equal(t, r.Text, cl.ask(get("/shop/x", "Cookie: shop-at="+r.Cookies()[0].Value)).Text)
		require.Equal(t, "found", cl.ask(get("/fleet/x")).Text)
	})
}
