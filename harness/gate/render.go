package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Table of the decisions.
func (o Outcome) Table() report.Table {
	t := report.Table{
		Caption: fmt.Sprintf("Gate: %s (%d pairs in %s)", o.Verdict, o.Pairs, o.Took.Round(time.Second)),
		Head: []string{"scenario", "metric", "baseline", "candidate", "worse by", "95 % interval", "merged", "same against itself", "limit", "p (Holm)",
			"detectable", "verdict"},
		Notes: o.Notes,
	}
	for _, d := range o.Decisions {
		merged := ""
		if d.Tail != nil {
			merged = d.Metric.interval(*d.Tail)
		}
		t.Rows = append(t.Rows, []string{
			d.Scenario, d.Metric.Name + ", " + d.Metric.Unit, number(d.Baseline), number(d.Candidate), d.Metric.signed(d.Worse.Estimate),
			d.Metric.interval(d.Worse), merged, d.Metric.interval(d.Noise), d.Metric.short(d.Limit), fmt.Sprintf("%.3f", d.P), d.detectable(), string(d.Verdict),
		})
		if d.Verdict != Pass {
			t.Notes = append(t.Notes, fmt.Sprintf("%s, %s: %s.", d.Scenario, d.Metric.Name, d.Reason))
		}
	}
	return t
}

// Text for a terminal. A gate that measured nothing has no table, only its notes.
func (o Outcome) Text() string {
	t := o.Table()
	if len(o.Decisions) == 0 {
		return strings.Join(append([]string{t.Caption}, t.Notes...), "\n  ") + "\n"
	}
	return t.Text()
}

// Markdown for a pull request.
func (o Outcome) Markdown() string {
	if len(o.Decisions) == 0 {
		return fmt.Sprintf("### Performance gate: %s\n\n%s\n", o.Verdict, strings.Join(o.Notes, "\n\n"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### Performance gate: %s\n\n%s", o.Verdict, o.Table().Markdown())
	b.WriteString("\nAbove zero is worse. 'Same against itself' is the baseline measured twice in the same rounds; the limit is the larger of the threshold and that noise. " +
		"'Merged' compares the quantile of everything that was recorded. 'Detectable' is the smallest effect that these pairs would find four times out of five.\n")
	return b.String()
}

// detectable is empty when it is so much that it says no more than 'too few pairs'.
func (d Decision) detectable() string {
	if d.Worse.Short || d.Detectable > 10 {
		return ""
	}
	return d.Metric.short(d.Detectable)
}

func number(x float64) string {
	switch {
	case x >= 1000:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func (m Metric) interval(i stat.Interval) string {
	if m.Absolute {
		return fmt.Sprintf("[%+.2f, %+.2f]", i.Lo, i.Hi)
	}
	return fmt.Sprintf("[%+.1f, %+.1f]", 100*i.Lo, 100*i.Hi)
}

func (m Metric) signed(x float64) string {
	if m.Absolute {
		return fmt.Sprintf("%+.2f", x)
	}
	return fmt.Sprintf("%+.1f %%", 100*x)
}

// short is an amount without its unit, where that stands beside the metric's name.
func (m Metric) short(x float64) string {
	if m.Absolute {
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}
