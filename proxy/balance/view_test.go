package balance

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// shares are the parts of the requests that endpoints are meant to get, in hundredths.
func shares(v *View, eps []*endpoint.Endpoint) (out []int) {
	for _, e := range eps {
		out = append(out, int(math.Round(100*v.Share(e))))
	}
	return out
}

func TestLevelsAreFilledInOrder(t *testing.T) {
	eps := endpoints(1, 1, 1, 1, 1)
	for i, p := range []int{0, 0, 0, 1, 2} {
		eps[i].Priority = p
	}
	down := func(i int) { eps[i].State.SetDown(endpoint.Ejected, true) }
	o := Options{Kind: Random, SpillBelow: 75}
	require.Equal(t, []int{33, 33, 33, 0, 0}, shares(Build(eps, Healthy, o), eps))
	down(0) // 2 of 3 for the wanted 75 %: 89 % stay
	require.Equal(t, []int{0, 44, 44, 11, 0}, shares(Build(eps, Healthy, o), eps))
	down(1)
	require.Equal(t, []int{0, 0, 44, 56, 0}, shares(Build(eps, Healthy, o), eps))
	down(2)
	require.Equal(t, []int{0, 0, 0, 100, 0}, shares(Build(eps, Healthy, o), eps))
	down(3)
	require.Equal(t, []int{0, 0, 0, 0, 100}, shares(Build(eps, Healthy, o), eps))
	down(4)
	require.Zero(t, Build(eps, Healthy, o).Len())
}

func TestOwnZoneComesFirst(t *testing.T) {
	eps := endpoints(1, 1, 1, 1)
	for i, z := range []string{"a", "b", "a", "c"} {
		eps[i].Zone = z
	}
	o := Options{Kind: P2C, Zone: "a", SpillBelow: 100}
	require.Equal(t, []int{50, 0, 50, 0}, shares(Build(eps, Healthy, o), eps))
	eps[0].State.SetDown(endpoint.Ejected, true)
	require.Equal(t, []int{0, 25, 50, 25}, shares(Build(eps, Healthy, o), eps))
	require.Equal(t, []int{0, 33, 33, 33}, shares(Build(eps, Healthy, Options{Kind: P2C}), eps), "without a zone of one's own there is no preference")
}

func TestPanicThreshold(t *testing.T) {
	eps := endpoints(1, 1, 1, 1)
	o := Options{Kind: Random, Panic: 50}
	for i := range 3 {
		eps[i].State.SetDown(endpoint.FailsChecks, true)
		v := Build(eps, Healthy, o)
		require.Equal(t, i == 2, v.Panic, "below half is panic, half is not")
		require.Equal(t, 3-i, v.Healthy)
	}
	require.Equal(t, []int{25, 25, 25, 25}, shares(Build(eps, Healthy, o), eps))
	o.PanicFail = true
	require.Zero(t, Build(eps, Healthy, o).Len())
	require.Equal(t, []int{0, 0, 0, 100}, shares(Build(eps, Healthy, Options{Kind: Random}), eps), "without a threshold the last one gets everything")
}

func TestSlowStartScalesWeights(t *testing.T) {
	eps := endpoints(1, 1, 2)
	usable := func(e *endpoint.Endpoint) (bool, float64) {
		if e == eps[2] {
			return true, 0.25
		}
		return true, 1
	}
	for _, k := range []Kind{RoundRobin, LeastRequest, P2C, Random, EWMA} {
		v := Build(eps, usable, Options{Kind: k})
		require.Equal(t, []int{40, 40, 20}, shares(v, eps), k)
	}
}

func TestTokens(t *testing.T) {
	eps := endpoints(1, 1)
	eps[0].Token, eps[1].Token = "x", "y"
	v := Build(eps, Healthy, Options{Kind: Random})
	require.Same(t, eps[1], v.ByToken([]byte("y")))
	require.Nil(t, v.ByToken([]byte("z")))
	eps[1].State.SetDown(endpoint.Ejected, true)
	require.Nil(t, Build(eps, Healthy, Options{Kind: Random}).ByToken([]byte("y")))
	token := []byte("y")
	require.Zero(t, testing.AllocsPerRun(100, func() { v.ByToken(token) }))
}

// Requests in flight are known to each worker for its own requests alone. This simulates what that costs: several workers, each
// with a share of the arrivals, endpoints with one server each and random service times at 80 % load; the figure is the mean
// number of requests at an endpoint that a new one finds, with counts per worker and with shared ones.
func TestCountsOfOneWorkerAreEnoughForP2C(t *testing.T) {
	for _, workers := range []int{1, 2, 4, 8} {
		own := queueing(t, P2C, workers, false)
		shared := queueing(t, P2C, workers, true)
		blind := queueing(t, Random, workers, false)
		t.Logf("%d workers: a request waits behind %.2f with counts per worker, %.2f with shared counts, %.2f without any", workers, own, shared, blind)
		require.Less(t, own, blind, "what little a worker knows is better than nothing")
	}
}

func queueing(t *testing.T, k Kind, workers int, shared bool) float64 {
	t.Helper()
	const n, load, events = 20, 0.8, 200_000
	eps := endpoints(same(n, 1)...)
	v := Build(eps, Healthy, Options{Kind: k})
	truth := make([]int64, n)
	queue := make([][]int, n) // workers whose requests wait at each endpoint
	pickers := make([]*Picker, workers)
	loads := make([][]*Load, workers)
	for w := range pickers {
		pickers[w] = NewPicker(k, uint64(w+1))
		loads[w] = make([]*Load, n)
		for i := range loads[w] {
			if loads[w][i] = new(Load); shared && w > 0 {
				loads[w][i] = loads[0][i]
			}
		}
		pickers[w].Reset(loads[w])
	}
	chance := NewPicker(Random, 99)
	var found, arrivals float64
	var none Tried
	for range events {
		// Arrivals with rate load·n, and a departure of each endpoint with rate 1: a Poisson process thinned by what is possible.
		x := float64(chance.Random()>>11) / (1 << 53) * (load*n + n)
		if x < load*n {
			w := int(chance.Random() % uint64(workers))
			i := pickers[w].Pick(v, 0, &none, 0).Index
			found += float64(truth[i])
			arrivals++
			truth[i]++
			loads[w][i].Active++
			queue[i] = append(queue[i], w)
			continue
		}
		if i := int(x - load*n); i < n && len(queue[i]) > 0 {
			truth[i]--
			loads[queue[i][0]][i].Active--
			queue[i] = queue[i][1:]
		}
	}
	return found / arrivals
}
