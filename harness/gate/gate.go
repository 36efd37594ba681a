package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Arm is one of the three executables in the interleaving.
type Arm int

// Arms. Again is the baseline a second time.
const (
	Baseline Arm = iota
	Candidate
	Again
	arms
)

func (a Arm) String() string { return [...]string{"baseline", "candidate", "baseline again"}[a] }

// ErrInvalid marks a measurement that spoiled itself (late generator, changed process tree); it may be repeated.
var ErrInvalid = errors.New("invalid measurement")

// Config of a gate.
type Config struct {
	Scenarios []string
	Metrics   []Metric
	// MinPairs are measured before the first decision, then Step more at a time up to MaxPairs.
	MinPairs, Step, MaxPairs int
	// Budget ends measuring; no round is begun after it.
	Budget time.Duration
	// Measure returns one value for each metric, by name, of one arm in one scenario.
	Measure func(ctx context.Context, scenario string, arm Arm) (map[string]float64, error)
	// Order returns the orders of n arms for the given number of rounds.
	Order    func(n, rounds int, rng *rand.Rand) [][]int
	Seed     uint64
	Now      func() time.Time
	Progress func(string)
}

// Outcome of a gate.
type Outcome struct {
	Verdict   Verdict
	Decisions []Decision
	Pairs     int
	Took      time.Duration
	// Notes say what else matters: repeated measurements, an exhausted budget.
	Notes []string
}

type key struct {
	scenario, metric string
	arm              Arm
}

type run struct {
	Config
	values  map[key][]float64
	invalid int
	pairs   int
}

// invalidLimit is how many measurements in a row may spoil themselves before the gate gives up as inconclusive.
const invalidLimit = 3

// Run measures until everything is decided, or pairs or budget are used up.
func Run(ctx context.Context, c Config) (Outcome, error) {
	if len(c.Scenarios) == 0 || len(c.Metrics) == 0 || c.MinPairs < 1 || c.MaxPairs < c.MinPairs || c.Step < 1 {
		return Outcome{}, errors.New("gate: scenarios, metrics and pairs are needed")
	}
	r := &run{Config: c, values: map[key][]float64{}}
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	began := c.Now()
	var out Outcome
	goal := c.MinPairs
	for {
		orders := c.Order(int(arms), goal-r.pairs, rng)
		stop, err := r.measure(ctx, orders, began)
		if err != nil {
			return out, err
		}
		out, err = r.outcome()
		if err != nil {
			return out, err
		}
		out.Took = c.Now().Sub(began)
		if stop != "" {
			out.Notes = append(out.Notes, stop)
		}
		if r.invalid > 0 {
			out.Notes = append(out.Notes, fmt.Sprintf("%d measurements were invalid and were repeated or left out", r.invalid))
		}
		if stop != "" || out.Verdict != Inconclusive || r.pairs >= c.MaxPairs {
			return out, nil
		}
		goal = min(r.pairs+c.Step, c.MaxPairs)
		c.Progress(fmt.Sprintf("not decided after %d pairs: measuring up to %d", r.pairs, goal))
	}
}

// measure makes one round for each order. stop says why no more can be measured.
func (r *run) measure(ctx context.Context, orders [][]int, began time.Time) (stop string, err error) {
	for _, order := range orders {
		if r.Budget > 0 && r.Now().Sub(began) >= r.Budget {
			return fmt.Sprintf("the budget of %v was used up after %d pairs", r.Budget, r.pairs), nil
		}
		got := map[key]float64{}
		for _, scenario := range r.Scenarios {
			for _, i := range order {
				arm := Arm(i)
				values, err := r.once(ctx, scenario, arm)
				if errors.Is(err, ErrInvalid) {
					return fmt.Sprintf("%s, %s: %v, %d times in a row", scenario, arm, err, invalidLimit), nil
				}
				if err != nil {
					return "", fmt.Errorf("%s, %s: %w", scenario, arm, err)
				}
				for _, m := range r.Metrics {
					v, ok := values[m.Name]
					if !ok {
						return "", fmt.Errorf("%s, %s: no value for %s", scenario, arm, m.Name)
					}
					got[key{scenario, m.Name, arm}] = v
				}
			}
		}
		// A round counts when all of it was measured.
		for k, v := range got {
			r.values[k] = append(r.values[k], v)
		}
		r.pairs++
		r.Progress(fmt.Sprintf("pair %d measured", r.pairs))
	}
	return "", nil
}

func (r *run) once(ctx context.Context, scenario string, arm Arm) (v map[string]float64, err error) {
	for range invalidLimit {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err = r.Measure(ctx, scenario, arm)
		if !errors.Is(err, ErrInvalid) {
			return v, err
		}
		r.invalid++
		r.Progress(fmt.Sprintf("%s, %s: %v", scenario, arm, err))
	}
	return nil, err
}

func (r *run) outcome() (Outcome, error) {
	out := Outcome{Pairs: r.pairs, Verdict: Inconclusive}
	if r.pairs == 0 {
		return out, nil
	}
	for _, s := range r.Scenarios {
		for _, m := range r.Metrics {
			d, err := evaluate(s, m, r.values[key{s, m.Name, Baseline}], r.values[key{s, m.Name, Candidate}], r.values[key{s, m.Name, Again}])
			if err != nil {
				return out, err
			}
			out.Decisions = append(out.Decisions, d)
		}
	}
	out.Verdict = decide(out.Decisions)
	return out, nil
}
