package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
)

// Figures of a window with endpoints in trouble, and of the one with an endpoint dead.
func chaosFailed(s result.Sample) float64 { return share(s.Chaos.Failed, s.Chaos.Requests) }
func deadFailed(s result.Sample) float64  { return share(s.Chaos.Dead.Failed, s.Chaos.Dead.Requests) }

// Response times, in trouble and with an endpoint dead.
func chaosP50(s result.Sample) float64  { return answered(s.Chaos.Response, s.Chaos.Response.P50) }
func chaosP99(s result.Sample) float64  { return answered(s.Chaos.Response, s.Chaos.Response.P99) }
func chaosP999(s result.Sample) float64 { return answered(s.Chaos.Response, s.Chaos.Response.P999) }
func deadP99(s result.Sample) float64 {
	return answered(s.Chaos.Dead.Response, s.Chaos.Dead.Response.P99)
}

// chaosRetries for each thousand requests.
func chaosRetries(s result.Sample) float64 {
	if s.Chaos.Retries == nil {
		return math.NaN()
	}
	return 1000 * share(*s.Chaos.Retries, s.Chaos.Requests)
}

// chaosTables are who failed while endpoints were in trouble, and then with one of them dead. Ratios are paired by sections: the same happened to every target in them.
func chaosTables(r *result.Result) []Table {
	rate := 0.0
	if len(r.Scenario.Rates) > 0 {
		rate = r.Scenario.Rates[0]
	}
	ref := Reference(r)
	base := series(r, ref, result.ChaosPhase, rate)
	trouble := Table{
		Caption: fmt.Sprintf("Endpoints in trouble for %s s at %s requests/s", group(r.Scenario.RateSeconds), group(rate)),
		Head:    []string{"target", "failed", "p50", "p99", "p99 × " + ref, "p99.9", "retries per 1,000 requests"},
	}
	dead := Table{Caption: "Then one of three endpoints dead, and known to be", Head: []string{"target", "failed", "p99", "p99 × " + ref}}
	all := wholes(r, result.ChaosPhase)
	for _, s := range all {
		m, v, self := series(r, s.Target, result.ChaosPhase, rate), s.Chaos, s.Target == ref
		time := func(f metric) string { return figure(m, f, s) }
		retries := "not told"
		if v.Retries != nil {
			retries = fixed(wide(chaosRetries(s), spread(m, chaosRetries)), 1)
		}
		trouble.Rows = append(trouble.Rows, []string{
			s.Target, portion(v.Failed, v.Requests, spread(m, chaosFailed)), time(chaosP50), time(chaosP99), times(base, m, chaosP99, self), time(chaosP999), retries,
		})
		dead.Rows = append(dead.Rows, []string{s.Target, portion(v.Dead.Failed, v.Dead.Requests, spread(m, deadFailed)), time(deadP99), times(base, m, deadP99, self)})
	}
	for _, tg := range r.Targets {
		trouble.Notes = append(trouble.Notes, invalidNote(r, tg.Name, result.ChaosPhase, rate)...)
	}
	if len(all) > 0 {
		trouble.Notes = append(trouble.Notes, sectionsNote(all))
		if sectionsIn(r) > 1 {
			trouble.Notes = append(trouble.Notes, "What happens differs from section to section, the same for every target: that is in the intervals of the figures, and not in those of the ratios.")
		}
		trouble.Notes = append(trouble.Notes, "The script, the same for all, from seed "+fmt.Sprint(r.Run.Seed)+": "+kinds(all[0].Chaos.Troubles)+".")
		for _, l := range all[0].Chaos.LeftOut {
			trouble.Notes = append(trouble.Notes, "Left out: "+l+".")
		}
		trouble.Notes = append(trouble.Notes, "Response times are those of requests that were answered. Retries are each target's own count and are not counted alike.")
	}
	return []Table{trouble, dead}
}

func kinds(ts []result.Trouble) string {
	n := map[string]int{}
	var names []string
	for _, t := range ts {
		if n[t.Kind] == 0 {
			names = append(names, t.Kind)
		}
		n[t.Kind]++
	}
	slices.Sort(names)
	for i, k := range names {
		names[i] = fmt.Sprintf("%s %d×", k, n[k])
	}
	return strings.Join(names, ", ")
}
