package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchmath"
)

// The distribution is checked against plain enumeration of all 2^n sign patterns.
func TestSignedRankCDFEqualsEnumeration(t *testing.T) {
	for n := 1; n <= 12; n++ {
		count := make([]float64, n*(n+1)/2+1)
		for mask := range 1 << n {
			w := 0
			for r := 1; r <= n; r++ {
				if mask>>(r-1)&1 == 1 {
					w += r
				}
			}
			count[w]++
		}
		sum := 0.0
		for w, got := range signedRankCDF(n) {
			sum += count[w] / float64(int(1)<<n)
			assert.InDelta(t, sum, got, 1e-12, "n=%d w=%d", n, w)
		}
	}
}

// Critical values as printed in tables of the test (two-sided 5 %).
func TestSignedRankCriticalValues(t *testing.T) {
	for _, c := range []struct{ n, critical int }{{6, 0}, {7, 2}, {8, 3}, {9, 5}, {10, 8}, {12, 13}, {15, 25}, {20, 52}, {25, 89}} {
		cdf := signedRankCDF(c.n)
		assert.LessOrEqual(t, cdf[c.critical], 0.025, "n=%d", c.n)
		assert.Greater(t, cdf[c.critical+1], 0.025, "n=%d", c.n)
	}
}

func TestHodgesLehmann(t *testing.T) {
	// Ten depression scores before and after (Hollander and Wolfe's example 3.1 has nine patients; estimate -0.46).
	before := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	after := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	d := make([]float64, len(before))
	for i := range d {
		d[i] = after[i] - before[i]
	}
	iv, err := HodgesLehmann(d, 0.95)
	require.NoError(t, err)
	assert.InDelta(t, -0.46, iv.Estimate, 1e-9)
	assert.InDelta(t, -0.786, iv.Lo, 1e-9)
	assert.InDelta(t, -0.010, iv.Hi, 1e-9)
	assert.InDelta(t, 0.961, iv.Confidence, 0.001)
	assert.True(t, iv.Excludes(0))
	assert.InDelta(t, 0.0195, PGreater([]float64{0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01}, 0), 0.0005)
}

func TestTooFewPairsAreSaid(t *testing.T) {
	for n := 1; n <= 8; n++ {
		d := make([]float64, n)
		for i := range d {
			d[i] = 1 + float64(i)
		}
		iv, err := HodgesLehmann(d, 0.95)
		require.NoError(t, err)
		assert.Equal(t, n < 6, iv.Short, "n=%d", n)
		assert.Equal(t, n >= 6, iv.Excludes(0), "n=%d", n)
		assert.InDelta(t, 1-math.Pow(2, float64(1-min(n, 5))), min(iv.Confidence, 1-math.Pow(2, -4)), 1e-9)
	}
	_, err := HodgesLehmann(nil, 0.95)
	require.Error(t, err)
	_, err = HodgesLehmann([]float64{1}, 1)
	require.Error(t, err)
	_, err = HodgesLehmann(make([]float64, MaxPairs+1), 0.95)
	require.Error(t, err)
}

func TestRatioRefusesWhatHasNoLogarithm(t *testing.T) {
	for name, pair := range map[string][2][]float64{
		"zero":     {{1, 0}, {1, 1}},
		"negative": {{1, 1}, {1, -1}},
		"NaN":      {{math.NaN()}, {1}},
		"infinite": {{1}, {math.Inf(1)}},
		"unpaired": {{1}, {1, 2}},
	} {
		_, err := Ratio(pair[0], pair[1], 0.95)
		assert.Error(t, err, name)
	}
	iv, err := Ratio([]float64{10, 20, 40, 10, 10, 10}, []float64{15, 30, 60, 15, 15, 15}, 0.95)
	require.NoError(t, err)
	assert.InDelta(t, 1.5, iv.Estimate, 1e-12)
	assert.InDelta(t, 1.5, iv.Lo, 1e-12)
}

// pairs simulates interleaved samples of two servers: a drift both share, noise of each, now and then an outlier, and an effect.
func pairs(r *rand.Rand, n int, noise, effect float64) (a, b []float64) {
	drift := 0.0
	for range n {
		drift += 0.05 * r.NormFloat64()
		one := func(shift float64) float64 {
			v := drift + shift + noise*r.NormFloat64()
			if r.Float64() < 0.05 {
				v += 10 * noise * r.NormFloat64()
			}
			return 1000 * math.Exp(v)
		}
		a, b = append(a, one(0)), append(b, one(effect))
	}
	return a, b
}

// A two-sided 95 % interval may exclude the truth in at most 5 % of simulated runs, whatever the shared drift does.
func TestFalseAlarmsOnSimulatedData(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{6, 7, 10, 20} {
		const runs = 4000
		wrong := 0
		for range runs {
			a, b := pairs(r, n, 0.02, 0)
			iv, err := Ratio(a, b, 0.95)
			require.NoError(t, err)
			if iv.Excludes(1) {
				wrong++
			}
		}
		// 5 % and three standard errors of the simulation itself.
		assert.LessOrEqual(t, float64(wrong)/runs, 0.05+3*math.Sqrt(0.05*0.95/runs), "n=%d", n)
		assert.Positive(t, wrong, "an interval that never errs is too wide to be what it says")
	}
}

// Power to find 10 % when one sample in twenty is an outlier of ten times the noise.
func TestPowerOnSimulatedData(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		n     int
		noise float64
		power float64
	}{{6, 0.02, 0.8}, {10, 0.02, 0.8}, {20, 0.04, 0.9}} {
		const runs = 1000
		found := 0
		for range runs {
			a, b := pairs(r, c.n, c.noise, math.Log(1.10))
			iv, err := Ratio(a, b, 0.95)
			require.NoError(t, err)
			if iv.Excludes(1) && iv.Estimate > 1 {
				found++
			}
		}
		assert.GreaterOrEqual(t, float64(found)/runs, c.power, "n=%d noise=%v", c.n, c.noise)
	}
}

// The interval and the test are two views of one thing: the interval excludes zero exactly when the doubled one-sided p-value is
// below what it leaves out.
func TestIntervalAgreesWithTest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		d := make([]float64, 6+r.IntN(15))
		for i := range d {
			d[i] = r.NormFloat64() + 0.5
		}
		iv, err := HodgesLehmann(d, 0.95)
		require.NoError(t, err)
		neg := slices.Clone(d)
		for i := range neg {
			neg[i] = -neg[i]
		}
		p := 2 * min(PGreater(d, 0), PGreater(neg, 0))
		assert.Equal(t, p <= 1-0.95+1e-12, iv.Excludes(0), "p=%v %+v", p, iv)
	}
}

func TestDescribeAgreesWithBenchmath(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 30; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.ExpFloat64()
		}
		got := Describe(x, 0.95)
		want := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(x), &benchmath.DefaultThresholds), 0.95)
		assert.InDelta(t, want.Center, Median(x), 1e-12)
		assert.False(t, math.IsInf(got.Lo, 0) || math.IsInf(got.Hi, 0))
		assert.LessOrEqual(t, got.Lo, got.Median)
		assert.GreaterOrEqual(t, got.Hi, got.Median)
		if !math.IsInf(want.Lo, 0) {
			assert.Equal(t, want.Lo, got.Lo)
			assert.Equal(t, want.Confidence, got.Confidence)
		}
	}
	assert.Equal(t, Spread{}, Describe(nil, 0.95))
}

func TestHolm(t *testing.T) {
	assert.InDeltaSlice(t, []float64{0.03, 0.06, 0.06, 0.02}, Holm([]float64{0.01, 0.04, 0.03, 0.005}), 1e-12)
	assert.Empty(t, Holm(nil))
}

func TestQuantileAndMAD(t *testing.T) {
	x := []float64{4, 1, 3, 2}
	assert.Equal(t, 2.5, Median(x))
	assert.Equal(t, []float64{4, 1, 3, 2}, x, "the argument stays as it was")
	assert.Equal(t, 4.0, Quantile(x, 1))
	assert.Equal(t, 1.0, Quantile(x, 0))
	assert.InDelta(t, 1.4826, MAD(x), 1e-12)
	assert.True(t, math.IsNaN(Median(nil)))
}
