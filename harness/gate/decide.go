package gate

import (
	"errors"
	"fmt"
	"math"

	"github.com/blitz-gateway/blitz/harness/stat"
)

// Verdict of a metric or of a whole gate.
type Verdict string

// Verdicts. Waived is a metric's only: a regression that a waiver allows; the gate counts it as passed.
const (
	Pass         Verdict = "pass"
	Regression   Verdict = "REGRESSION"
	Waived       Verdict = "waived"
	Inconclusive Verdict = "inconclusive"
	Invalid      Verdict = "invalid"
)

// ExitCode of the command: 0, 1 or 3.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass, Waived:
		return 0
	case Regression:
		return 1
	}
	return 3
}

const (
	// level of every interval, two-sided.
	level = 0.95
	// alpha of the family of one-sided tests, over all scenarios and metrics of a gate together.
	alpha = 0.05
	// power for which detectable effects and pairs are given.
	power = 0.8
)

// Decision about one metric in one scenario.
type Decision struct {
	Scenario string
	Metric   Metric
	Verdict  Verdict
	// Worse is candidate against baseline, Noise baseline against baseline, both as excess: 0 is no difference, above is worse; relative, or in units
	// if the metric is absolute.
	Worse, Noise stat.Interval
	// Tail is the same as Worse over the merged histograms, by block bootstrap; nil for metrics that are no quantiles.
	Tail *stat.Interval
	// Bound is how far the A/A run lies from no difference at most, Limit the larger of threshold and bound.
	Bound, Limit float64
	// P is the one-sided p-value of 'worse', adjusted by Holm over the whole gate.
	P float64
	// Detectable is the smallest effect that this many pairs find in this noise four times out of five; Needed how many pairs would find the
	// threshold.
	Detectable float64
	Needed     int
	// Baseline and Candidate are medians, for people.
	Baseline, Candidate float64
	Reason              string
	// Waiver that applies.
	Waiver *Waiver

	sd float64
}

// series is what was measured of one metric in one scenario, in the order of the pairs.
type series struct {
	values [arms][]float64
	tails  [arms][]stat.Counts
	// block is how many tail intervals belong to one window.
	block     int
	resamples int
	seed      uint64
}

// evaluate computes everything but the adjusted p-value and the verdict.
func evaluate(scenario string, m Metric, s series) (Decision, error) {
	base, cand, again := s.values[Baseline], s.values[Candidate], s.values[Again]
	d := Decision{Scenario: scenario, Metric: m, Baseline: stat.Median(base), Candidate: stat.Median(cand)}
	diffs, err := differences(m, base, cand)
	if err != nil {
		return d, fmt.Errorf("%s, %s: %w", scenario, m.Name, err)
	}
	noise, err := differences(m, base, again)
	if err != nil {
		return d, fmt.Errorf("%s, %s, A/A: %w", scenario, m.Name, err)
	}
	worse, err := stat.HodgesLehmann(diffs, level)
	if err != nil {
		return d, err
	}
	aa, err := stat.HodgesLehmann(noise, level)
	if err != nil {
		return d, err
	}
	d.P = stat.PGreater(diffs, 0)
	d.Worse, d.Noise = m.excess(worse), m.excess(aa)
	d.Bound = m.excessOf(max(math.Abs(aa.Lo), math.Abs(aa.Hi)))
	d.Limit = max(m.Threshold, d.Bound)
	d.sd = max(stat.MAD(diffs), stat.MAD(noise))
	if m.Quantile > 0 && len(s.tails[Baseline]) > 0 {
		t, err := stat.QuantileRatio(s.tails[Baseline], s.tails[Candidate], m.Quantile, stat.Bootstrap{Block: s.block, Resamples: s.resamples, Confidence: level, Seed: s.seed})
		if err != nil {
			return d, fmt.Errorf("%s, %s: %w", scenario, m.Name, err)
		}
		t.Estimate, t.Lo, t.Hi = t.Estimate-1, t.Lo-1, t.Hi-1
		d.Tail = &t
	}
	return d, nil
}

// differences of the pairs, turned so that positive is worse: ln-ratios, or plain differences of an absolute metric.
func differences(m Metric, a, b []float64) ([]float64, error) {
	if !m.Absolute {
		d, err := stat.LogRatios(a, b)
		if m.LowerIsWorse {
			for i := range d {
				d[i] = -d[i]
			}
		}
		return d, err
	}
	if len(a) != len(b) {
		return nil, errors.New("the arms have different numbers of samples")
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = b[i] - a[i]
		if m.LowerIsWorse {
			d[i] = -d[i]
		}
	}
	return d, nil
}

func (m Metric) excessOf(x float64) float64 {
	if m.Absolute {
		return x
	}
	return math.Expm1(x)
}

func (m Metric) excess(i stat.Interval) stat.Interval {
	i.Estimate, i.Lo, i.Hi = m.excessOf(i.Estimate), m.excessOf(i.Lo), m.excessOf(i.Hi)
	return i
}

// amount of an excess in words.
func (m Metric) amount(x float64) string {
	if m.Absolute {
		return fmt.Sprintf("%.2f %s", x, m.Unit)
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

// decide gives every decision its adjusted p-value, verdict and reason, and returns the verdict of all: one regression is a regression,
// else one inconclusive metric is inconclusive.
func decide(ds []Decision, waivers []Waiver) Verdict {
	p := make([]float64, len(ds))
	for i, d := range ds {
		p[i] = d.P
	}
	all := Pass
	for i, adjusted := range stat.Holm(p) {
		d := &ds[i]
		d.P = adjusted
		each := alpha / float64(len(ds))
		d.Detectable = d.Metric.excessOf(stat.DetectableEffect(d.sd, d.Worse.N, each, power))
		threshold := d.Metric.Threshold
		if !d.Metric.Absolute {
			threshold = math.Log1p(threshold)
		}
		d.Needed = stat.PairsNeeded(d.sd, threshold, each, power)
		d.judge()
		d.waive(waivers)
		if d.Verdict == Regression || (d.Verdict == Inconclusive && all == Pass) {
			all = d.Verdict
		}
	}
	return all
}

func (d *Decision) judge() {
	m, effect, upper := d.Metric, d.Worse.Estimate, d.Worse.Hi
	significant := d.Worse.Excludes(0) && d.Worse.Lo > 0 && d.P <= alpha
	// A quantile of whole windows must be worse over all that was recorded as well. A typical one need not: what the machine does now and then is in
	// all that was recorded.
	merged := d.Tail == nil || m.Typical || (d.Tail.Excludes(0) && d.Tail.Lo > 0)
	switch {
	case significant && merged && effect > d.Limit:
		d.Verdict, d.Reason = Regression, fmt.Sprintf("%s worse, more than the limit of %s", m.amount(effect), m.amount(d.Limit))
	case d.Worse.Short:
		d.Verdict, d.Reason = Inconclusive, fmt.Sprintf("%d pairs are too few for an interval of %.0f %%", d.Worse.N, 100*level)
	case d.Bound > m.MaxNoise:
		d.Verdict = Inconclusive
		d.Reason = fmt.Sprintf("the same executable differs from itself by up to %s, more than the %s that can be tolerated", m.amount(d.Bound), m.amount(m.MaxNoise))
	case upper <= d.Limit && significant:
		d.Verdict, d.Reason = Pass, fmt.Sprintf("%s worse: significant, but below the limit of %s", m.amount(effect), m.amount(d.Limit))
	case upper <= d.Limit:
		d.Verdict, d.Reason = Pass, fmt.Sprintf("at most %s worse, below the limit of %s", m.amount(max(upper, 0)), m.amount(d.Limit))
	default:
		d.Verdict, d.Reason = Inconclusive, fmt.Sprintf("could be %s worse, which is above the limit of %s", m.amount(upper), m.amount(d.Limit))
	}
}

// waive turns a regression that somebody decided to allow into a waived one. One that is larger than what was allowed stays what it is.
func (d *Decision) waive(ws []Waiver) {
	if d.Verdict != Regression {
		return
	}
	for i := range ws {
		w := &ws[i]
		if !w.covers(d.Scenario, d.Metric.Key) {
			continue
		}
		if d.Worse.Estimate > w.limit {
			d.Reason += fmt.Sprintf(", and more than the %s that is waived", d.Metric.amount(w.limit))
			continue
		}
		d.Verdict, d.Waiver = Waived, w
		d.Reason += fmt.Sprintf("; waived until %s: %s", w.Expires, w.Reason)
		return
	}
}
