package stat

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// MaxPairs bounds the exact distribution: 2^-MaxPairs must not vanish in a float64 and the table stays small.
const MaxPairs = 500

// Interval is an estimate with a two-sided confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Lo       float64 `json:"lo"`
	Hi       float64 `json:"hi"`
	// Confidence is the coverage that the interval really has: at least what was asked for, or less when Short is true.
	Confidence float64 `json:"confidence"`
	// N pairs.
	N int `json:"n"`
	// Short is true when there are too few pairs for the wanted confidence (fewer than 6 for 95 %).
	Short bool `json:"short,omitempty"`
}

// Width of the interval.
func (i Interval) Width() float64 { return i.Hi - i.Lo }

// Excludes tells whether x lies outside an interval that has the wanted confidence.
func (i Interval) Excludes(x float64) bool { return !i.Short && (x < i.Lo || x > i.Hi) }

// LogRatios returns ln(b/a) of each pair. All values must be positive and finite.
func LogRatios(a, b []float64) ([]float64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%d and %d samples do not make pairs", len(a), len(b))
	}
	out := make([]float64, len(a))
	for i := range a {
		if !(a[i] > 0) || !(b[i] > 0) || math.IsInf(a[i], 0) || math.IsInf(b[i], 0) {
			return nil, fmt.Errorf("pair %d: %v and %v are not both positive", i+1, a[i], b[i])
		}
		out[i] = math.Log(b[i] / a[i])
	}
	return out, nil
}

// Ratio estimates the typical b/a of the pairs: Hodges–Lehmann over ln(b/a), brought back by exp.
func Ratio(a, b []float64, confidence float64) (Interval, error) {
	d, err := LogRatios(a, b)
	if err != nil {
		return Interval{}, err
	}
	iv, err := HodgesLehmann(d, confidence)
	if err != nil {
		return Interval{}, err
	}
	iv.Estimate, iv.Lo, iv.Hi = math.Exp(iv.Estimate), math.Exp(iv.Lo), math.Exp(iv.Hi)
	return iv, nil
}

// HodgesLehmann estimates the centre of symmetry of the differences d: the median of the Walsh averages (d_i+d_j)/2, i ≤ j. With
// M = n(n+1)/2 averages in order, the interval runs from the (c+1)th to the (M-c)th, where c is the largest number with
// P(W+ ≤ c) ≤ (1-confidence)/2.
func HodgesLehmann(d []float64, confidence float64) (Interval, error) {
	n := len(d)
	if n == 0 {
		return Interval{}, errors.New("no pairs")
	}
	if n > MaxPairs {
		return Interval{}, fmt.Errorf("%d pairs, at most %d are supported", n, MaxPairs)
	}
	if !(confidence > 0 && confidence < 1) {
		return Interval{}, fmt.Errorf("confidence %v is not between 0 and 1", confidence)
	}
	w := walsh(d)
	cdf := signedRankCDF(n)
	tail := (1 - confidence) / 2
	c := -1
	for c+1 < len(cdf) && cdf[c+1] <= tail {
		c++
	}
	iv := Interval{Estimate: Median(w), N: n}
	if c < 0 {
		c, iv.Short = 0, true
	}
	iv.Lo, iv.Hi, iv.Confidence = w[c], w[len(w)-1-c], 1-2*cdf[c]
	return iv, nil
}

// walsh returns the averages of all pairs, each with itself included, in order.
func walsh(d []float64) []float64 {
	out := make([]float64, 0, len(d)*(len(d)+1)/2)
	for i, x := range d {
		for _, y := range d[i:] {
			out = append(out, (x+y)/2)
		}
	}
	slices.Sort(out)
	return out
}

// signedRankCDF returns P(W+ ≤ w) for w = 0…n(n+1)/2 under the null hypothesis without ties. The number of subsets of {1…n} with sum w
// grows by one rank at a time, each rank being in or out with probability one half. It is shared and must not be changed: planning asks for all small n again and again.
func signedRankCDF(n int) []float64 {
	if n > several {
		return computeSignedRankCDF(n)
	}
	if p, ok := cdfOf.Load(n); ok {
		return p.([]float64)
	}
	p := computeSignedRankCDF(n)
	cdfOf.Store(n, p)
	return p
}

var cdfOf sync.Map // of int to []float64

func computeSignedRankCDF(n int) []float64 {
	p := make([]float64, n*(n+1)/2+1)
	p[0] = 1
	top := 0
	for rank := 1; rank <= n; rank++ {
		top += rank
		for w := top; w >= 0; w-- {
			p[w] /= 2
			if w >= rank {
				p[w] += p[w-rank] / 2
			}
		}
	}
	sum := 0.0
	for i := range p {
		sum += p[i]
		p[i] = min(sum, 1)
	}
	return p
}

// PGreater is the one-sided p-value of Wilcoxon's signed-rank test against 'the centre of d is above shift'. Zero differences are
// dropped and ties share their mean rank; the distribution stays exact under ties because it is taken over the ranks at hand.
func PGreater(d []float64, shift float64) float64 {
	type item struct {
		abs float64
		pos bool
	}
	var xs []item
	for _, x := range d {
		if x != shift {
			xs = append(xs, item{math.Abs(x - shift), x > shift})
		}
	}
	if len(xs) == 0 {
		return 1
	}
	slices.SortFunc(xs, func(a, b item) int {
		switch {
		case a.abs < b.abs:
			return -1
		case a.abs > b.abs:
			return 1
		}
		return 0
	})
	// Ranks are doubled, so that a mean rank of two is whole.
	ranks := make([]int, len(xs))
	total, w := 0, 0
	for i := 0; i < len(xs); {
		j := i
		for j < len(xs) && xs[j].abs == xs[i].abs {
			j++
		}
		for k := i; k < j; k++ {
			ranks[k] = (i + 1) + j
			total += ranks[k]
			if xs[k].pos {
				w += ranks[k]
			}
		}
		i = j
	}
	p := make([]float64, total+1)
	p[0] = 1
	top := 0
	for _, r := range ranks {
		top += r
		for v := top; v >= 0; v-- {
			p[v] /= 2
			if v >= r {
				p[v] += p[v-r] / 2
			}
		}
	}
	sum := 0.0
	for v := w; v <= total; v++ {
		sum += p[v]
	}
	return min(sum, 1)
}
