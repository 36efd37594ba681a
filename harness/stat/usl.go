package stat

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// USL is the Universal Scalability Law: the throughput of n workers is
//
//	X(n) = λn / (1 + σ(n-1) + κn(n-1))
//
// where λ is that of one worker, σ the share of the work that only one can do at a time (contention), and κ what workers spend on keeping each other's
// view of shared data the same (coherency). With κ = 0 it is Amdahl's law, and with both 0 every worker adds as much as the first (Gunther, 'A Simple Capacity
// Model of Massively Parallel Transaction Systems', CMG 1993; 'Guerrilla Capacity Planning', 2007, chapters 4–6).
type USL struct {
	Lambda float64 `json:"lambda"`
	Sigma  float64 `json:"sigma"`
	Kappa  float64 `json:"kappa"`
}

// At is the throughput of n workers.
func (u USL) At(n float64) float64 { return u.Lambda * u.Capacity(n) }

// Capacity is how many times one worker's throughput n workers have. It is n at most: replicates of a fit may have negative parameters, and what follows from
// those, more than n, is noise.
func (u USL) Capacity(n float64) float64 { return n / max(1, 1+u.Sigma*(n-1)+u.Kappa*n*(n-1)) }

// Peak is the number of workers with the highest throughput; infinite without coherency cost, for then every further worker adds something, or nothing.
func (u USL) Peak() float64 {
	if u.Kappa == 0 {
		return math.Inf(1)
	}
	return max(1, math.Sqrt(max(0, 1-u.Sigma)/u.Kappa))
}

// Scaling is what was measured: X[r][i] is the throughput of N[i] workers in round r. In a round all were measured close in time. NaN is a sample that is missing.
type Scaling struct {
	N []float64
	X [][]float64
}

// Law is a USL with bootstrap replicates.
type Law struct {
	USL
	// Draws are the replicates, from Rounds complete rounds. Their σ and κ are free and may be below zero: at the bound of a parameter the bootstrap of the bounded fit
	// claims too narrow intervals (Andrews 2000), so the bound is applied to what is made of them.
	Draws  []USL
	Rounds int
}

// USLFit is what measurements say about the law.
type USLFit struct {
	// Law with σ and κ both free; only meaningful if Identified.
	Law
	Identified bool
	// Reason why not, in words.
	Reason string
	// Linear assumes σ = κ = 0, Contention κ = 0, Coherency σ = 0. Where the law is not identified, these are the assumptions between which it lies.
	Linear, Contention, Coherency Law
	// LambdaRange, SigmaRange and KappaRange hold the parameters of the identified law with the wanted confidence.
	LambdaRange, SigmaRange, KappaRange [2]float64
	Confidence                          float64
	// Short: fewer rounds than a 95 % interval may be claimed from.
	Short bool
	// Misfit is the largest relative deviation of a measured point from the law.
	Misfit float64
}

// columns of the linear form n/X = a + b(n-1) + cn(n-1), where a = 1/λ, b = σ/λ, c = κ/λ.
type columns uint8

const (
	withB columns = 1 << iota
	withC
)

// FitUSL fits the law by least squares of relative deviations in its linear form, with σ and κ not below zero. What a whole round has in common (a machine that
// changed its speed) is taken out before: only ratios within a round bear on σ and κ. Points are Hodges–Lehmann centres over the rounds. The
// intervals are those of a bootstrap that draws whole rounds.
//
// Two numbers of workers give one ratio, and one ratio cannot tell σ from κ: the fit says then that it is not identified, and what each alone would have to be.
func FitUSL(s Scaling, o Bootstrap) (USLFit, error) {
	if !(o.Confidence > 0 && o.Confidence < 1) {
		return USLFit{}, fmt.Errorf("confidence %v is not between 0 and 1", o.Confidence)
	}
	if o.Resamples <= 0 {
		o.Resamples = 1000
	}
	for i, n := range s.N {
		if !(n >= 1) || math.IsInf(n, 0) || slices.Contains(s.N[:i], n) {
			return USLFit{}, fmt.Errorf("%v workers: the numbers must be 1 and more, each once", n)
		}
	}
	rounds, err := s.complete()
	if err != nil {
		return USLFit{}, err
	}
	f := USLFit{Confidence: o.Confidence, Short: len(rounds) < leastBlocks}
	every := make([]int, len(rounds))
	for i := range every {
		every[i] = i
	}
	y := centres(rounds, every)
	f.USL, f.Linear.USL = solve(s.N, y, withB|withC), solve(s.N, y, 0)
	f.Contention.USL, f.Coherency.USL = solve(s.N, y, withB), solve(s.N, y, withC)
	for i, n := range s.N {
		f.Misfit = max(f.Misfit, math.Abs(f.At(n)*y[i]/n-1))
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x051))
	draw := make([]int, len(rounds))
	for range o.Resamples {
		for i := range draw {
			draw[i] = rng.IntN(len(rounds))
		}
		y := centres(rounds, draw)
		f.Draws = append(f.Draws, free(s.N, y, withB|withC))
		f.Linear.Draws = append(f.Linear.Draws, free(s.N, y, 0))
		f.Contention.Draws = append(f.Contention.Draws, free(s.N, y, withB))
		f.Coherency.Draws = append(f.Coherency.Draws, free(s.N, y, withC))
	}
	for _, l := range []*Law{&f.Law, &f.Linear, &f.Contention, &f.Coherency} {
		l.Rounds = len(rounds)
	}
	f.LambdaRange = f.Range(o.Confidence, func(u USL) float64 { return u.Lambda })
	f.SigmaRange = f.Range(o.Confidence, func(u USL) float64 { return max(0, u.Sigma) })
	f.KappaRange = f.Range(o.Confidence, func(u USL) float64 { return max(0, u.Kappa) })
	switch len(s.N) {
	case 1:
		f.Reason = "one number of workers says nothing about how they scale"
	case 2:
		f.Reason = fmt.Sprintf("two numbers of workers (%v and %v) make one ratio, and one ratio cannot tell contention from coherency", slices.Min(s.N), slices.Max(s.N))
	default:
		f.Identified = true
	}
	return f, nil
}

// Range is the interval of a figure that follows from the law.
func (l Law) Range(confidence float64, of func(USL) float64) [2]float64 {
	v := make([]float64, len(l.Draws))
	for i, u := range l.Draws {
		v[i] = of(u)
	}
	lo, hi := Bounds(v, l.Rounds, confidence)
	return [2]float64{lo, hi}
}

// complete are the rounds that have every number of workers, as ln(n/X).
func (s Scaling) complete() ([][]float64, error) {
	if len(s.N) == 0 {
		return nil, errors.New("no number of workers was measured")
	}
	var out [][]float64
	for r, x := range s.X {
		if len(x) != len(s.N) {
			return nil, fmt.Errorf("round %d has %d throughputs for %d numbers of workers", r+1, len(x), len(s.N))
		}
		y := make([]float64, len(x))
		whole := true
		for i, v := range x {
			if math.IsNaN(v) {
				whole = false
				break
			}
			if !(v > 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("round %d, %v workers: a throughput of %v", r+1, s.N[i], v)
			}
			y[i] = math.Log(s.N[i] / v)
		}
		if whole {
			out = append(out, y)
		}
	}
	if len(out) < 2 {
		return nil, fmt.Errorf("%d complete rounds; an interval needs two and more", len(out))
	}
	return out, nil
}

// centres are n/X over the drawn rounds, after each round's own level has been taken out, and put back as the typical one.
func centres(rounds [][]float64, draw []int) []float64 {
	k := len(rounds[0])
	levels, out := make([]float64, len(draw)), make([]float64, k)
	for i, r := range draw {
		levels[i] = mean(rounds[r])
	}
	averages := make([]float64, 0, len(draw)*(len(draw)+1)/2)
	centre := func(d []float64) float64 {
		averages = averages[:0]
		for i, x := range d {
			for _, y := range d[i:] {
				averages = append(averages, (x+y)/2)
			}
		}
		slices.Sort(averages)
		return Median(averages)
	}
	level := centre(levels)
	v := make([]float64, len(draw))
	for c := range k {
		for i, r := range draw {
			v[i] = rounds[r][c] - levels[i]
		}
		out[c] = math.Exp(level + centre(v))
	}
	return out
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// solve finds a > 0 and b, c ≥ 0 of the linear form that minimise Σ((a + b(n-1) + cn(n-1))/y - 1)². The optimum of a convex problem with such bounds is the
// free optimum of one of the faces of its region, so each face is solved, and the best that keeps the bounds is it.
func solve(n, y []float64, with columns) USL {
	best, least := USL{}, math.Inf(1)
	for face := columns(0); face <= withB|withC; face++ {
		if face&^with != 0 {
			continue
		}
		if u, residual, ok := solveFace(n, y, face); ok && u.Sigma >= 0 && u.Kappa >= 0 && residual < least {
			best, least = u, residual
		}
	}
	return best
}

// free is solve without the bounds on b and c, where there is such a solution.
func free(n, y []float64, with columns) USL {
	if u, _, ok := solveFace(n, y, with); ok {
		return u
	}
	return solve(n, y, with)
}

// solveFace is the least squares solution with the given columns, if there is one and its a is positive.
func solveFace(n, y []float64, face columns) (u USL, residual float64, ok bool) {
	cols := make([][]float64, 0, 3)
	add := func(of func(float64) float64) {
		c := make([]float64, len(n))
		for i := range n {
			c[i] = of(n[i]) / y[i]
		}
		cols = append(cols, c)
	}
	add(func(float64) float64 { return 1 })
	if face&withB != 0 {
		add(func(n float64) float64 { return n - 1 })
	}
	if face&withC != 0 {
		add(func(n float64) float64 { return n * (n - 1) })
	}
	x, residual, ok := leastSquares(cols)
	if !ok || x[0] <= 0 {
		return u, residual, false
	}
	u.Lambda = 1 / x[0]
	if face&withB != 0 {
		u.Sigma = x[1] / x[0]
	}
	if face&withC != 0 {
		u.Kappa = x[len(x)-1] / x[0]
	}
	return u, residual, true
}

// leastSquares finds x that minimises |Σ x_k cols_k - 1|², by Gram–Schmidt with columns of unit length; ok is false if they depend on each other.
func leastSquares(cols [][]float64) (x []float64, residual float64, ok bool) {
	const dependent = 1e-9
	k, m := len(cols), len(cols[0])
	q, r := make([][]float64, k), make([][]float64, k)
	rest := make([]float64, m)
	for i := range rest {
		rest[i] = 1
	}
	proj := make([]float64, k)
	for j := range cols {
		v, norm := slices.Clone(cols[j]), math.Sqrt(dot(cols[j], cols[j]))
		r[j] = make([]float64, k)
		for i := range j {
			r[i][j] = dot(q[i], v)
			for t := range v {
				v[t] -= r[i][j] * q[i][t]
			}
		}
		r[j][j] = math.Sqrt(dot(v, v))
		if !(r[j][j] > dependent*norm) {
			return nil, 0, false
		}
		for t := range v {
			v[t] /= r[j][j]
		}
		q[j] = v
		proj[j] = dot(v, rest)
		for t := range rest {
			rest[t] -= proj[j] * v[t]
		}
	}
	x = make([]float64, k)
	for j := k - 1; j >= 0; j-- {
		x[j] = proj[j]
		for i := j + 1; i < k; i++ {
			x[j] -= r[j][i] * x[i]
		}
		x[j] /= r[j][j]
	}
	return x, dot(rest, rest), true
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
