package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// overview is what a reader sees first: Blitz beside the best other target, scenario by scenario.
type overview struct {
	Columns []string
	Rows    []overviewRow
	// Better, Worse and Open count the cells; Open are those in which no difference was shown.
	Better, Worse, Open int
	// Lost are the scenarios in which it is worse, and in what.
	Lost []string
	// Notes explain marks that occur.
	Notes []string
}

type overviewRow struct {
	Scenario, Title string
	Cells           []overviewCell
	// Forced: measured on a machine that was not fit.
	Forced bool
}

// overviewCell is one comparison. The factor is such that more than 1 is in Blitz's favour, whatever the metric.
type overviewCell struct {
	Verdict        verdict
	Factor, Bounds string
	Peer           string
	// Bound: Blitz had CPU time left, so the factor is a lower bound.
	Bound bool
}

type verdict string

const (
	nothing verdict = ""
	better  verdict = "better"
	worse   verdict = "worse"
	open    verdict = "open"
)

var overviewColumns = []string{"requests/s", "CPU per request", "response time, p99", "memory"}

// Mark stands before a factor, so that colour is not all that tells.
func (c overviewCell) Mark() string {
	return map[verdict]string{better: "▲", worse: "▼", open: "~"}[c.Verdict]
}

// overviewOf the newest results of one machine.
func overviewOf(all []result.Stored) *overview {
	o := &overview{Columns: overviewColumns}
	short, forced, bounds := false, false, false
	for _, st := range all {
		r := tuned(st.Result)
		row := overviewRow{Scenario: r.Scenario.Name, Title: r.Scenario.Title, Cells: make([]overviewCell, len(overviewColumns)), Forced: r.Run.Forced}
		any := false
		var lost []string
		for _, m := range measuresOf(r) {
			if m.column == none {
				continue
			}
			c, few := compare(r, m)
			if c.Verdict == nothing {
				continue
			}
			any = true
			short, bounds = short || few, bounds || c.Bound
			row.Cells[m.column-1] = c
			if row.Forced {
				continue // shown, not counted
			}
			switch c.Verdict {
			case better:
				o.Better++
			case worse:
				o.Worse++
				lost = append(lost, overviewColumns[m.column-1])
			default:
				o.Open++
			}
		}
		if any {
			forced = forced || row.Forced
			o.Rows = append(o.Rows, row)
			if len(lost) > 0 {
				o.Lost = append(o.Lost, fmt.Sprintf("%s (%s)", row.Scenario, strings.Join(lost, "; ")))
			}
		}
	}
	note := func(is bool, text string) {
		if is {
			o.Notes = append(o.Notes, text)
		}
	}
	note(slices.ContainsFunc(o.Rows, func(r overviewRow) bool { return r.Scenario == "cold-start" }), "cold-start: the time is from fork to the first answer, the CPU time that of the start.")
	note(slices.ContainsFunc(o.Rows, func(r overviewRow) bool { return strings.HasPrefix(r.Scenario, "idle") }), "idle: CPU time of a second without requests.")
	note(bounds, "≥: Blitz had CPU time left, something else was the limit.")
	note(short, "Too few rounds for 95 % count as no difference shown.")
	note(forced, "(!): the machine was not fit for measuring when this ran; not counted, and not to be cited.")
	return o
}

// compare is Blitz beside the peer that is best in a measure. few tells that there are too few pairs for an interval of 95 %.
func compare(r *result.Result, m measure) (c overviewCell, few bool) {
	own := series(r, subject, m.phase, m.rate)
	var rival map[int]result.Sample
	best := 0.0
	for _, t := range r.Targets {
		if t.Name == subject || t.Name == bound {
			continue
		}
		s := series(r, t.Name, m.phase, m.rate)
		v := spread(s, m.of)
		if v.N == 0 || v.Median <= 0 {
			continue
		}
		if rival == nil || m.more && v.Median > best || !m.more && v.Median < best {
			rival, best, c.Peer = s, v.Median, t.Name
		}
	}
	if len(own) == 0 || rival == nil {
		return overviewCell{}, false
	}
	iv, ok := ratio(rival, own, m.of)
	if !ok {
		return overviewCell{}, false
	}
	if !m.more {
		iv = inverse(iv)
	}
	c.Factor, c.Bounds = factor(iv.Estimate), fmt.Sprintf("[%s, %s]", factor(iv.Lo), factor(iv.Hi))
	c.Bound = m.phase == result.Saturation && m.column == throughput && spread(own, serverUse).Median < saturated
	few = iv.Short || iv.N == 1
	switch {
	case iv.N == 1:
		c.Verdict, c.Bounds = open, "(one pair)"
	case few:
		c.Verdict = open
		c.Bounds += fmt.Sprintf(" (%.0f %% only)", 100*iv.Confidence)
	case !iv.Excludes(1):
		c.Verdict = open
	case iv.Estimate > 1:
		c.Verdict = better
	default:
		c.Verdict = worse
	}
	return c, few
}

func inverse(iv stat.Interval) stat.Interval {
	iv.Estimate, iv.Lo, iv.Hi = 1/iv.Estimate, 1/iv.Hi, 1/iv.Lo
	return iv
}

// factor with two digits behind the point, or fewer where they mean nothing.
func factor(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// Summary is the overview in a sentence, Losses says where Blitz loses.
func (o *overview) Summary() string {
	n := o.Better + o.Worse + o.Open
	return fmt.Sprintf("Of %d comparisons with the best other target, Blitz is better in %d and worse in %d; in %d no difference was shown.", n, o.Better, o.Worse, o.Open)
}

// Losses names where Blitz is worse, and in what.
func (o *overview) Losses() string {
	if len(o.Lost) == 0 {
		return ""
	}
	return "It is worse in " + strings.Join(o.Lost, ", ") + "."
}

// Key is what a reader needs to know before he looks.
func (o *overview) Key() string {
	return "Each cell: a factor, above 1 (▲) if Blitz is better and below 1 (▼) if it is worse, its 95 % interval, and the best other target."
}

// Reading says the rest.
func (o *overview) Reading() string {
	return "~ means that no difference was shown. Lower is better for CPU time, response time and memory, and the factor is turned round there. All targets run their tuned configurations, interleaved."
}
