package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// efficiency of the signed-rank test against the t test for normal data (Pitman): 3/π.
	efficiency = 3 / math.Pi
	// Up to few pairs power is simulated; beyond, the t test's formula is right to two hundredths. Up to several the level that the discrete test attains is
	// looked up; beyond, it is the one asked for to the third digit.
	few, several = 16, 60
	// simulated samples for each number of pairs: the power is right to a hundredth.
	simulated = 4000
)

// DetectableEffect is the smallest shift of the mean ln-ratio that n pairs with standard deviation sd find with the given one-sided alpha and power, for normal
// data. It is infinite when n pairs cannot reach alpha at all. It plans, it does not decide.
//
// With few pairs and a strict alpha (Holm over many metrics) the exact test rejects at a few outcomes only, sometimes at one, and a formula promises more than
// it keeps: nine pairs at 0.05/14 find what the t test's formula calls detectable with a power of 0.8 in hardly more than half of the cases.
func DetectableEffect(sd float64, n int, alpha, power float64) float64 {
	if n < 2 {
		return math.Inf(1)
	}
	// A gate asks for the same plans after every pair, for each of its metrics, and only sd differs.
	k := plan{n, alpha, power}
	unit, ok := unitsOf.Load(k)
	if !ok {
		unit = unitEffect(k)
		unitsOf.Store(k, unit)
	}
	if u := unit.(float64); !math.IsInf(u, 1) { // also where there is no deviation at all
		return sd * u
	}
	return math.Inf(1)
}

// plan is a number of pairs that is asked for what it can show.
type plan struct {
	n            int
	alpha, power float64
}

var unitsOf sync.Map // of plan to float64

// unitEffect is the detectable effect where the standard deviation is 1.
func unitEffect(p plan) float64 {
	alpha := p.alpha
	if p.n <= several {
		cdf := signedRankCDF(p.n)
		c := sort.SearchFloat64s(cdf, math.Nextafter(alpha, 1)) - 1 // the test rejects at W- ≤ c
		if c < 0 {
			return math.Inf(1)
		}
		if p.n <= few {
			return max(0, Quantile(shifts(p.n, c), p.power))
		}
		alpha = cdf[c]
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(p.n - 1)}
	return (t.Quantile(1-alpha) + t.Quantile(p.power)) / math.Sqrt(float64(p.n)*efficiency)
}

// PairsNeeded is the inverse of DetectableEffect. It is never fewer than the six pairs that a 95 % interval needs, nor than the pairs from which on
// the exact test can fall to alpha at all (2^-n), nor more than MaxPairs.
func PairsNeeded(sd, effect, alpha, power float64) int {
	least := max(6, int(math.Ceil(-math.Log2(alpha)-1e-9)))
	// The level that is attained comes and goes with n, so that a pair more may find less: one after the other.
	for n := least; n <= several; n++ {
		if DetectableEffect(sd, n, alpha, power) <= effect {
			return n
		}
	}
	from := max(least, several+1)
	return from + sort.Search(MaxPairs-from, func(k int) bool { return DetectableEffect(sd, from+k, alpha, power) <= effect })
}

var shiftsOf sync.Map // of [2]int{n, c} to []float64

// shifts are, for simulated samples of n standard normal differences and in order, the least shift at which the signed-rank test rejects, W- being c at most. W- counts
// the Walsh averages that are not positive, so that shift is what lifts the (c+1)th smallest one to zero.
func shifts(n, c int) []float64 {
	if s, ok := shiftsOf.Load([2]int{n, c}); ok {
		return s.([]float64)
	}
	rng := rand.New(rand.NewPCG(uint64(n), uint64(c)))
	out, d := make([]float64, simulated), make([]float64, n)
	for k := range out {
		for i := range d {
			d[i] = rng.NormFloat64()
		}
		out[k] = -walsh(d)[c]
	}
	slices.Sort(out)
	shiftsOf.Store([2]int{n, c}, out)
	return out
}
