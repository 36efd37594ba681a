package gate

import (
	"fmt"
	"math"

	"github.com/blitz-gateway/blitz/harness/stat"
)

// Verdict of a metric or of a whole gate.
type Verdict string

// Verdicts.
const (
	Pass         Verdict = "pass"
	Regression   Verdict = "REGRESSION"
	Inconclusive Verdict = "inconclusive"
)

// ExitCode of the command: 0, 1 or 3.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass:
		return 0
	case Regression:
		return 1
	}
	return 3
}

// Metric is one figure that the gate decides on.
type Metric struct {
	Name string
	// Unit for people.
	Unit string
	// LowerIsWorse is true for throughput.
	LowerIsWorse bool
	// Threshold is the relative change for the worse that matters at all: 0.03 is 3 %.
	Threshold float64
	// MaxNoise is the noise bound above which the machine cannot decide this metric.
	MaxNoise float64
}

// The level of every interval, and of the family of one-sided tests.
const (
	level = 0.95
	alpha = 0.025
)

// Decision about one metric in one scenario.
type Decision struct {
	Scenario string
	Metric   Metric
	Verdict  Verdict
	// Worse is candidate against baseline as a ratio, turned so that above 1 is worse; Noise the same for baseline against baseline.
	Worse, Noise stat.Interval
	// Bound is how far the A/A run lies from no difference at most, Limit the larger of threshold and bound; both relative.
	Bound, Limit float64
	// P is the one-sided p-value of 'worse', adjusted by Holm over the whole gate.
	P float64
	// Baseline and Candidate are medians, for people.
	Baseline, Candidate float64
	Reason              string

	diffs []float64
}

// evaluate computes everything but the adjusted p-value and the verdict. The three series are in the order of their rounds.
func evaluate(scenario string, m Metric, base, cand, again []float64) (Decision, error) {
	d := Decision{Scenario: scenario, Metric: m, Baseline: stat.Median(base), Candidate: stat.Median(cand)}
	var err error
	if d.diffs, err = stat.LogRatios(base, cand); err != nil {
		return d, fmt.Errorf("%s %s: %w", scenario, m.Name, err)
	}
	noise, err := stat.LogRatios(base, again)
	if err != nil {
		return d, fmt.Errorf("%s %s, A/A: %w", scenario, m.Name, err)
	}
	if m.LowerIsWorse {
		for i := range d.diffs {
			d.diffs[i], noise[i] = -d.diffs[i], -noise[i]
		}
	}
	worse, err := stat.HodgesLehmann(d.diffs, level)
	if err != nil {
		return d, err
	}
	aa, err := stat.HodgesLehmann(noise, level)
	if err != nil {
		return d, err
	}
	d.P = stat.PGreater(d.diffs, 0)
	d.Bound = math.Exp(max(math.Abs(aa.Lo), math.Abs(aa.Hi))) - 1
	d.Limit = max(m.Threshold, d.Bound)
	d.Worse, d.Noise = exp(worse), exp(aa)
	return d, nil
}

func exp(i stat.Interval) stat.Interval {
	i.Estimate, i.Lo, i.Hi = math.Exp(i.Estimate), math.Exp(i.Lo), math.Exp(i.Hi)
	return i
}

// decide gives every decision its adjusted p-value, verdict and reason, and returns the verdict of all: one regression is a regression,
// else one inconclusive metric is inconclusive.
func decide(ds []Decision) Verdict {
	p := make([]float64, len(ds))
	for i, d := range ds {
		p[i] = d.P
	}
	all := Pass
	for i, adjusted := range stat.Holm(p) {
		d := &ds[i]
		d.P = adjusted
		d.judge()
		if d.Verdict == Regression || (d.Verdict == Inconclusive && all == Pass) {
			all = d.Verdict
		}
	}
	return all
}

func (d *Decision) judge() {
	effect, upper := d.Worse.Estimate-1, d.Worse.Hi-1
	significant := d.Worse.Excludes(1) && d.Worse.Lo > 1 && d.P <= alpha
	switch {
	case significant && effect > d.Limit:
		d.Verdict = Regression
		d.Reason = fmt.Sprintf("%.1f %% worse, more than the limit of %.1f %%", 100*effect, 100*d.Limit)
	case d.Worse.Short:
		d.Verdict = Inconclusive
		d.Reason = fmt.Sprintf("%d pairs are too few for an interval of %.0f %%", d.Worse.N, 100*level)
	case d.Bound > d.Metric.MaxNoise:
		d.Verdict = Inconclusive
		d.Reason = fmt.Sprintf("the same executable differs from itself by up to %.1f %%, more than the %.1f %% that can be tolerated", 100*d.Bound, 100*d.Metric.MaxNoise)
	case upper <= d.Limit && significant:
		d.Verdict = Pass
		d.Reason = fmt.Sprintf("%.1f %% worse: significant, but below the limit of %.1f %%", 100*effect, 100*d.Limit)
	case upper <= d.Limit:
		d.Verdict = Pass
		d.Reason = fmt.Sprintf("at most %.1f %% worse, below the limit of %.1f %%", 100*max(upper, 0), 100*d.Limit)
	default:
		d.Verdict = Inconclusive
		d.Reason = fmt.Sprintf("could be %.1f %% worse, which is above the limit of %.1f %%", 100*upper, 100*d.Limit)
	}
}
