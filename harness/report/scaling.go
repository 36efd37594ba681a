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
		Head:    []string{"target", "workers", "requests/s", "× fewest workers", "CPU µs/request", "workers' CPU", "memory"},
	}
	for _, tg := range r.Targets {
		counts := WorkerCounts(r, tg.Name)
		for _, n := range counts {
			s := ByWorkers(r, tg.Name, n)
			t.Rows = append(t.Rows, []string{
				tg.Name, fmt.Sprint(n), count(spread(s, rps)), times(ByWorkers(r, tg.Name, counts[0]), s, rps, n == counts[0]), fixed(spread(s, cpuMicros), 2),
				percent(spread(s, serverUse)), mib(spread(s, loadPSS)),
			})
		}
		t.Notes = append(t.Notes, invalidNote(r, tg.Name, result.Scaling, 0)...)
	}
	if r.Scenario.SharedCPUs {
		t.Notes = append(t.Notes, "Each worker shares its CPU with a thread of the load generator that came with it. What scales here is the pair, kernel included; with more than one pair, "+
			"connections lead from one CPU to another, which costs once and not with every further worker.")
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
