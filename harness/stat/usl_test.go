package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// simulate measures a law: noise of each sample, and a drift that a whole round has in common, both as standard deviations of the logarithm.
func simulate(u USL, n []float64, rounds int, noise, drift float64, rng *rand.Rand) Scaling {
	s := Scaling{N: n}
	for range rounds {
		level := drift * rng.NormFloat64()
		x := make([]float64, len(n))
		for i := range n {
			x[i] = u.At(n[i]) * math.Exp(level+noise*rng.NormFloat64())
		}
		s.X = append(s.X, x)
	}
	return s
}

func TestTheLawItself(t *testing.T) {
	u := USL{Lambda: 1000, Sigma: 0.1, Kappa: 0.001}
	assert.Equal(t, 1000.0, u.At(1))
	assert.InDelta(t, 1000*10/(1+0.9+0.09), u.At(10), 1e-9)
	assert.InDelta(t, 30, u.Peak(), 1e-9)
	assert.Greater(t, u.At(30), u.At(29))
	assert.Greater(t, u.At(30), u.At(31))
	assert.Equal(t, math.Inf(1), USL{Lambda: 1, Sigma: 0.5}.Peak())
	assert.Equal(t, 1.0, USL{Lambda: 1, Sigma: 2, Kappa: 0.1}.Peak(), "a second worker only costs")
	assert.InDelta(t, 64, USL{Lambda: 5}.Capacity(64), 1e-12)
	assert.InDelta(t, 64, USL{Lambda: 5, Sigma: -0.01, Kappa: -0.1}.Capacity(64), 1e-12, "no more than linear is believed")
}

// Without noise the parameters come back exactly, those at the bounds included, and no drift of whole rounds changes that.
func TestFitOfWhatHasNoNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := []float64{1, 2, 4, 8, 16, 32, 64}
	for _, u := range []USL{{2e5, 0, 0}, {2e5, 0.03, 0}, {2e5, 0, 0.0004}, {2e5, 0.05, 0.001}, {1, 0.5, 0.1}} {
		for _, drift := range []float64{0, 0.5} {
			f, err := FitUSL(simulate(u, n, 6, 0, drift, rng), Bootstrap{Confidence: 0.95, Resamples: 50})
			require.NoError(t, err)
			assert.True(t, f.Identified)
			assert.InDelta(t, u.Sigma, f.Sigma, 1e-9)
			assert.InDelta(t, u.Kappa, f.Kappa, 1e-9)
			assert.InDelta(t, 0, f.Misfit, 1e-9)
			if drift == 0 {
				assert.InEpsilon(t, u.Lambda, f.Lambda, 1e-9)
			}
		}
	}
}

// The intervals must hold the truth in nine of ten simulations and more, at the bounds too, and also for a forecast well beyond what was measured.
func TestIntervalsHoldTheTruth(t *testing.T) {
	const sims = 100
	n := []float64{1, 2, 4, 8, 16, 32}
	for name, u := range map[string]USL{
		"both": {2e5, 0.02, 0.0002}, "linear": {2e5, 0, 0}, "contention": {2e5, 0.05, 0}, "coherency": {2e5, 0, 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(len(name))))
			hits := map[string]int{}
			for i := range sims {
				f, err := FitUSL(simulate(u, n, 6, 0.03, 0.2, rng), Bootstrap{Confidence: 0.95, Resamples: 400, Seed: uint64(i)})
				require.NoError(t, err)
				in := func(what string, v float64, r [2]float64) {
					if r[0]-1e-12 <= v && v <= r[1]+1e-12 {
						hits[what]++
					}
				}
				in("lambda", u.Lambda, f.LambdaRange)
				in("sigma", u.Sigma, f.SigmaRange)
				in("kappa", u.Kappa, f.KappaRange)
				in("capacity of 128", u.Capacity(128), f.Range(0.95, func(u USL) float64 { return u.Capacity(128) }))
			}
			for what, k := range hits {
				assert.GreaterOrEqual(t, k, sims*9/10, "%s: in %d of %d intervals", what, k, sims)
			}
			assert.Len(t, hits, 4)
		})
	}
}

// Two numbers of workers do not identify the law, and it is said; each parameter alone explains the ratio, and the truth lies between the extremes.
func TestTwoPointsAreNotALaw(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	u := USL{2e5, 0.04, 0.002}
	f, err := FitUSL(simulate(u, []float64{1, 2}, 6, 0, 0.3, rng), Bootstrap{Confidence: 0.95, Resamples: 50})
	require.NoError(t, err)
	assert.False(t, f.Identified)
	assert.Contains(t, f.Reason, "cannot tell contention from coherency")
	assert.InDelta(t, 0.044, f.Contention.Sigma, 1e-9)
	assert.Zero(t, f.Contention.Kappa)
	assert.InDelta(t, 0.022, f.Coherency.Kappa, 1e-9)
	assert.Zero(t, f.Coherency.Sigma)
	assert.InDelta(t, 64, f.Linear.Capacity(64), 1e-9)
	assert.Less(t, f.Coherency.Capacity(64), u.Capacity(64))
	assert.Greater(t, f.Linear.Capacity(64), u.Capacity(64))

	// More than twice the throughput with two workers is noise: no negative cost is believed.
	better := Scaling{N: []float64{1, 2}, X: [][]float64{{100, 220}, {100, 230}, {100, 210}}}
	f, err = FitUSL(better, Bootstrap{Confidence: 0.95, Resamples: 50})
	require.NoError(t, err)
	assert.Zero(t, f.Contention.Sigma)
	assert.Zero(t, f.Coherency.Kappa)
	assert.True(t, f.Short)

	one := Scaling{N: []float64{1}, X: [][]float64{{100}, {110}}}
	f, err = FitUSL(one, Bootstrap{Confidence: 0.95, Resamples: 10})
	require.NoError(t, err)
	assert.False(t, f.Identified)
	assert.Contains(t, f.Reason, "one number of workers")
}

func TestFitRefusesWhatIsNoMeasurement(t *testing.T) {
	o := Bootstrap{Confidence: 0.95, Resamples: 10}
	nan := math.NaN()
	for want, s := range map[string]Scaling{
		"no number":           {},
		"each once":           {N: []float64{2, 2}, X: [][]float64{{1, 1}, {1, 1}}},
		"1 and more":          {N: []float64{0, 2}, X: [][]float64{{1, 1}, {1, 1}}},
		"0 complete rounds":   {N: []float64{1, 2}},
		"1 complete rounds":   {N: []float64{1, 2}, X: [][]float64{{1, 2}, {nan, 2}}},
		"throughput of 0":     {N: []float64{1, 2}, X: [][]float64{{0, 1}, {1, 1}}},
		"throughput of +Inf":  {N: []float64{1, 2}, X: [][]float64{{1, math.Inf(1)}, {1, 1}}},
		"1 throughputs for 2": {N: []float64{1, 2}, X: [][]float64{{1}}},
	} {
		_, err := FitUSL(s, o)
		assert.ErrorContains(t, err, want)
	}
	_, err := FitUSL(Scaling{N: []float64{1}, X: [][]float64{{1}, {1}}}, Bootstrap{})
	assert.ErrorContains(t, err, "confidence")
}

// Wild samples, as a neighbour on the machine makes them, and missing ones do not carry the fit away.
func TestFitOfWildSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	u := USL{2e5, 0.03, 0.0003}
	s := simulate(u, []float64{1, 2, 4, 8, 16, 32}, 12, 0.01, 0.1, rng)
	s.X[3][4] /= 3
	s.X[8][0] = math.NaN()
	f, err := FitUSL(s, Bootstrap{Confidence: 0.95, Resamples: 500})
	require.NoError(t, err)
	assert.Equal(t, 11, f.Rounds)
	assert.InEpsilon(t, u.Capacity(32), f.Capacity(32), 0.05)
	assert.LessOrEqual(t, f.SigmaRange[0], u.Sigma)
	assert.GreaterOrEqual(t, f.SigmaRange[1], u.Sigma)
}

func TestBoundsOfMedians(t *testing.T) {
	x := []float64{9, 10, 11, 10, 12, 8}
	m := Medians(x, 500, 1)
	lo, hi := Bounds(m, len(x), 0.95)
	assert.GreaterOrEqual(t, lo, 8.0)
	assert.LessOrEqual(t, hi, 12.0)
	assert.Less(t, lo, 10.0)
	assert.Greater(t, hi, 10.0)
	assert.Nil(t, Medians(nil, 10, 1))
	lo, hi = Bounds(Medians([]float64{3}, 10, 1), 1, 0.95)
	assert.Equal(t, []float64{3, 3}, []float64{lo, hi})
}
