package stat

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Bin is a value and how often it was recorded.
type Bin struct {
	Value float64
	Count int64
}

// Counts is the histogram of one interval, by ascending value.
type Counts []Bin

// Bootstrap says how QuantileRatio resamples.
type Bootstrap struct {
	// Block is how many consecutive intervals are drawn together, because neighbours in time resemble each other; 0 chooses n^(1/3), the order
	// that is best for the variance of a mean (Künsch 1989; Hall, Horowitz, Jing 1995).
	Block int
	// Resamples; 0 is 1,000.
	Resamples  int
	Confidence float64
	Seed       uint64
}

// leastBlocks are the fewest independent pieces from which a 95 % interval may be claimed, as many as the signed-rank test needs pairs.
const leastBlocks = 6

// QuantileRatio compares the q-quantile (0…1) of everything recorded in cand with that in base: histograms are merged and then asked, for
// quantiles must not be averaged. base[i] and cand[i] are intervals measured side by side (one-second intervals of the .hlog, or whole windows), so
// they are drawn together and what both saw cancels out.
//
// It is the circular moving-block bootstrap (Politis, Romano 1992) with a percentile interval whose tails are widened as Student's t asks for so few
// blocks (Hesterberg 2015, 'expanded percentile'): without that, nine blocks err nearly twice as often as they say. Short is true below six blocks.
func QuantileRatio(base, cand []Counts, q float64, o Bootstrap) (Interval, error) {
	n := len(base)
	switch {
	case n == 0 || n != len(cand):
		return Interval{}, fmt.Errorf("%d and %d intervals do not make pairs", n, len(cand))
	case !(q > 0 && q < 1) || !(o.Confidence > 0 && o.Confidence < 1):
		return Interval{}, fmt.Errorf("quantile %v and confidence %v must lie between 0 and 1", q, o.Confidence)
	}
	if o.Block <= 0 {
		o.Block = int(math.Round(math.Cbrt(float64(n))))
	}
	o.Block = min(o.Block, n)
	if o.Resamples <= 0 {
		o.Resamples = 1000
	}
	a, b := index(base), index(cand)
	every := make([]int, n)
	for i := range every {
		every[i] = i
	}
	ratio := func(draw []int) float64 { return b.quantile(draw, q) / a.quantile(draw, q) }
	blocks := (n + o.Block - 1) / o.Block
	iv := Interval{Estimate: ratio(every), N: n, Confidence: o.Confidence, Short: blocks < leastBlocks}
	if !(iv.Estimate > 0) || math.IsInf(iv.Estimate, 0) {
		return Interval{}, errors.New("a quantile is not positive, or nothing was recorded")
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xb007))
	ratios := make([]float64, o.Resamples)
	draw := make([]int, 0, n+o.Block)
	for r := range ratios {
		draw = draw[:0]
		for len(draw) < n {
			from := rng.IntN(n)
			for k := range o.Block {
				draw = append(draw, (from+k)%n)
			}
		}
		ratios[r] = ratio(draw[:n])
	}
	slices.Sort(ratios)
	tail := expandedTail((1-o.Confidence)/2, blocks)
	iv.Lo, iv.Hi = Quantile(ratios, tail), Quantile(ratios, 1-tail)
	return iv, nil
}

// expandedTail is the tail of a percentile interval over n pieces that has the coverage of a t interval: Φ(√(n/(n-1)) t(tail, n-1)).
func expandedTail(tail float64, n int) float64 {
	if n < 2 {
		return 0
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(tail)
	return distuv.UnitNormal.CDF(math.Sqrt(float64(n)/float64(n-1)) * t)
}

// indexed holds the intervals of one arm over the values they have in common.
type indexed struct {
	values []float64
	// places[i] and counts[i] are interval i.
	places [][]int
	counts [][]int64
	sum    []int64
}

func index(intervals []Counts) *indexed {
	x := &indexed{}
	for _, c := range intervals {
		for _, b := range c {
			x.values = append(x.values, b.Value)
		}
	}
	slices.Sort(x.values)
	x.values = slices.Compact(x.values)
	for _, c := range intervals {
		places, counts := make([]int, len(c)), make([]int64, len(c))
		for k, b := range c {
			places[k], counts[k] = sort.SearchFloat64s(x.values, b.Value), b.Count
		}
		x.places, x.counts = append(x.places, places), append(x.counts, counts)
	}
	x.sum = make([]int64, len(x.values))
	return x
}

// quantile of the drawn intervals together: the smallest value that at least the share q of them does not exceed. NaN for nothing.
func (x *indexed) quantile(draw []int, q float64) float64 {
	clear(x.sum)
	var total int64
	for _, i := range draw {
		for k, at := range x.places[i] {
			x.sum[at] += x.counts[i][k]
			total += x.counts[i][k]
		}
	}
	if total == 0 {
		return math.NaN()
	}
	want := max(1, int64(math.Ceil(q*float64(total))))
	var seen int64
	for i, c := range x.sum {
		if seen += c; seen >= want {
			return x.values[i]
		}
	}
	return x.values[len(x.values)-1]
}
