package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
)

// chaosTable is who failed while endpoints were in trouble. There is one sample of each target; no interval is claimed.
func chaosTable(r *result.Result) Table {
	rate := 0.0
	if len(r.Scenario.Rates) > 0 {
		rate = r.Scenario.Rates[0]
	}
	t := Table{
		Caption: fmt.Sprintf("Endpoints in trouble for %s s at %s requests/s; then one of three dead", group(r.Scenario.RateSeconds), group(rate)),
		Head:    []string{"target", "success", "failed", "p50", "p99", "p99.9", "retries", "one dead: failed", "p99"},
	}
	var first *result.Chaos
	for _, tg := range r.Targets {
		for _, s := range series(r, tg.Name, result.ChaosPhase, rate) {
			v := s.Chaos
			if first == nil {
				first = v
			}
			retries := "not told"
			if v.Retries != nil {
				retries = group(float64(*v.Retries))
			}
			t.Rows = append(t.Rows, []string{
				tg.Name, share(v.Served), fmt.Sprintf("%s of %s", group(float64(v.Failed)), group(float64(v.Requests))), nanos(v.Response.P50), nanos(v.Response.P99),
				nanos(v.Response.P999), retries, fmt.Sprintf("%s of %s", group(float64(v.Dead.Failed)), group(float64(v.Dead.Requests))), nanos(v.Dead.Response.P99),
			})
		}
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.ChaosPhase, rate)...)
	}
	if first != nil {
		t.Notes = append(t.Notes, "The script, the same for all, from seed "+fmt.Sprint(r.Run.Seed)+": "+kinds(first.Troubles)+".")
		for _, l := range first.LeftOut {
			t.Notes = append(t.Notes, "Left out: "+l+".")
		}
		t.Notes = append(t.Notes, "Response times are those of requests that were answered. Retries are each target's own count and are not counted alike.")
	}
	return t
}

// share never rounds a failure away.
func share(s result.Served) string {
	if s.Failed == 0 && s.Requests > 0 {
		return "100 %"
	}
	return fmt.Sprintf("%.3f %%", min(100*s.Success(), 99.999))
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
