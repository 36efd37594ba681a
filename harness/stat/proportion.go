package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Proportion bounds the probability behind k successes in n independent trials, 0 ≤ k ≤ n, exactly (Clopper and Pearson 1934): the interval covers it with at least the
// given two-sided confidence. Where k is 0 the upper bound is 1 - ((1-confidence)/2)^(1/n), whatever the probability of the lower one. Without trials it is all of 0…1.
func Proportion(k, n int64, confidence float64) (lo, hi float64) {
	tail := (1 - confidence) / 2
	lo, hi = 0, 1
	if n <= 0 {
		return lo, hi
	}
	switch extreme := -math.Expm1(math.Log(tail) / float64(n)); k { // 1 - tail^(1/n) without the loss of digits
	case 0:
		hi = extreme
	case n:
		lo = 1 - extreme
	default:
		lo = distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(tail)
		hi = distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(1 - tail)
	}
	return lo, hi
}
