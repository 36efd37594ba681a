package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// places tells on which host each run was.
func places(all []result.Stored) map[result.RunOn]result.Place {
	var rs []*result.Result
	for _, s := range all {
		rs = append(rs, s.Result)
	}
	return result.Places(rs)
}

func placeOf(r *result.Result, at map[result.RunOn]result.Place) result.Place {
	return at[result.RunOn{Machine: r.Machine.Name, Run: r.Run.ID}]
}

// hosts is how many the runs of a machine were on.
func hosts(name string, at map[result.RunOn]result.Place) (n int) {
	for k, p := range at {
		if k.Machine == name {
			n = max(n, p.Number)
		}
	}
	return n
}

// hostText names the host of a run: its CPU where that was recorded, with its number where the machine was on several.
func hostText(p result.Place, several bool, recorded bool) string {
	switch {
	case several:
		return fmt.Sprintf("host %d (CPU %s)", p.Number, p.CPU)
	case recorded:
		return "CPU " + p.CPU
	}
	return ""
}

// mixed says which of the results that are shown of a machine were measured on which host, if it was not one; else it is empty.
func mixed(shown []result.Stored, at map[result.RunOn]result.Place) string {
	type group struct {
		place     result.Place
		runs      []string
		scenarios []string
	}
	var groups []group
	for _, s := range shown {
		p := placeOf(s.Result, at)
		i := slices.IndexFunc(groups, func(g group) bool { return g.place.Number == p.Number })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{place: p})
		}
		g := &groups[i]
		if g.place.CPU == unrecorded {
			g.place = p
		}
		if !slices.Contains(g.runs, s.Run.ID) {
			g.runs = append(g.runs, s.Run.ID)
		}
		g.scenarios = append(g.scenarios, s.Scenario.Name)
	}
	if len(groups) < 2 {
		return ""
	}
	slices.SortFunc(groups, func(a, b group) int { return a.place.Number - b.place.Number })
	var parts []string
	for _, g := range groups {
		slices.Sort(g.runs)
		parts = append(parts, fmt.Sprintf("%s in %s: %s", hostText(g.place, true, true), strings.Join(g.runs, " and "), strings.Join(g.scenarios, ", ")))
	}
	return "Not all of these scenarios were measured on the same host: " + strings.Join(parts, "; ") + ". Each comparison is within one run; figures of scenarios on different hosts are not to be compared."
}

var unrecorded = machine.CPU{}.String()

// moves says of each run, the newest first, by what its host was another one than that of the run before.
func moves(name string, runs []runView, at map[result.RunOn]result.Place) (out []string) {
	for _, r := range runs {
		if p := at[result.RunOn{Machine: name, Run: r.ID}]; len(p.Moved) > 0 {
			out = append(out, fmt.Sprintf("Run %s was not on the same kind of machine as the one before it: %s.", r.ID, strings.Join(p.Moved, "; ")))
		}
	}
	return out
}

// cpuFact is the CPU as the table of a machine shows it.
func cpuFact(f machine.Fingerprint) string {
	name := strings.TrimPrefix(f.CPUModel+", ", ", ")
	if !f.CPU.Known() {
		return fmt.Sprintf("%s%d CPUs; family and model %s", name, f.CPUs, unrecorded)
	}
	out := fmt.Sprintf("%s%d CPUs; %s", name, f.CPUs, f.CPU)
	if d := f.CPU.Details(); d != "" {
		out += ", " + d
	}
	return out
}
