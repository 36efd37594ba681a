package report

import (
	"fmt"
	"slices"

	"github.com/blitz-gateway/blitz/harness/result"
)

// scalingTable shows throughput by number of workers. Ratios are to the same target with the fewest, round by round.
func scalingTable(r *result.Result) Table {
	t := Table{
		Caption: "At saturation, by number of workers (closed loop)",
		Head:    []string{"target", "workers", "requests/s", "× fewest workers", "CPU µs/request", "× fewest workers", "workers' CPU", "memory"},
	}
	for _, tg := range r.Targets {
		counts := WorkerCounts(r, tg.Name)
		for _, n := range counts {
			s, fewest := ByWorkers(r, tg.Name, n), ByWorkers(r, tg.Name, counts[0])
			t.Rows = append(t.Rows, []string{
				tg.Name, fmt.Sprint(n), count(spread(s, rps)), times(fewest, s, rps, n == counts[0]), fixed(spread(s, cpuMicros), 2),
				times(fewest, s, cpuMicros, n == counts[0]),
				percent(spread(s, serverUse)), mib(spread(s, loadMemory)),
			})
		}
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.Scaling, 0)...)
	}
	if r.Scenario.SharedCPUs {
		t.Notes = append(t.Notes, "The load generator has a thread on each CPU, so workers never have all of their CPUs: requests/s cannot grow with their number here. How workers scale shows in CPU time per request, "+
			"in which the neighbour's caches and switches are included.")
	}
	return t
}

// WorkerCounts are the numbers of workers that a target was measured with, in order.
func WorkerCounts(r *result.Result, target string) (out []int) {
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == result.Scaling && !slices.Contains(out, s.Workers) {
			out = append(out, s.Workers)
		}
	}
	slices.Sort(out)
	return out
}

// ByWorkers is one target's valid samples with a number of workers by round; of two in a round the later counts.
func ByWorkers(r *result.Result, target string, workers int) map[int]result.Sample {
	out := map[int]result.Sample{}
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == result.Scaling && s.Workers == workers && s.Valid() {
			out[s.Round] = s
		}
	}
	return out
}
