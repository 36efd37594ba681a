package report

import (
	"fmt"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// vanillaTables are what the shipped configurations do in a scenario, each beside the tuned configuration of the same program in the same rounds.
func vanillaTables(r *result.Result) (out []Table) {
	names := vanillas(r)
	if len(names) == 0 || !hasPhase(r, result.Saturation) {
		return nil
	}
	t := Table{
		Caption: "Shipped configurations at saturation (closed loop)",
		Head:    []string{"target", "requests/s", "× tuned", "CPU µs/request", "× tuned", "memory", "errors"},
	}
	for _, n := range names {
		s, own := series(r, n, result.Saturation, 0), series(r, strings.TrimSuffix(n, target.VanillaSuffix), result.Saturation, 0)
		t.Rows = append(t.Rows, []string{
			n, count(spread(s, rps)), times(own, s, rps, false), fixed(spread(s, cpuMicros), 2), times(own, s, cpuMicros, false), mib(spread(s, loadMemory)), errorsOf(s),
		})
		t.Notes = append(t.Notes, invalidNote(r, n, result.Saturation, 0)...)
	}
	out = append(out, t)
	for _, rate := range r.Scenario.Rates {
		t := Table{
			Caption: fmt.Sprintf("Shipped configurations at a fixed rate of %s requests/s (open loop)", group(rate)),
			Head:    []string{"target", "p50", "p99", "p99.9", "p99 × tuned", "CPU µs/request", "× tuned", "errors"},
		}
		for _, n := range names {
			s, own := series(r, n, result.FixedRate, rate), series(r, strings.TrimSuffix(n, target.VanillaSuffix), result.FixedRate, rate)
			for _, g := range r.Groups {
				if g.Target != n || g.Phase != result.FixedRate || g.Rate != rate {
					continue
				}
				row := []string{n}
				for _, q := range percentiles {
					if q.name == "p50" || q.name == "p99" || q.name == "p99.9" {
						row = append(row, merged(float64(q.of(g.Response)), spread(s, func(x result.Sample) float64 { return float64(q.of(x.Load.Response)) })))
					}
				}
				t.Rows = append(t.Rows, append(row, times(own, s, p99, false), fixed(spread(s, cpuMicros), 2), times(own, s, cpuMicros, false), errorsOf(s)))
			}
			t.Notes = append(t.Notes, invalidNote(r, n, result.FixedRate, rate)...)
		}
		if len(t.Rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}
