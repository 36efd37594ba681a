package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Keys of the metrics, as waivers and the command line spell them.
const (
	CPU    = "cpu"
	RPS    = "rps"
	P99    = "p99"
	P999   = "p99.9"
	Memory = "memory"
	Allocs = "allocs"
	Start  = "start"
)

// Metric is one figure that the gate decides on.
type Metric struct {
	Key string
	// Name and Unit are for people.
	Name, Unit string
	// LowerIsWorse is true for throughput.
	LowerIsWorse bool
	// Absolute: candidate and baseline are compared by their difference in Unit, because the baseline may be zero; otherwise by their ratio.
	Absolute bool
	// Quantile of the response time at the fixed rate (0…1), 0 for other metrics. It is also compared over the merged histograms.
	Quantile float64
	// Typical: the value of a window is the median over the quantiles of its short intervals (Profile.Interval). One hiccup of a shared machine spoils
	// the p99 of a whole window of 200 ms, but of one interval in eight. What is rare shows in the merged histograms, and in a higher quantile.
	Typical bool
	// Threshold is the change for the worse that matters at all: 0.03 is 3 %, or 0.03 units if Absolute.
	Threshold float64
	// MaxNoise is the noise bound above which the machine cannot decide this metric.
	MaxNoise float64
}

// Profile of a gate.
type Profile struct {
	Name                     string
	MinPairs, Step, MaxPairs int
	Budget                   time.Duration
	// Windows at saturation of each arm in each pair, measured by turns.
	Windows int
	// Warmup of each load, Saturation and Rate the measured windows. A Rate of 0 leaves the fixed rate out.
	Warmup, Saturation, Rate time.Duration
	// Interval is the length of the short intervals of Metric.Typical; longer at rates at which fewer than leastPerInterval requests would fall into one.
	Interval time.Duration
	// Starts per arm and pair, of which the median counts.
	Starts  int
	Metrics []Metric
}

// bounds are threshold and tolerable noise.
type bounds struct{ threshold, noise float64 }

func metrics(cost, tail, farTail, memory, allocs, start bounds) []Metric {
	return []Metric{
		{Key: CPU, Name: "CPU per request", Unit: "µs", Threshold: cost.threshold, MaxNoise: cost.noise},
		{Key: RPS, Name: "requests/s", Unit: "1/s", LowerIsWorse: true, Threshold: cost.threshold, MaxNoise: cost.noise},
		{Key: P99, Name: "typical p99 at fixed rate", Unit: "µs", Quantile: 0.99, Typical: true, Threshold: tail.threshold, MaxNoise: tail.noise},
		{Key: P999, Name: "p99.9 at fixed rate", Unit: "µs", Quantile: 0.999, Threshold: farTail.threshold, MaxNoise: farTail.noise},
		{Key: Memory, Name: "memory after load", Unit: "MiB", Threshold: memory.threshold, MaxNoise: memory.noise},
		{Key: Allocs, Name: "allocations per request", Unit: "objects", Absolute: true, Threshold: allocs.threshold, MaxNoise: allocs.noise},
		{Key: Start, Name: "cold start", Unit: "ms", Threshold: start.threshold, MaxNoise: start.noise},
	}
}

var profiles = map[string]Profile{
	// Only what hardly depends on neighbours, with bounds that a noisy shared machine cannot reach by itself: for every push.
	"ci": {
		Name: "ci", MinPairs: 7, Step: 3, MaxPairs: 10, Budget: 50 * time.Second, Windows: 6, Warmup: 20 * time.Millisecond, Saturation: 50 * time.Millisecond,
		Metrics: only(metrics(bounds{0.25, 0.50}, bounds{}, bounds{}, bounds{}, bounds{0.5, 1}, bounds{}), CPU, Allocs),
	},
	// Half a minute for one scenario on a quiet machine with two cores.
	"quick": {
		Name: "quick", MinPairs: 8, Step: 4, MaxPairs: 16, Budget: 45 * time.Second, Windows: 6, Warmup: 20 * time.Millisecond, Saturation: 40 * time.Millisecond,
		Rate: 200 * time.Millisecond, Interval: 25 * time.Millisecond, Starts: 1,
		Metrics: metrics(bounds{0.05, 0.08}, bounds{0.40, 1}, bounds{1, 3}, bounds{0.10, 0.15}, bounds{0.2, 0.4}, bounds{0.30, 0.60}),
	},
	"short": {
		Name: "short", MinPairs: 9, Step: 3, MaxPairs: 24, Budget: 8 * time.Minute, Windows: 20, Warmup: 20 * time.Millisecond, Saturation: 50 * time.Millisecond,
		Rate: time.Second, Interval: 50 * time.Millisecond, Starts: 3,
		Metrics: metrics(bounds{0.05, 0.08}, bounds{0.30, 0.60}, bounds{0.60, 1.5}, bounds{0.08, 0.10}, bounds{0.1, 0.2}, bounds{0.25, 0.40}),
	},
	"long": {
		Name: "long", MinPairs: 12, Step: 6, MaxPairs: 48, Budget: time.Hour, Windows: 40, Warmup: 30 * time.Millisecond, Saturation: 75 * time.Millisecond,
		Rate: 5 * time.Second, Interval: 100 * time.Millisecond, Starts: 5,
		Metrics: metrics(bounds{0.02, 0.04}, bounds{0.10, 0.25}, bounds{0.25, 0.50}, bounds{0.04, 0.06}, bounds{0.05, 0.1}, bounds{0.10, 0.20}),
	},
}

// ProfileByName returns ci, quick, short or long.
func ProfileByName(name string) (Profile, error) {
	p, ok := profiles[name]
	if !ok {
		return Profile{}, fmt.Errorf("no profile %q; there are ci, quick, short and long", name)
	}
	p.Metrics = slices.Clone(p.Metrics)
	return p, nil
}

// Only keeps the metrics with these keys, and what need not be measured for them is not measured.
func (p Profile) Only(keys []string) (Profile, error) {
	for _, k := range keys {
		if !slices.ContainsFunc(p.Metrics, func(m Metric) bool { return m.Key == k }) {
			var have []string
			for _, m := range p.Metrics {
				have = append(have, m.Key)
			}
			return p, fmt.Errorf("profile %s has no metric %q; it has %s", p.Name, k, strings.Join(have, ", "))
		}
	}
	p.Metrics = only(p.Metrics, keys...)
	if !p.has(P99, P999) {
		p.Rate = 0
	}
	if !p.has(Start) {
		p.Starts = 0
	}
	return p, nil
}

func (p Profile) has(keys ...string) bool {
	return slices.ContainsFunc(p.Metrics, func(m Metric) bool { return slices.Contains(keys, m.Key) })
}

func only(ms []Metric, keys ...string) []Metric {
	return slices.DeleteFunc(slices.Clone(ms), func(m Metric) bool { return !slices.Contains(keys, m.Key) })
}
