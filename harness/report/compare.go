package report

import (
	"math"
	"slices"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// confidence of every interval in a report.
const confidence = 0.95

// metric takes one figure out of a sample.
type metric func(result.Sample) float64

func rps(s result.Sample) float64        { return s.Load.RPS }
func cpuMicros(s result.Sample) float64  { return s.Load.ServerCPUMicros }
func serverUse(s result.Sample) float64  { return s.Load.ServerUse }
func loadUse(s result.Sample) float64    { return s.Load.LoadUse + s.Load.OriginUse }
func p99(s result.Sample) float64        { return float64(s.Load.Response.P99) }
func loadMemory(s result.Sample) float64 { return float64(s.Load.Bytes()) }
func idleMemory(s result.Sample) float64 { return float64(s.Idle.Bytes()) }
func idleBase(s result.Sample) float64   { return float64(s.Idle.Before.Bytes()) }
func idleConn(s result.Sample) float64   { return s.Idle.PerConnection }
func idleCPU(s result.Sample) float64    { return s.Idle.IdleCPU }
func held(s result.Sample) float64       { return s.Search.Rate }
func coldTime(s result.Sample) float64   { return s.Cold.Milliseconds }
func coldCPU(s result.Sample) float64    { return s.Cold.CPUMillis }
func coldMemory(s result.Sample) float64 { return float64(s.Cold.Bytes()) }

// series is one target's valid samples of a phase by round; of two in a round (a repetition) the later counts. The sections of a sample count as rounds.
func series(r *result.Result, target string, ph result.Phase, rate float64) map[int]result.Sample {
	out := map[int]result.Sample{}
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == ph && s.Rate == rate && s.Valid() {
			parts := sectioned(s)
			for i, part := range parts {
				out[s.Round*len(parts)+i] = part
			}
		}
	}
	return out
}

// spread leaves out samples in which there is nothing to measure (NaN), such as the time of a reload where none came into force.
func spread(m map[int]result.Sample, f metric) stat.Spread {
	var v []float64
	for _, s := range m {
		if x := f(s); !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	slices.Sort(v)
	return stat.Describe(v, confidence)
}

// ratio estimates b/a over the rounds that both have. ok is false if nothing can be said.
func ratio(a, b map[int]result.Sample, f metric) (iv stat.Interval, ok bool) {
	return ratioOf(a, b, f, f)
}

// ratioOf is that of metric g in b to metric f in a.
func ratioOf(a, b map[int]result.Sample, f, g metric) (iv stat.Interval, ok bool) {
	var rounds []int
	for r := range a {
		if _, both := b[r]; both {
			rounds = append(rounds, r)
		}
	}
	slices.Sort(rounds)
	var x, y []float64
	for _, r := range rounds {
		if p, q := f(a[r]), g(b[r]); !math.IsNaN(p) && !math.IsNaN(q) {
			x, y = append(x, p), append(y, q)
		}
	}
	iv, err := stat.Ratio(x, y, confidence)
	return iv, err == nil
}

// Reference is the target that the others are compared with: nginx, or the first one where nginx is missing.
func Reference(r *result.Result) string {
	for _, t := range r.Targets {
		if t.Name == "nginx" {
			return t.Name
		}
	}
	if len(r.Targets) > 0 {
		return r.Targets[0].Name
	}
	return ""
}

func invalid(r *result.Result, target string, ph result.Phase, rate float64) (n int) {
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == ph && s.Rate == rate && !s.Valid() {
			n++
		}
	}
	return n
}

// Latest keeps of each machine and scenario the newest result, in the order of machine name and of the scenario's first appearance.
func Latest(all []result.Stored) []result.Stored {
	best := map[[2]string]result.Stored{}
	for _, s := range all {
		k := [2]string{s.Machine.Name, s.Scenario.Name}
		if old, ok := best[k]; !ok || s.Run.ID > old.Run.ID {
			best[k] = s
		}
	}
	var out []result.Stored
	for _, s := range best {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b result.Stored) int {
		if a.Machine.Name != b.Machine.Name {
			if a.Machine.Name < b.Machine.Name {
				return -1
			}
			return 1
		}
		return scenarioOrder(a.Scenario.Name, b.Scenario.Name)
	})
	return out
}

// order of scenarios in a report; unknown ones follow by name.
var order = []string{"h1-static", "h1-proxy-100b", "h1-proxy-1k", "h1-churn", "h1-large", "h1-tls-proxy", "h2-static", "h2-proxy",
	"h2-proxy-h2", "grpc-unary", "tls-handshake", "tls-handshake-resumed", "h1-slo", "h2-slo", "h1-proxy-full", "idle-10k", "idle-10k-tls", "scaling", "cold-start", "reload-10", "reload-10k", "chaos"}

func scenarioOrder(a, b string) int {
	i, j := slices.Index(order, a), slices.Index(order, b)
	switch {
	case i >= 0 && j >= 0:
		return i - j
	case i >= 0:
		return -1
	case j >= 0:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
