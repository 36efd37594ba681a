package report

import (
	"fmt"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
)

// fullSuffix ends the name of a target that has everything on, behind that of its bare form.
const fullSuffix = "-full"

// fullTables put each target with everything on beside its bare form, by the rounds that both have; none if there is none.
func fullTables(r *result.Result) []Table {
	t := Table{Caption: "With everything on, in relation to the bare form (1 is no difference)", Head: []string{"target", "requests/s", "CPU µs/request"}}
	for _, rate := range r.Scenario.Rates {
		t.Head = append(t.Head, fmt.Sprintf("p99 at %s/s", group(rate)))
	}
	for _, tg := range r.Targets {
		bare, is := strings.CutSuffix(tg.Name, fullSuffix)
		if !is {
			continue
		}
		a, b := series(r, bare, result.Saturation, 0), series(r, tg.Name, result.Saturation, 0)
		row := []string{tg.Name, times(a, b, rps, false), times(a, b, cpuMicros, false)}
		for _, rate := range r.Scenario.Rates {
			row = append(row, times(series(r, bare, result.FixedRate, rate), series(r, tg.Name, result.FixedRate, rate), p99, false))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []Table{t}
}
