package server

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// Workers count failures together, and all act on what comes of it: two of each eject an endpoint that four in a row eject.
func TestWorkersDecideAboutHealthTogether(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := newSwitchable(t, "a"), newSwitchable(t, "b")
		text := setup{endpoints: []string{a.addr, b.addr}, cluster: "retries: 0, outlier: {consecutive_5xx: 4, base_ejection: 1h, max_ejection: 1h}"}.yaml(engine, t.TempDir()+"/access.log")
		c, err := config.Parse("test.yaml", []byte(strings.Replace(text, "count: 1", "count: 2", 1)))
		require.NoError(t, err)
		snap, err := snapshot.Build(c, 1)
		require.NoError(t, err)
		s, err := Start(snap, "test")
		require.NoError(t, err)
		t.Cleanup(s.Stop)

		// One connection with each worker.
		var of [2]*client
		eventually(t, "both workers have a connection", func() bool {
			x := dial(t, s.Addrs()[0].TCP.String())
			require.Equal(t, 200, x.ask(get("/hello")).StatusCode)
			for i, list := range askAll(context.Background(), s, func(w *worker.Worker) []string {
				var l []string
				for _, c := range w.Connections(maxListed) {
					l = append(l, c.Client)
				}
				return l
			}) {
				for _, client := range list {
					if client == x.LocalAddr().String() {
						of[i] = x
					}
				}
			}
			return of[0] != nil && of[1] != nil
		})
		a.status.Store(500)
		for _, x := range of {
			x.answers(4) // in turn, so two are for a
		}
		require.EqualValues(t, 4, a.hits.Load())
		eventually(t, "a is ejected", func() bool { return !s.Clusters(context.Background())[0].Endpoints[0].Healthy })
		for _, x := range of {
			require.Equal(t, map[string]int{"b": 6}, x.answers(6))
		}
		require.EqualValues(t, 4, a.hits.Load())
	})
}
