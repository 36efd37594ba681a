package balance

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

const keys = 200_000

// owners says which endpoint each of many keys belongs to.
func owners(w *world) []int {
	out := make([]int, keys)
	for i := range out {
		out[i] = w.pick(mix(uint64(i) + 1)).Index
	}
	return out
}

// moved is the part of all keys that belong to another endpoint than before, without those of endpoint gone.
func moved(before, after []int, gone int) float64 {
	n := 0
	for i := range before {
		if before[i] != gone && before[i] != after[i] {
			n++
		}
	}
	return float64(n) / keys
}

// spread is the load of the fullest and of the emptiest endpoint in relation to the mean, and the standard deviation.
func spread(owner []int, n int) (most, least, deviation float64) {
	seen := make([]float64, n)
	for _, i := range owner {
		seen[i] += float64(n) / keys
	}
	least = math.Inf(1)
	for _, s := range seen {
		most, least = max(most, s), min(least, s)
		deviation += (s - 1) * (s - 1) / float64(n)
	}
	return most, least, math.Sqrt(deviation)
}

// The ring's promise (Karger et al. 1997): a lost endpoint moves its own keys and no others. With k points each, loads vary by about 1/√k.
func TestRingHashAgainstTheory(t *testing.T) {
	for _, n := range []int{5, 20, 100} {
		w := newWorld(RingHash, same(n, 1)...)
		before := owners(w)
		most, least, dev := spread(before, n)
		w.down(n/2, true)
		other := moved(before, owners(w), n/2)
		t.Logf("ring_hash %3d endpoints: load %.2f to %.2f of the mean, deviation %.3f (1/√160 is 0.079); a loss moves %.4f of the other keys", n, least, most, dev, other)
		require.Zero(t, other)
		require.Less(t, dev, 2/math.Sqrt(DefaultPoints))
		w.down(n/2, false)
		require.Equal(t, before, owners(w), "and it gets back what it had")
	}
}

// The paper's promise (NSDI 2016, sections 3.4 and 5.3): the loads of the table differ by at most a percent or so when it is a hundred times larger than
// the number of endpoints; a lost endpoint moves few of the other slots: figure 12 shows under 4 % for a table of 65537 and one loss.
func TestMaglevAgainstThePaper(t *testing.T) {
	for _, n := range []int{5, 20, 100, 600} {
		w := newWorld(Maglev, same(n, 1)...)
		slots := make([]int, n)
		before := append([]uint16(nil), w.v.table...)
		names := func(table []uint16, items []item) []*endpoint.Endpoint {
			out := make([]*endpoint.Endpoint, len(table))
			for i, at := range table {
				out[i] = items[at].Endpoint
			}
			return out
		}
		was := names(before, w.v.items)
		for _, at := range before {
			slots[at]++
		}
		most, least := 0, len(before)
		for _, s := range slots {
			most, least = max(most, s), min(least, s)
		}
		gone := w.eps[n/2]
		w.down(n/2, true)
		other := 0
		for i, e := range names(w.v.table, w.v.items) {
			if was[i] != gone && was[i] != e {
				other++
			}
		}
		part := float64(other) / float64(len(before))
		t.Logf("maglev %3d endpoints: %d to %d slots of %d each; a loss moves %.4f of the other slots", n, least, most, len(before), part)
		require.LessOrEqual(t, float64(most)/float64(least), 1.03)
		require.Less(t, part, 0.04)
	}
}

func TestHashesHonourWeights(t *testing.T) {
	weights := []uint32{1, 2, 5}
	for k, tolerance := range map[Kind]float64{RingHash: 0.35, Maglev: 0.03} {
		w := newWorld(k, weights...)
		seen := make([]float64, len(weights))
		for _, i := range owners(w) {
			seen[i]++
		}
		for i, n := range seen {
			require.InEpsilon(t, float64(weights[i])/8, n/keys, tolerance, "%s: endpoint %d", k, i)
		}
	}
}

// Another endpoint's weight moves only what it has to.
func TestChangeOfWeightMovesLittle(t *testing.T) {
	w := newWorld(RingHash, 10, 10, 10, 10)
	before := owners(w)
	w.eps[0].Weight = 11
	w.build(Options{})
	require.Less(t, moved(before, owners(w), -1), 0.05)
}

func TestSameKeySameEndpointOnEveryWorker(t *testing.T) {
	for _, k := range []Kind{RingHash, Maglev} {
		w := newWorld(k, same(20, 1)...)
		other := NewPicker(k, 7)
		other.Reset(w.loads)
		var none Tried
		for key := range uint64(1000) {
			require.Same(t, w.pick(mix(key+1)), other.Pick(w.v, mix(key+1), &none, 5))
		}
	}
}

// A second attempt goes to the same other endpoint each time: that one's cache is the second warmest.
func TestSecondChoiceIsStable(t *testing.T) {
	for _, k := range []Kind{RingHash, Maglev} {
		w := newWorld(k, same(20, 1)...)
		for key := range uint64(100) {
			first := w.pick(mix(key + 1))
			second := w.pick(mix(key+1), first)
			require.NotSame(t, first, second)
			require.Same(t, second, w.pick(mix(key+1), first))
		}
	}
}
