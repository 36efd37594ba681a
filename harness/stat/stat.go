package stat

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Median of the values, the mean of the middle two for an even count; NaN for none. The argument is not changed.
func Median(x []float64) float64 { return Quantile(x, 0.5) }

// Quantile is the q-quantile (0…1) with linear interpolation between order statistics (Hyndman and Fan's type 7).
func Quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := x
	if !slices.IsSorted(s) {
		s = slices.Clone(x)
		slices.Sort(s)
	}
	h := q * float64(len(s)-1)
	i := int(math.Floor(h))
	if i >= len(s)-1 {
		return s[len(s)-1]
	}
	return s[i] + (h-float64(i))*(s[i+1]-s[i])
}

// Spread describes repeated samples of one thing.
type Spread struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	// Lo and Hi bound the median with the given confidence; with few samples they are the extremes and Confidence says how little
	// that is worth.
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	Confidence float64 `json:"confidence"`
	Min        float64 `json:"min"`
	Max        float64 `json:"max"`
}

// Describe summarises samples by order statistics alone, through golang.org/x/perf/benchmath. Its interval for the median may be
// infinite for few samples; then the extremes stand in and Confidence is what they cover, 1 - 2^(1-n).
func Describe(x []float64, confidence float64) Spread {
	if len(x) == 0 {
		return Spread{}
	}
	sum := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(x), &benchmath.DefaultThresholds), confidence)
	s := Spread{N: len(x), Median: sum.Center, Lo: sum.Lo, Hi: sum.Hi, Confidence: sum.Confidence, Min: slices.Min(x), Max: slices.Max(x)}
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		s.Lo, s.Hi = s.Min, s.Max
		s.Confidence = 1 - math.Pow(2, float64(1-len(x)))
	}
	return s
}

// MAD is the median absolute deviation scaled to a standard deviation of a normal distribution.
func MAD(x []float64) float64 {
	m := Median(x)
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = math.Abs(v - m)
	}
	return 1.4826 * Median(d)
}

// Holm returns p-values adjusted for being the best of several (Holm 1979): reject those that are ≤ alpha and the chance of any
// false alarm in the family is ≤ alpha.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return a - b
	})
	out := make([]float64, len(p))
	highest := 0.0
	for k, i := range order {
		highest = max(highest, min(1, float64(len(p)-k)*p[i]))
		out[i] = highest
	}
	return out
}
