package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/blitz-gateway/blitz/harness/stat"
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

// Sample is one measurement of one arm.
type Sample struct {
	// Values by key of the metric.
	Values map[string]float64
	// Tail holds the response times at the fixed rate, interval by interval; empty without one.
	Tail []stat.Counts
}

// Guard watches over the machine while a pair is measured. Begin is called before a pair and the returned function after it; its error says what
// disturbed the pair.
type Guard interface {
	Begin() (end func() error, err error)
}

// Config of a gate.
type Config struct {
	Scenarios []string
	Metrics   []Metric
	// MinPairs are measured before the first decision; then as many as the measured noise asks for, at least Step more, up to MaxPairs.
	MinPairs, Step, MaxPairs int
	// Budget ends measuring; no round is begun after it.
	Budget time.Duration
	// Measure returns one value for each metric of each arm in one scenario, measured in this order.
	Measure func(ctx context.Context, scenario string, order []Arm) ([arms]Sample, error)
	// Guard may be nil.
	Guard   Guard
	Waivers []Waiver
	// Resamples of the bootstrap; 0 is its default.
	Resamples int
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
	// Notes say what else matters: repeated measurements, an exhausted budget, why it is invalid.
	Notes []string
}

type key struct {
	scenario, metric string
}

type run struct {
	Config
	data    map[key]*series
	invalid int // measurements
	spoiled int // pairs
	pairs   int
}

// invalidLimit is how many measurements, or pairs, in a row may be spoiled before the gate gives up.
const invalidLimit = 3

// stop is why no more can be measured.
type stop struct {
	why     string
	invalid bool
}

// Run measures until everything is decided, or pairs or budget are used up.
func Run(ctx context.Context, c Config) (Outcome, error) {
	if len(c.Scenarios) == 0 || len(c.Metrics) == 0 || c.MinPairs < 1 || c.MaxPairs < c.MinPairs || c.Step < 1 {
		return Outcome{}, errors.New("gate: scenarios, metrics and pairs are needed")
	}
	r := &run{Config: c, data: map[key]*series{}}
	for _, s := range c.Scenarios {
		for _, m := range c.Metrics {
			r.data[key{s, m.Key}] = &series{seed: c.Seed, resamples: c.Resamples}
		}
	}
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	began := c.Now()
	goal := c.MinPairs
	for {
		end, err := r.measure(ctx, goal, rng, began)
		if err != nil {
			return Outcome{}, err
		}
		out, err := r.outcome()
		if err != nil {
			return out, err
		}
		out.Took = c.Now().Sub(began)
		r.note(&out, end)
		if end != nil || out.Verdict != Inconclusive || r.pairs >= c.MaxPairs {
			return out, nil
		}
		goal = min(max(r.pairs+c.Step, needed(out.Decisions)), c.MaxPairs)
		c.Progress(fmt.Sprintf("not decided after %d pairs: measuring up to %d", r.pairs, goal))
	}
}

func (r *run) note(out *Outcome, end *stop) {
	if end != nil {
		out.Notes = append(out.Notes, end.why)
		if end.invalid {
			out.Verdict = Invalid
		}
	}
	if r.invalid > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d measurements were invalid and were repeated or left out.", r.invalid))
	}
	if r.spoiled > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d pairs were disturbed and were left out.", r.spoiled))
	}
	// What keeps the gate from an answer is said with what would help.
	for _, d := range out.Decisions {
		if d.Verdict == Inconclusive && d.Needed > r.MaxPairs {
			out.Notes = append(out.Notes, fmt.Sprintf("%s, %s: this noise asks for %d pairs, at most %d are allowed.", d.Scenario, d.Metric.Name, d.Needed, r.MaxPairs))
		}
	}
}

// needed pairs of what is open.
func needed(ds []Decision) int {
	n := 0
	for _, d := range ds {
		if d.Verdict == Inconclusive {
			n = max(n, d.Needed)
		}
	}
	return n
}

// measure makes pairs up to goal.
func (r *run) measure(ctx context.Context, goal int, rng *rand.Rand, began time.Time) (*stop, error) {
	orders, inRow := r.Order(int(arms), goal-r.pairs, rng), 0
	for len(orders) > 0 {
		if r.Budget > 0 && r.Now().Sub(began) >= r.Budget {
			return &stop{why: fmt.Sprintf("The budget of %v was used up after %d pairs.", r.Budget, r.pairs)}, nil
		}
		disturbed, end, err := r.round(ctx, orders[0])
		switch {
		case err != nil || end != nil:
			return end, err
		case disturbed == nil:
			orders, inRow = orders[1:], 0
			r.pairs++
			r.Progress(fmt.Sprintf("pair %d measured", r.pairs))
			continue
		}
		r.spoiled++
		inRow++
		r.Progress(fmt.Sprintf("pair left out: %v", disturbed))
		if inRow == invalidLimit || r.spoiled > r.MaxPairs {
			return &stop{why: fmt.Sprintf("%v, %d pairs in a row.", disturbed, inRow), invalid: true}, nil
		}
	}
	return nil, nil
}

// round measures all scenarios with all arms. It counts when all of it was measured and nothing disturbed it.
func (r *run) round(ctx context.Context, order []int) (disturbed error, end *stop, err error) {
	finish := func() error { return nil }
	if r.Guard != nil {
		if finish, err = r.Guard.Begin(); err != nil {
			return nil, nil, err
		}
	}
	in := make([]Arm, len(order))
	for i, a := range order {
		in[i] = Arm(a)
	}
	got := map[string][arms]Sample{}
	for _, scenario := range r.Scenarios {
		each, err := r.once(ctx, scenario, in)
		if errors.Is(err, ErrInvalid) {
			return nil, &stop{why: fmt.Sprintf("%s: %v, %d times in a row.", scenario, err, invalidLimit), invalid: true}, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", scenario, err)
		}
		for arm, s := range each {
			for _, m := range r.Metrics {
				if _, ok := s.Values[m.Key]; !ok {
					return nil, nil, fmt.Errorf("%s, %s: no value for %s", scenario, Arm(arm), m.Name)
				}
			}
		}
		got[scenario] = each
	}
	if disturbed := finish(); disturbed != nil {
		return disturbed, nil, nil
	}
	for scenario, each := range got {
		for arm, s := range each {
			for _, m := range r.Metrics {
				d := r.data[key{scenario, m.Key}]
				d.values[arm] = append(d.values[arm], s.Values[m.Key])
				if m.Quantile > 0 {
					d.tails[arm] = append(d.tails[arm], s.Tail...)
					d.block = max(1, len(s.Tail))
				}
			}
		}
	}
	return nil, nil, nil
}

func (r *run) once(ctx context.Context, scenario string, order []Arm) (s [arms]Sample, err error) {
	for range invalidLimit {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		s, err = r.Measure(ctx, scenario, order)
		if !errors.Is(err, ErrInvalid) {
			return s, err
		}
		r.invalid++
		r.Progress(fmt.Sprintf("%s: %v", scenario, err))
	}
	return s, err
}

func (r *run) outcome() (Outcome, error) {
	out := Outcome{Pairs: r.pairs, Verdict: Inconclusive}
	if r.pairs == 0 {
		return out, nil
	}
	for _, s := range r.Scenarios {
		for _, m := range r.Metrics {
			d, err := evaluate(s, m, *r.data[key{s, m.Key}])
			if err != nil {
				return out, err
			}
			out.Decisions = append(out.Decisions, d)
		}
	}
	out.Verdict = decide(out.Decisions, r.Waivers)
	return out, nil
}
