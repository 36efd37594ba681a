package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
)

// maxPairs is how many comparisons of two runs a page holds, the latest ones; blitzlab report --compare prints any other.
const maxPairs = 40

// runView is one run as the page lists it.
type runView struct {
	ID, Started, Profile, Revision, Scenarios, Command string
	// Host is its CPU, with the host's number where the machine was on several.
	Host   string
	Forced bool
}

// pairView is a run beside an earlier one.
type pairView struct {
	Newer, Older, Scenarios string
	Table                   Table
}

// runsOf a machine, the newest first.
func runsOf(machine string, all []result.Stored) (out []runView) {
	at := places(all)
	several := hosts(machine, at) > 1
	for _, st := range all {
		if st.Machine.Name != machine {
			continue
		}
		i := slices.IndexFunc(out, func(r runView) bool { return r.ID == st.Run.ID })
		if i < 0 {
			i = len(out)
			out = append(out, runView{
				ID: st.Run.ID, Started: st.Run.Started.UTC().Format(time.DateTime), Profile: st.Run.Profile, Revision: orDash(st.Run.Revision),
				Command: st.Run.Command, Forced: st.Run.Forced, Host: hostText(placeOf(st.Result, at), several, true),
			})
		}
		out[i].Scenarios = strings.TrimPrefix(out[i].Scenarios+", "+st.Scenario.Name, ", ")
	}
	slices.SortFunc(out, func(a, b runView) int { return cmp.Compare(b.ID, a.ID) })
	return out
}

// pairsOf are all pairs of runs of a machine that have a scenario in common, the latest first.
func pairsOf(machine string, all []result.Stored) (out []pairView, more bool, err error) {
	var here []result.Stored
	for _, st := range all {
		if st.Machine.Name == machine {
			here = append(here, st)
		}
	}
	rs := runsOf(machine, here)
	for i, newer := range rs {
		for _, older := range rs[i+1:] {
			var common []string
			names := strings.Split(older.Scenarios, ", ")
			for _, s := range strings.Split(newer.Scenarios, ", ") {
				if slices.Contains(names, s) {
					common = append(common, s)
				}
			}
			if len(common) == 0 {
				continue
			}
			if len(out) == maxPairs {
				return out, true, nil
			}
			t, err := Between(here, older.ID, newer.ID)
			if err != nil {
				return nil, false, err
			}
			out = append(out, pairView{Newer: newer.ID, Older: older.ID, Scenarios: strings.Join(common, ", "), Table: t})
		}
	}
	return out, false, nil
}
