package balance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

func endpoints(weights ...uint32) (eps []*endpoint.Endpoint) {
	for i, w := range weights {
		eps = append(eps, &endpoint.Endpoint{Name: string(rune('a' + i)), Weight: w, Index: i})
	}
	return eps
}

func picks(p Picker, n int, skip *endpoint.Endpoint) string {
	var b strings.Builder
	for range n {
		if e := p.Pick(skip); e != nil {
			b.WriteString(e.Name)
		} else {
			b.WriteByte('-')
		}
	}
	return b.String()
}

func TestRoundRobinIsSmooth(t *testing.T) {
	for _, x := range []struct {
		weights []uint32
		want    string // one turn
	}{
		{[]uint32{1}, "a"},
		{[]uint32{1, 1, 1}, "abc"},
		{[]uint32{5, 1, 1}, "aabacaa"},
		{[]uint32{2, 2}, "ab"},
		{[]uint32{3, 1}, "aaba"},
	} {
		p := New(RoundRobin, endpoints(x.weights...))
		require.Equal(t, strings.Repeat(x.want, 3), picks(p, 3*len(x.want), nil), "%v", x.weights)
	}
}

func TestRoundRobinLeavesOutTheUnhealthy(t *testing.T) {
	eps := endpoints(1, 2, 1)
	p := New(RoundRobin, eps)
	eps[1].SetHealthy(false)
	require.Equal(t, "acacac", picks(p, 6, nil))
	eps[0].SetHealthy(false)
	require.Equal(t, "ccc", picks(p, 3, nil))
	eps[2].SetHealthy(false)
	require.Equal(t, "---", picks(p, 3, nil))
	eps[1].SetHealthy(true)
	require.Equal(t, "bbb", picks(p, 3, nil))
	for _, e := range eps {
		e.SetHealthy(true)
	}
	got := picks(p, 400, nil)
	require.Equal(t, 100, strings.Count(got, "a"), "back in turn, with nothing to catch up")
	require.Equal(t, 200, strings.Count(got, "b"))
}

func TestRoundRobinSkipsWhatJustFailed(t *testing.T) {
	eps := endpoints(1, 1)
	p := New(RoundRobin, eps)
	require.Equal(t, "bbb", picks(p, 3, eps[0]))
	eps[1].SetHealthy(false)
	require.Equal(t, "aaa", picks(p, 3, eps[0]), "better the one that failed than none")
	eps[0].SetHealthy(false)
	require.Equal(t, "---", picks(p, 3, eps[0]))
	require.Equal(t, "-", picks(New(RoundRobin, nil), 1, nil))
}

func TestPickAllocatesNothing(t *testing.T) {
	p := New(RoundRobin, endpoints(1, 2, 3))
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Pick(nil) }))
}

func TestKindsAreWhatNewMakes(t *testing.T) {
	for _, k := range Kinds() {
		require.NotNil(t, New(k, endpoints(1)))
	}
}
