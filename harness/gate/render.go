package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/report"
)

// Table of the decisions.
func (o Outcome) Table() report.Table {
	t := report.Table{
		Caption: fmt.Sprintf("Gate: %s (%d pairs in %s)", o.Verdict, o.Pairs, o.Took.Round(time.Second)),
		Head:    []string{"scenario", "metric", "baseline", "candidate", "worse by", "95 % interval", "same against itself", "limit", "p (Holm)", "verdict"},
		Notes:   o.Notes,
	}
	for _, d := range o.Decisions {
		t.Rows = append(t.Rows, []string{
			d.Scenario, d.Metric.Name + ", " + d.Metric.Unit, number(d.Baseline), number(d.Candidate),
			fmt.Sprintf("%+.1f %%", 100*(d.Worse.Estimate-1)), fmt.Sprintf("[%+.1f, %+.1f]", 100*(d.Worse.Lo-1), 100*(d.Worse.Hi-1)),
			fmt.Sprintf("[%+.1f, %+.1f]", 100*(d.Noise.Lo-1), 100*(d.Noise.Hi-1)), fmt.Sprintf("%.1f %%", 100*d.Limit), fmt.Sprintf("%.3f", d.P), string(d.Verdict),
		})
		if d.Verdict != Pass {
			t.Notes = append(t.Notes, fmt.Sprintf("%s, %s: %s.", d.Scenario, d.Metric.Name, d.Reason))
		}
	}
	return t
}

// Text for a terminal.
func (o Outcome) Text() string { return o.Table().Text() }

// Markdown for a pull request.
func (o Outcome) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Performance gate: %s\n\n%s", o.Verdict, o.Table().Markdown())
	b.WriteString("\nAbove zero is worse. 'Same against itself' is the baseline measured twice in the same rounds; the limit is the larger of the threshold and that noise.\n")
	return b.String()
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
