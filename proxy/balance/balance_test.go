package balance

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// endpoints are a, b, c … with these weights.
func endpoints(weights ...uint32) (eps []*endpoint.Endpoint) {
	for i, w := range weights {
		name := string(rune('a' + i%26))
		if len(weights) > 26 {
			name = fmt.Sprintf("10.0.%d.%d:8080", i/256, i%256)
		}
		e := endpoint.New(name, loop.Addr{}, w)
		e.Index = i
		eps = append(eps, e)
	}
	return eps
}

func same(n int, weight uint32) []uint32 {
	w := make([]uint32, n)
	for i := range w {
		w[i] = weight
	}
	return w
}

// world is a picker with what belongs to it.
type world struct {
	*Picker
	kind  Kind
	eps   []*endpoint.Endpoint
	loads []*Load
	v     *View
}

func newWorld(k Kind, weights ...uint32) *world {
	w := &world{Picker: NewPicker(k, 0), kind: k, eps: endpoints(weights...)}
	for range w.eps {
		w.loads = append(w.loads, new(Load))
	}
	w.Reset(w.loads)
	w.build(Options{})
	return w
}

func (w *world) build(o Options) {
	o.Kind = w.kind
	w.v = Build(w.eps, Healthy, o)
}

func (w *world) pick(key uint64, tried ...*endpoint.Endpoint) *endpoint.Endpoint {
	var t Tried
	for _, e := range tried {
		t.Add(e)
	}
	return w.Pick(w.v, key, &t, 0)
}

func (w *world) picks(n int, tried ...*endpoint.Endpoint) string {
	var b strings.Builder
	for range n {
		if e := w.pick(0, tried...); e != nil {
			b.WriteString(e.Name)
		} else {
			b.WriteByte('-')
		}
	}
	return b.String()
}

func (w *world) down(i int, on bool) {
	w.eps[i].State.SetDown(endpoint.FailsChecks, on)
	w.build(Options{})
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
		require.Equal(t, strings.Repeat(x.want, 3), newWorld(RoundRobin, x.weights...).picks(3*len(x.want)), "%v", x.weights)
	}
}

func TestUnhealthyEndpointsGetNothing(t *testing.T) {
	w := newWorld(RoundRobin, 1, 2, 1)
	w.down(1, true)
	require.Equal(t, "acacac", w.picks(6))
	for _, k := range Kinds() {
		w := newWorld(k, 1, 2, 1)
		w.down(1, true)
		require.NotContains(t, w.picks(300), "b", k)
		w.down(0, true)
		require.Equal(t, "ccc", w.picks(3), k)
		w.down(2, true)
		require.Equal(t, "---", w.picks(3), k)
		w.down(1, false)
		require.Equal(t, "bbb", w.picks(3), k)
		require.Equal(t, "-", newWorld(k).picks(1), k)
	}
}

func TestAnotherAttemptGoesElsewhere(t *testing.T) {
	for _, k := range Kinds() {
		w := newWorld(k, 3, 1, 1)
		require.NotContains(t, w.picks(200, w.eps[0]), "a", k)
		require.Equal(t, "cccc", w.picks(4, w.eps[0], w.eps[1]), k)
		require.NotContains(t, w.picks(50, w.eps...), "-", "better one that failed than none: %s", k)
	}
}

// Every algorithm gives each endpoint its share: χ² over many picks stays under the value that chance exceeds once in 10,000 tests. The
// seeds are fixed, so the test is too. Round-robin is exact; the hashing ones are as even as their tables are.
func TestDistributionFollowsWeights(t *testing.T) {
	const n = 100_000
	for _, weights := range [][]uint32{same(10, 1), {1, 2, 3, 4, 5, 10}, {1, 100}, same(100, 7)} {
		for _, k := range []Kind{RoundRobin, LeastRequest, P2C, Random, EWMA} {
			w := newWorld(k, weights...)
			seen := make([]float64, len(weights))
			for range n {
				seen[w.pick(0).Index]++
			}
			chi2 := chiSquare(seen, weights, n)
			limit := chiLimit(len(weights) - 1)
			t.Logf("%-13s %3d endpoints: χ² %.1f, limit %.1f", k, len(weights), chi2, limit)
			require.Less(t, chi2, limit, "%s %v", k, weights)
			if k == RoundRobin {
				require.Less(t, chi2, 1.0, "round-robin does not leave it to chance")
			}
		}
	}
}

func chiSquare(seen []float64, weights []uint32, n float64) (x float64) {
	total := 0.0
	for _, w := range weights {
		total += float64(w)
	}
	for i, w := range weights {
		want := n * float64(w) / total
		x += (seen[i] - want) * (seen[i] - want) / want
	}
	return x
}

// chiLimit is the value that χ² with df degrees of freedom exceeds with a probability of 10⁻⁴ (Wilson and Hilferty, 1931).
func chiLimit(df int) float64 {
	const z = 3.719
	d := 2 / (9 * float64(df))
	return float64(df) * math.Pow(1-d+z*math.Sqrt(d), 3)
}

func TestLoadDecides(t *testing.T) {
	w := newWorld(LeastRequest, 1, 1, 2)
	w.loads[0].Active, w.loads[1].Active, w.loads[2].Active = 3, 2, 3
	require.Equal(t, "cccc", w.picks(4), "3 for a weight of 2 is the least")

	// Of two drawn, the one with less in flight is taken; so the most loaded one of three gets nothing.
	w = newWorld(P2C, 1, 1, 1)
	w.loads[0].Active = 10
	require.NotContains(t, w.picks(1000), "a")

	w = newWorld(EWMA, 1, 1, 1)
	for i, ms := range []int64{1, 1, 50} {
		w.loads[i].Observe(ms*1e6, 0)
	}
	require.NotContains(t, w.picks(1000), "c", "the slow one loses against both others")
	w.loads[0].Active, w.loads[1].Active = 99, 99
	require.Contains(t, w.picks(1000), "c", "but not when the queue at the fast ones takes longer")
}

func TestPeakEWMA(t *testing.T) {
	var l Load
	require.Zero(t, l.cost(0), "an unknown endpoint is tried")
	l.Active = 1
	require.Equal(t, 2e9, l.cost(0), "but with one request at a time")
	l.Active = 0
	l.Observe(1e6, 0)
	require.Equal(t, 1e6, l.Latency(0))
	l.Observe(9e6, 1e9)
	require.Equal(t, 9e6, l.Latency(1e9), "worse: at once")
	l.Observe(1e6, 11e9)
	require.InDelta(t, 9e6*math.Exp(-1)+1e6*(1-math.Exp(-1)), l.Latency(11e9), 1, "better: slowly")
	require.Less(t, l.Latency(100e9), 1e3, "what is old is forgotten")
}

func TestPickAllocatesNothing(t *testing.T) {
	for _, k := range Kinds() {
		w := newWorld(k, 1, 2, 3)
		var tried Tried
		key := uint64(1)
		require.Zero(t, testing.AllocsPerRun(100, func() { key++; w.Pick(w.v, key, &tried, 0) }), k)
		tried.Add(w.eps[1])
		require.Zero(t, testing.AllocsPerRun(100, func() { key++; w.Pick(w.v, key, &tried, 0) }), k)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, k := range Kinds() {
		for _, n := range []int{3, 100} {
			b.Run(fmt.Sprintf("%s/%d", k, n), func(b *testing.B) {
				w := newWorld(k, same(n, 1)...)
				var tried Tried
				for i := range b.N {
					w.Pick(w.v, uint64(i), &tried, 0)
				}
			})
		}
	}
}
