package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Table is a table before it is rendered.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
	// Notes stand below.
	Notes []string
}

// Tables of one scenario, of the targets in their tuned configurations.
func Tables(r *result.Result) []Table {
	r = tuned(r)
	var out []Table
	switch {
	case hasPhase(r, result.Idle):
		out = append(out, idleTable(r))
	case hasPhase(r, result.ChaosPhase):
		out = append(out, chaosTables(r)...)
	case hasPhase(r, result.Scaling):
		out = append(out, scalingTable(r))
	case hasPhase(r, result.Reloading):
		out = append(out, reloadTables(r)...)
	case hasPhase(r, result.ColdStart):
		out = append(out, coldTable(r))
	case hasPhase(r, result.Objective):
		out = append(out, objectiveTable(r))
	default:
		out = append(out, saturationTable(r))
		for _, rate := range r.Scenario.Rates {
			out = append(out, rateTable(r, rate))
		}
		out = append(out, fullTables(r)...)
	}
	for i := range out {
		for _, u := range r.Scenario.Unsupported {
			row := make([]string, len(out[i].Head))
			for j := range row {
				row[j] = "–"
			}
			row[0], row[1] = u.Target, "not supported"
			out[i].Rows = append(out[i].Rows, row)
			if i == 0 {
				out[i].Notes = append(out[i].Notes, fmt.Sprintf("%s: not supported, %s.", u.Target, u.Reason))
			}
		}
	}
	if len(r.Scenario.Skipped) > 0 {
		last := &out[len(out)-1]
		for _, s := range r.Scenario.Skipped {
			last.Notes = append(last.Notes, "Not run: "+s+".")
		}
	}
	return out
}

func hasPhase(r *result.Result, ph result.Phase) bool {
	for _, s := range r.Samples {
		if s.Phase == ph {
			return true
		}
	}
	return false
}

// saturated: below this use of the server's CPUs at saturation something else was the limit.
const saturated = 0.9

func saturationTable(r *result.Result) Table {
	ref := Reference(r)
	base := series(r, ref, result.Saturation, 0)
	t := Table{
		Caption: "At saturation (closed loop)",
		Head:    []string{"target", "requests/s", "× " + ref, "CPU µs/request", "× " + ref, "server CPU", "load CPU", "memory", "errors"},
	}
	for _, tg := range r.Targets {
		s := series(r, tg.Name, result.Saturation, 0)
		use := spread(s, serverUse).Median
		mark := ""
		if len(s) > 0 && use < saturated {
			mark = " †"
		}
		t.Rows = append(t.Rows, []string{
			tg.Name, count(spread(s, rps)) + mark, times(base, s, rps, tg.Name == ref), fixed(spread(s, cpuMicros), 2),
			times(base, s, cpuMicros, tg.Name == ref), percent(spread(s, serverUse)), percent(spread(s, loadUse)), mib(spread(s, loadMemory)), errorsOf(s),
		})
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.Saturation, 0)...)
		if mark != "" {
			t.Notes = append(t.Notes, fmt.Sprintf("† %s did not use its CPU up: something else (load generator, origin, a neighbour) was the limit, so its requests/s is a lower bound. CPU per request stands.", tg.Name))
		}
	}
	return t
}

// percentiles of a rate's table.
var percentiles = []struct {
	name  string
	share float64
	of    func(hdr.Summary) int64
}{
	{"p50", 0.5, func(s hdr.Summary) int64 { return s.P50 }}, {"p90", 0.9, func(s hdr.Summary) int64 { return s.P90 }},
	{"p99", 0.99, func(s hdr.Summary) int64 { return s.P99 }}, {"p99.9", 0.999, func(s hdr.Summary) int64 { return s.P999 }},
	{"p99.99", 0.9999, func(s hdr.Summary) int64 { return s.P9999 }},
}

func rateTable(r *result.Result, rate float64) Table {
	ref := Reference(r)
	base := series(r, ref, result.FixedRate, rate)
	t := Table{
		Caption: fmt.Sprintf("At a fixed rate of %s requests/s (open loop, response time from the intended start)", group(rate)),
		Head:    []string{"target", "p50", "p90", "p99", "p99.9", "p99.99", "p99 × " + ref, "CPU µs/request", "× " + ref, "errors"},
	}
	for _, tg := range r.Targets {
		s := series(r, tg.Name, result.FixedRate, rate)
		row := []string{tg.Name, "–", "–", "–", "–", "–"}
		for _, g := range r.Groups {
			if g.Target == tg.Name && g.Phase == result.FixedRate && g.Rate == rate {
				h := g.Response
				row = row[:1]
				for _, q := range percentiles {
					row = append(row, merged(float64(q.of(h)), spread(s, func(x result.Sample) float64 { return float64(q.of(x.Load.Response)) })))
				}
				if h.Count < 100000 {
					row[5] += " ‡"
				}
			}
		}
		t.Rows = append(t.Rows, append(row, times(base, s, p99, tg.Name == ref), fixed(spread(s, cpuMicros), 2), times(base, s, cpuMicros, tg.Name == ref), errorsOf(s)))
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.FixedRate, rate)...)
	}
	for _, row := range t.Rows {
		if strings.Contains(row[5], "‡") {
			t.Notes = append(t.Notes, "‡ fewer than 100,000 requests: p99.99 rests on fewer than ten of them.")
			break
		}
	}
	return t
}

func idleTable(r *result.Result) Table {
	ref := Reference(r)
	base := series(r, ref, result.Idle, 0)
	t := Table{
		Caption: fmt.Sprintf("Memory of the process tree with %s idle connections", group(float64(r.Scenario.Connections))),
		Head:    []string{"target", "memory", "× " + ref, "before", "bytes/connection", "CPU µs per idle second"},
	}
	for _, tg := range r.Targets {
		s := series(r, tg.Name, result.Idle, 0)
		t.Rows = append(t.Rows, []string{
			tg.Name, mib(spread(s, idleMemory)), times(base, s, idleMemory, tg.Name == ref), mib(spread(s, idleBase)),
			fixed(spread(s, idleConn), 0), fixed(spread(s, idleCPU), 0),
		})
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.Idle, 0)...)
	}
	return t
}

func objectiveTable(r *result.Result) Table {
	ref := Reference(r)
	base := series(r, ref, result.Objective, 0)
	t := Table{Caption: "Highest rate that holds the objective (open loop)", Head: []string{"target", "requests/s", "× " + ref, "lowest that failed", "loads"}}
	for _, tg := range r.Targets {
		s := series(r, tg.Name, result.Objective, 0)
		mark, loads, failed := "", 0, 0.0
		for _, x := range s {
			t.Caption = fmt.Sprintf("Highest rate that holds %s (open loop)", x.Search.Objective)
			loads += x.Search.Probes
			if failed == 0 || x.Search.FailedAt > 0 && x.Search.FailedAt < failed {
				failed = x.Search.FailedAt
			}
			if x.Search.GeneratorLimited {
				mark = " §"
			}
		}
		cell := "–"
		if failed > 0 {
			cell = group(failed)
		}
		t.Rows = append(t.Rows, []string{tg.Name, count(spread(s, held)) + mark, times(base, s, held, tg.Name == ref), cell, group(float64(loads))})
		if mark != "" {
			t.Notes = append(t.Notes, fmt.Sprintf("§ in a search for %s the load generator was the first that could not keep its schedule: a lower bound.", tg.Name))
		}
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.Objective, 0)...)
	}
	return t
}

func coldTable(r *result.Result) Table {
	ref := Reference(r)
	base := series(r, ref, result.ColdStart, 0)
	t := Table{
		Caption: "From fork to the first answered request",
		Head:    []string{"target", "time (ms)", "fastest to slowest", "× " + ref, "CPU (ms)", "memory"},
	}
	for _, tg := range r.Targets {
		s := series(r, tg.Name, result.ColdStart, 0)
		d := spread(s, coldTime)
		t.Rows = append(t.Rows, []string{
			tg.Name, fixed(d, 2), fmt.Sprintf("%.2f – %.2f", d.Min, d.Max), times(base, s, coldTime, tg.Name == ref), fixed(spread(s, coldCPU), 2), mib(spread(s, coldMemory)),
		})
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.ColdStart, 0)...)
	}
	return t
}

func invalidNote(r *result.Result, target string, ph result.Phase, rate float64) []string {
	n := invalid(r, target, ph, rate)
	if n == 0 {
		return nil
	}
	why := ""
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == ph && s.Rate == rate && !s.Valid() {
			why = s.Invalid[0]
		}
	}
	return []string{fmt.Sprintf("%s: %d invalid sample(s) left out, the last because %s.", target, n, why)}
}

func errorsOf(m map[int]result.Sample) string {
	var n int64
	for _, s := range m {
		n += s.Load.Errors.Total()
	}
	return group(float64(n))
}

// times renders b/a with its interval. An interval that includes 1 begins with ~: no difference was shown.
func times(a, b map[int]result.Sample, f metric, self bool) string {
	switch {
	case len(b) == 0:
		return "–"
	case self:
		return "1"
	}
	iv, ok := ratio(a, b, f)
	if !ok {
		return "–"
	}
	return formatRatio(iv)
}

func formatRatio(iv stat.Interval) string {
	text := fmt.Sprintf("%.2f [%.2f, %.2f]", iv.Estimate, iv.Lo, iv.Hi)
	switch {
	case iv.N == 1:
		return fmt.Sprintf("%.2f (one pair)", iv.Estimate)
	case iv.Short:
		return text + fmt.Sprintf(" (%.0f %% only)", 100*iv.Confidence)
	case !iv.Excludes(1):
		return "~ " + text
	}
	return text
}

func count(s stat.Spread) string {
	if s.N == 0 {
		return "–"
	}
	if s.N == 1 {
		return group(s.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", group(s.Median), group(s.Lo), group(s.Hi))
}

func fixed(s stat.Spread, digits int) string {
	if s.N == 0 {
		return "–"
	}
	if s.N == 1 {
		return fmt.Sprintf("%.*f", digits, s.Median)
	}
	return fmt.Sprintf("%.*f [%.*f, %.*f]", digits, s.Median, digits, s.Lo, digits, s.Hi)
}

func mib(s stat.Spread) string {
	if s.N == 0 {
		return "–"
	}
	if s.N == 1 {
		return fmt.Sprintf("%.1f MiB", s.Median/(1<<20))
	}
	return fmt.Sprintf("%.1f [%.1f, %.1f] MiB", s.Median/(1<<20), s.Lo/(1<<20), s.Hi/(1<<20))
}

func percent(s stat.Spread) string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1:
		return fmt.Sprintf("%.0f %%", 100*s.Median)
	}
	return fmt.Sprintf("%.0f [%.0f, %.0f] %%", 100*s.Median, 100*s.Lo, 100*s.Hi)
}

// durations renders nanoseconds with their interval, all in the unit of the upper bound.
func durations(s stat.Spread) string {
	if s.N == 0 {
		return "–"
	}
	return merged(s.Median, s)
}

// merged renders a percentile of merged histograms with the interval of that percentile over the rounds. The two need not agree: a stall in one
// round of six is in the merged tail, and in no interval of a median. Where the value lies outside, the interval is widened to it.
func merged(value float64, s stat.Spread) string {
	if s.N < 2 {
		return nanos(int64(value))
	}
	lo, hi := min(s.Lo, value), max(s.Hi, value)
	unit, name := 1.0, "ns"
	switch {
	case hi >= 1e9:
		unit, name = 1e9, "s"
	case hi >= 1e6:
		unit, name = 1e6, "ms"
	case hi >= 1e3:
		unit, name = 1e3, "µs"
	}
	return fmt.Sprintf("%s [%s, %s] %s", sig(value/unit), sig(lo/unit), sig(hi/unit), name)
}

// nanos renders a duration with three significant digits.
func nanos(ns int64) string {
	switch x := float64(ns); {
	case ns >= 1e9:
		return sig(x/1e9) + " s"
	case ns >= 1e6:
		return sig(x/1e6) + " ms"
	case ns >= 1e3:
		return sig(x/1e3) + " µs"
	default:
		return sig(x) + " ns"
	}
}

func sig(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// group renders a whole number with commas between thousands.
func group(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Text renders for a terminal: columns aligned, the first to the left, the others to the right.
func (t Table) Text() string {
	width := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", t.Caption)
	line := func(row []string) {
		for i, c := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if i == 0 {
				b.WriteString("  " + c + pad)
			} else {
				b.WriteString("  " + pad + c)
			}
		}
		b.WriteByte('\n')
	}
	line(t.Head)
	for _, row := range t.Rows {
		line(row)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "  %s\n", n)
	}
	return b.String()
}

// Markdown renders a pipe table.
func (t Table) Markdown() string {
	var b strings.Builder
	esc := strings.NewReplacer("|", `\|`, "\n", " ")
	fmt.Fprintf(&b, "**%s**\n\n|", t.Caption)
	for _, c := range t.Head {
		fmt.Fprintf(&b, " %s |", esc.Replace(c))
	}
	b.WriteString("\n|")
	for i := range t.Head {
		if i == 0 {
			b.WriteString(" --- |")
		} else {
			b.WriteString(" ---: |")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.Rows {
		b.WriteByte('|')
		for _, c := range row {
			fmt.Fprintf(&b, " %s |", esc.Replace(c))
		}
		b.WriteByte('\n')
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}

// Text renders one scenario for a terminal.
func Text(r *result.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "== %s: %s\n", r.Scenario.Name, r.Scenario.Title)
	for _, t := range append(Tables(r), vanillaTables(r)...) {
		b.WriteString(t.Text())
	}
	return b.String()
}
