package stat

import (
	"math/rand/v2"
	"slices"
)

// Medians are bootstrap replicates of the median of x: that of as many values drawn with replacement. nil for no values.
func Medians(x []float64, resamples int, seed uint64) []float64 {
	if len(x) == 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(seed, 0x3ed1))
	out, drawn := make([]float64, resamples), make([]float64, len(x))
	for i := range out {
		for k := range drawn {
			drawn[k] = x[rng.IntN(len(x))]
		}
		slices.Sort(drawn)
		out[i] = Median(drawn)
	}
	return out
}

// Bounds is the percentile interval of bootstrap replicates that were drawn from n independent pieces, with tails widened as Student's t asks for so
// few (see QuantileRatio). The replicates are not changed.
func Bounds(replicates []float64, n int, confidence float64) (lo, hi float64) {
	s := slices.Clone(replicates)
	slices.Sort(s)
	tail := expandedTail((1-confidence)/2, n)
	return Quantile(s, tail), Quantile(s, 1-tail)
}
