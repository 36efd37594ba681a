package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Between compares the same target in two runs, scenario by scenario and metric by metric. The runs were not interleaved, so nothing is paired: the ratio is that
// of the medians, and its interval is made of the two medians' own intervals, which is wider than either says alone. What changed between the
// runs (revision, machine, kernel, versions) stands below.
func Between(all []result.Stored, a, b string) (Table, error) {
	t := Table{
		Caption: fmt.Sprintf("Run %s beside run %s", b, a),
		Head:    []string{"scenario", "target", "metric", a, b, b + " / " + a},
	}
	pick := func(id string) map[string]*result.Result {
		out := map[string]*result.Result{}
		for _, s := range all {
			if s.Run.ID == id {
				out[s.Machine.Name+"/"+s.Scenario.Name] = s.Result
			}
		}
		return out
	}
	ra, rb := pick(a), pick(b)
	for id, m := range map[string]map[string]*result.Result{a: ra, b: rb} {
		if len(m) == 0 {
			return t, fmt.Errorf("there is no run %q; there are %v", id, runs(all))
		}
	}
	var keys []string
	for k := range ra {
		if rb[k] != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return t, fmt.Errorf("runs %s and %s have no scenario on one machine in common", a, b)
	}
	slices.Sort(keys)
	for _, k := range keys {
		x, y := ra[k], rb[k]
		for _, tg := range x.Targets {
			for _, m := range metricsOf(x) {
				sa, sb := spread(series(x, tg.Name, m.phase, m.rate), m.of), spread(series(y, tg.Name, m.phase, m.rate), m.of)
				if sa.N == 0 || sb.N == 0 || sa.Median <= 0 || sb.Median <= 0 {
					continue
				}
				t.Rows = append(t.Rows, []string{x.Scenario.Name, tg.Name, m.name, m.show(sa), m.show(sb), quotient(sa, sb)})
			}
		}
		if moved := x.Machine.Moved(y.Machine); len(moved) > 0 {
			d := fmt.Sprintf("Measured on different hosts: %s. The ratios are of the hosts as much as of what was measured on them.", strings.Join(moved, "; "))
			if !slices.Contains(t.Notes, d) {
				t.Notes = append(t.Notes, d)
			}
		}
		for _, d := range differences(x, y) {
			if !slices.Contains(t.Notes, d) {
				t.Notes = append(t.Notes, d)
			}
		}
	}
	t.Notes = append(t.Notes, "The two runs were not interleaved: what the machine did between them is in the ratio. For a decision, use blitzlab gate. ~ means that the interval includes 1.")
	return t, nil
}

func runs(all []result.Stored) (out []string) {
	for _, s := range all {
		if !slices.Contains(out, s.Run.ID) {
			out = append(out, s.Run.ID)
		}
	}
	return out
}

// quotient of two medians; the bounds are the extreme quotients of the intervals.
func quotient(a, b stat.Spread) string {
	lo, hi := b.Lo/a.Hi, math.Inf(1)
	if a.Lo > 0 {
		hi = b.Hi / a.Lo
	}
	text := fmt.Sprintf("%.2f [%.2f, %.2f]", b.Median/a.Median, lo, hi)
	switch {
	case a.N == 1 || b.N == 1:
		return fmt.Sprintf("%.2f (one sample)", b.Median/a.Median)
	case lo <= 1 && 1 <= hi:
		return "~ " + text
	}
	return text
}

type named struct {
	name  string
	phase result.Phase
	rate  float64
	of    metric
	show  func(stat.Spread) string
}

func metricsOf(r *result.Result) (out []named) {
	two := func(s stat.Spread) string { return fixed(s, 2) }
	switch {
	case hasPhase(r, result.Idle):
		return []named{{"memory", result.Idle, 0, idleMemory, mib}, {"bytes/connection", result.Idle, 0, idleConn, two}}
	case hasPhase(r, result.ColdStart):
		return []named{{"cold start, ms", result.ColdStart, 0, coldTime, two}}
	case hasPhase(r, result.Scaling):
		return nil // its figures are by number of workers; the table of each run has them
	case hasPhase(r, result.ChaosPhase), hasPhase(r, result.Reloading):
		for _, m := range measuresOf(r) {
			if m.unit == "ns" {
				out = append(out, named{m.name, m.phase, m.rate, m.of, durations})
			}
		}
		return out
	case hasPhase(r, result.Objective):
		return []named{{"requests/s that hold", result.Objective, 0, held, count}}
	}
	out = []named{{"requests/s", result.Saturation, 0, rps, count}, {"CPU µs/request", result.Saturation, 0, cpuMicros, two}, {"memory", result.Saturation, 0, loadMemory, mib}}
	for _, rate := range r.Scenario.Rates {
		out = append(out, named{"p99 at " + group(rate) + "/s", result.FixedRate, rate, p99, durations})
	}
	return out
}

// differences are what else is not the same in two runs.
func differences(a, b *result.Result) (out []string) {
	note := func(what, x, y string) {
		if x != y {
			out = append(out, fmt.Sprintf("Different: %s, %s and %s.", what, orDash(x), orDash(y)))
		}
	}
	note("revision", a.Run.Revision, b.Run.Revision)
	note("kernel", a.Machine.Fingerprint.Kernel, b.Machine.Fingerprint.Kernel)
	note("CPU", a.Machine.Fingerprint.CPUModel, b.Machine.Fingerprint.CPUModel)
	if x, y := a.Machine.Fingerprint.CPU.Microcode, b.Machine.Fingerprint.CPU.Microcode; x != "" && y != "" {
		note("microcode", x, y)
	}
	note("profile", a.Run.Profile, b.Run.Profile)
	for _, t := range a.Targets {
		for _, u := range b.Targets {
			if t.Name == u.Name {
				note(t.Name, t.Version, u.Version)
			}
		}
	}
	return out
}
