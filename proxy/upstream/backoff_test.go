package upstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
)

// The pause before a retry is random between 0 and a bound that doubles with each one, up to the largest: full jitter, of which the mean is half of the bound.
func TestBackoffIsFullJitter(t *testing.T) {
	c := &Client{c: &cluster.Cluster{Retry: cluster.Retry{BackoffBase: 10 * time.Millisecond, BackoffMax: 70 * time.Millisecond}}, picker: balance.NewPicker(balance.RoundRobin, 1)}
	const draws = 4000
	for retries, bound := range []time.Duration{1: 10 * time.Millisecond, 2: 20 * time.Millisecond, 3: 40 * time.Millisecond, 4: 70 * time.Millisecond, 10: 70 * time.Millisecond} {
		if bound == 0 {
			continue
		}
		q := &Request{client: c, retries: retries}
		var sum time.Duration
		quarters := [4]int{}
		for range draws {
			d := q.backoff()
			require.GreaterOrEqual(t, d, time.Duration(0))
			require.Less(t, d, bound)
			quarters[4*d/bound]++
			sum += d
		}
		require.InEpsilon(t, float64(bound)/2, float64(sum)/draws, 0.05, "retry %d", retries)
		for _, n := range quarters { // a quarter of the draws has a standard deviation of 27
			require.InDelta(t, draws/4, n, 150, "retry %d", retries)
		}
	}
	c.c.Retry.BackoffBase = 0
	require.Zero(t, (&Request{client: c, retries: 3}).backoff())
	// That of a route takes its place.
	own := &cluster.RoutePolicy{Retry: cluster.Retry{BackoffBase: time.Microsecond, BackoffMax: time.Microsecond}}
	require.Less(t, (&Request{client: c, retries: 3, policy: own}).backoff(), time.Microsecond)
}
