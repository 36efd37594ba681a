package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gonum "gonum.org/v1/gonum/stat"
)

// latencies simulates one interval: exponential around a mean that wanders with the machine, so that neighbours resemble each other.
func latencies(r *rand.Rand, n int, scale float64) Counts {
	byValue := map[float64]int64{}
	for range n {
		// Rounded to three digits, as a histogram keeps them.
		v := scale * r.ExpFloat64()
		unit := math.Pow(10, math.Floor(math.Log10(v))-2)
		byValue[math.Ceil(v/unit)*unit]++
	}
	var out Counts
	for v, c := range byValue {
		out = append(out, Bin{v, c})
	}
	slices.SortFunc(out, func(a, b Bin) int {
		if a.Value < b.Value {
			return -1
		}
		return 1
	})
	return out
}

// intervals of two arms: a drift that both share, one that each has for itself and that sticks for a
// while (0: not at all), and a factor for the candidate.
func intervals(r *rand.Rand, n int, own, stick, factor float64) (a, b []Counts) {
	shared, da, db := 0.0, 0.0, 0.0
	for range n {
		shared = 0.8*shared + 0.1*r.NormFloat64()
		da, db = stick*da+own*r.NormFloat64(), stick*db+own*r.NormFloat64()
		a = append(a, latencies(r, 150, 100*math.Exp(shared+da)))
		b = append(b, latencies(r, 150, 100*factor*math.Exp(shared+db)))
	}
	return a, b
}

// rate of intervals that exclude 'no difference', on the side asked for.
func excluded(t *testing.T, r *rand.Rand, runs, n int, block int, stick, factor float64) (wrong, above float64) {
	t.Helper()
	for k := range runs {
		a, b := intervals(r, n, 0.05, stick, factor)
		iv, err := QuantileRatio(a, b, 0.9, Bootstrap{Block: block, Resamples: 200, Confidence: 0.95, Seed: uint64(k)})
		require.NoError(t, err)
		if iv.Excludes(1) {
			wrong++
			if iv.Lo > 1 {
				above++
			}
		}
	}
	return wrong / float64(runs), above / float64(runs)
}

func TestBootstrapFalseAlarms(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		n, block int
		stick    float64
	}{{9, 1, 0}, {16, 1, 0}, {32, 4, 0.3}} {
		const runs = 200
		wrong, _ := excluded(t, r, runs, c.n, c.block, c.stick, 1)
		t.Logf("%+v: %.3f", c, wrong)
		// 5 % and two standard errors of the simulation itself.
		assert.LessOrEqual(t, wrong, 0.05+2*math.Sqrt(0.05*0.95/runs), "%+v", c)
	}
}

func TestBootstrapPower(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	_, above := excluded(t, r, 100, 12, 1, 0, 1.25)
	assert.GreaterOrEqual(t, above, 0.9)
}

// With one interval drawn whole the quantile is that of the raw values, as gonum computes it.
func TestQuantileOfMergedHistogramsAgreesWithGonum(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	a, _ := intervals(r, 5, 0.05, 0, 1)
	var values, weights []float64
	for _, c := range a {
		for _, b := range c {
			values, weights = append(values, b.Value), append(weights, float64(b.Count))
		}
	}
	gonum.SortWeighted(values, weights)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
		assert.Equal(t, gonum.Quantile(q, gonum.Empirical, values, weights), index(a).quantile([]int{0, 1, 2, 3, 4}, q), "q=%v", q)
	}
}

func TestBootstrapArguments(t *testing.T) {
	one := []Counts{{{1, 5}}}
	iv, err := QuantileRatio(one, one, 0.5, Bootstrap{Confidence: 0.95})
	require.NoError(t, err)
	assert.True(t, iv.Short)
	assert.False(t, iv.Excludes(2), "one block decides nothing")
	for _, f := range []func() (Interval, error){
		func() (Interval, error) { return QuantileRatio(nil, nil, 0.5, Bootstrap{Confidence: 0.95}) },
		func() (Interval, error) { return QuantileRatio(one, nil, 0.5, Bootstrap{Confidence: 0.95}) },
		func() (Interval, error) { return QuantileRatio(one, one, 1, Bootstrap{Confidence: 0.95}) },
		func() (Interval, error) { return QuantileRatio(one, one, 0.5, Bootstrap{}) },
		func() (Interval, error) { return QuantileRatio([]Counts{nil}, one, 0.5, Bootstrap{Confidence: 0.95}) },
	} {
		_, err := f()
		require.Error(t, err)
	}
	// Few pieces widen the tails, many leave them as they are.
	assert.Zero(t, expandedTail(0.025, 1))
	assert.Less(t, expandedTail(0.025, 8), 0.012)
	assert.InDelta(t, 0.025, expandedTail(0.025, 10000), 1e-4)
}
