package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// ChangePoint is where a series stopped being what it was.
type ChangePoint struct {
	// Index of the first value after the change.
	Index int `json:"index"`
	// P of the permutation test at the time it was found.
	P float64 `json:"p"`
	// Before and After are the medians of the two segments that meet here.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// EDivisive says how ChangePoints searches.
type EDivisive struct {
	// Alpha is the chance of seeing a first change in a series that has none; 0 is 0.05.
	Alpha float64
	// MinSegment values lie between two changes; less than 2 is 3.
	MinSegment int
	// Permutations of each test; 0 is 499. The smallest possible p is 1/(Permutations+1).
	Permutations int
	Seed         uint64
}

// MaxHistory bounds a series: the search needs memory and time of the order of its square.
const MaxHistory = 1000

// ChangePoints finds the points at which the distribution of a series changed, in any way (level, spread), by the E-divisive method of Matteson and
// James: 'A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data', JASA 109 (2014), 334–345. It is the method behind Apache
// Otava (formerly Hunter; Fleming et al., ICPE 2023) and MongoDB's detection (Daly et al., ICPE 2020).
//
// For two stretches X of m and Y of n values the sample energy distance with exponent 1 is
//
//	E(X,Y) = 2/(mn) ΣΣ|Xi-Yj| - 2/(m(m-1)) Σi<k|Xi-Xk| - 2/(n(n-1)) Σj<k|Yj-Yk|    (equation 5)
//	Q(X,Y) = mn/(m+n) E(X,Y)                                                       (equation 6)
//
// The best split of a segment maximises Q over where X ends and where Y ends (equation 7), the best segment over all segments (section 2.3). It
// counts when fewer than alpha of random permutations within the segments hold a split as good (section 2.4); then the search goes on in the pieces.
func ChangePoints(x []float64, o EDivisive) ([]ChangePoint, error) {
	if o.Alpha <= 0 {
		o.Alpha = 0.05
	}
	if o.MinSegment < 2 {
		o.MinSegment = 3
	}
	if o.Permutations <= 0 {
		o.Permutations = 499
	}
	if len(x) > MaxHistory {
		return nil, errors.New("the history is too long: compare a part of it")
	}
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("the history holds a value that is not a number")
		}
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0xed17))
	bounds := []int{0, len(x)} // of the segments
	p := map[int]float64{}
	shuffled := make([]float64, len(x))
	for {
		at, q := bestOfAll(x, bounds, o.MinSegment)
		if at < 0 {
			break
		}
		as := 0
		for range o.Permutations {
			copy(shuffled, x)
			for i := range len(bounds) - 1 {
				s := shuffled[bounds[i]:bounds[i+1]]
				rng.Shuffle(len(s), func(a, b int) { s[a], s[b] = s[b], s[a] })
			}
			// A tie counts as good: constant series have no change. Rounding must not decide.
			if _, r := bestOfAll(shuffled, bounds, o.MinSegment); r >= q-1e-12*math.Abs(q) {
				as++
			}
		}
		chance := float64(as+1) / float64(o.Permutations+1)
		if chance > o.Alpha {
			break
		}
		p[at] = chance
		bounds = append(bounds, at)
		slices.Sort(bounds)
	}
	var out []ChangePoint
	for i := 1; i < len(bounds)-1; i++ {
		out = append(out, ChangePoint{
			Index: bounds[i], P: p[bounds[i]], Before: Median(x[bounds[i-1]:bounds[i]]), After: Median(x[bounds[i]:bounds[i+1]]),
		})
	}
	return out, nil
}

func bestOfAll(x []float64, bounds []int, least int) (at int, q float64) {
	at, q = -1, math.Inf(-1)
	for i := range len(bounds) - 1 {
		if t, v := bestSplit(x[bounds[i]:bounds[i+1]], least); t > 0 && v > q {
			at, q = bounds[i]+t, v
		}
	}
	return at, q
}

// bestSplit returns the length of X in the best split of a segment into X, Y and a rest, and its Q; 0 when the segment is too short.
func bestSplit(x []float64, least int) (at int, best float64) {
	n := len(x)
	best = math.Inf(-1)
	if n < 2*least {
		return 0, best
	}
	// across, the sum of distances between X = x[:t] and Y = x[t:c], follows from within(0,c) = within(0,t) + within(t,c) + across. toOwn[i] is the sum
	// of distances from x[i] to x[t:i]; as t falls by one each grows by one term, so everything takes n² steps.
	fromStart := growing(x)
	toOwn := make([]float64, n)
	for t := n - 1; t >= least; t-- {
		m, wx, wy := float64(t), fromStart[t], 0.0
		for i := t + 1; i < n; i++ {
			toOwn[i] += math.Abs(x[i] - x[t])
			wy += toOwn[i]
			c := i + 1
			if c-t < least {
				continue
			}
			k := float64(c - t)
			across := fromStart[c] - wx - wy
			q := m * k / (m + k) * (2/(m*k)*across - 2/(m*(m-1))*wx - 2/(k*(k-1))*wy)
			if q > best {
				at, best = t, q
			}
		}
	}
	return at, best
}

// growing returns, for each length, the sum of the distances among the first values.
func growing(x []float64) []float64 {
	out := make([]float64, len(x)+1)
	for i, v := range x {
		sum := 0.0
		for _, w := range x[:i] {
			sum += math.Abs(v - w)
		}
		out[i+1] = out[i] + sum
	}
	return out
}
