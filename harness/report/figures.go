package report

import (
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// measure is one figure that a scenario gives for each target.
type measure struct {
	name, unit string
	phase      result.Phase
	rate       float64
	// more is better; otherwise less is.
	more bool
	of   metric
	// column of the overview that it belongs to; none if it does not stand there.
	column column
}

// column of the overview.
type column int

const (
	none column = iota
	throughput
	cost
	delay
	memory
)

// measuresOf a scenario, by what its samples are.
func measuresOf(r *result.Result) []measure {
	switch {
	case hasPhase(r, result.Idle):
		return []measure{
			{"memory", "B", result.Idle, 0, false, idleMemory, memory}, {"memory before", "B", result.Idle, 0, false, idleBase, none},
			{"memory per connection", "B", result.Idle, 0, false, idleConn, none}, {"CPU per idle second", "µs", result.Idle, 0, false, idleCPU, cost},
		}
	case hasPhase(r, result.ColdStart):
		return []measure{
			{"cold start", "ms", result.ColdStart, 0, false, coldTime, delay}, {"CPU", "ms", result.ColdStart, 0, false, coldCPU, cost},
			{"memory", "B", result.ColdStart, 0, false, coldMemory, memory},
		}
	case hasPhase(r, result.Objective):
		return []measure{{"rate that holds", "1/s", result.Objective, 0, true, held, throughput}}
	case hasPhase(r, result.ChaosPhase):
		rate := 0.0
		if len(r.Scenario.Rates) > 0 {
			rate = r.Scenario.Rates[0]
		}
		return []measure{
			{"success", "1", result.ChaosPhase, rate, true, func(s result.Sample) float64 { return s.Chaos.Success() }, none},
			{"p99", "ns", result.ChaosPhase, rate, false, chaosP99, none},
			{"success with one endpoint dead", "1", result.ChaosPhase, rate, true, func(s result.Sample) float64 { return s.Chaos.Dead.Success() }, none},
			{"p99 with one endpoint dead", "ns", result.ChaosPhase, rate, false, deadP99, none},
		}
	case hasPhase(r, result.Reloading):
		rate := 0.0 // targets that were offered less are not comparable by these
		if len(r.Scenario.Rates) > 0 {
			rate = r.Scenario.Rates[0]
		}
		return []measure{
			{"share of reloads that took effect", "1", result.Reloading, rate, true, reloadsDone, none},
			{"share of failed requests", "1", result.Reloading, rate, false, reloadFailed, none},
			{"until the new configuration answers", "ns", result.Reloading, rate, false, seenP50, none},
			{"p99 with reloads", "ns", result.Reloading, rate, false, keptP99, none},
			{"p99 without reloads", "ns", result.Reloading, rate, false, quietKeptP99, none},
			{"CPU with reloads", "1", result.Reloading, rate, false, reloadCPU, none},
			{"CPU without reloads", "1", result.Reloading, rate, false, quietCPU, none},
		}
	}
	out := []measure{
		{"throughput", "1/s", result.Saturation, 0, true, rps, throughput}, {"CPU per request", "µs", result.Saturation, 0, false, cpuMicros, cost},
		{"memory", "B", result.Saturation, 0, false, loadMemory, memory},
	}
	highest := 0.0
	for _, rate := range r.Scenario.Rates {
		highest = max(highest, rate)
	}
	for _, rate := range r.Scenario.Rates {
		for _, q := range percentiles {
			m := measure{q.name, "ns", result.FixedRate, rate, false, func(s result.Sample) float64 { return float64(q.of(s.Load.Response)) }, none}
			if rate == highest && q.name == "p99" {
				m.column = delay
			}
			out = append(out, m)
		}
		out = append(out, measure{"CPU per request", "µs", result.FixedRate, rate, false, cpuMicros, none})
	}
	return out
}

// Figure is the median of one target's valid rounds with its interval; of reloads and chaos, that of the sections of their one sample.
type Figure struct {
	Target       string
	Phase        result.Phase
	Rate         float64
	Metric, Unit string
	MoreIsBetter bool
	stat.Spread
}

// Figures are all figures of a result, shipped configurations included.
func Figures(r *result.Result) (out []Figure) {
	for _, m := range measuresOf(r) {
		for _, t := range r.Targets {
			if s := spread(series(r, t.Name, m.phase, m.rate), m.of); s.N > 0 {
				out = append(out, Figure{t.Name, m.phase, m.rate, m.name, m.unit, m.more, s})
			}
		}
	}
	return out
}

// Ratio of a target's figure to that of another one of the same result, paired by round or section.
type Ratio struct {
	Target, Reference string
	Phase             result.Phase
	Rate              float64
	Metric            string
	MoreIsBetter      bool
	stat.Interval
}

// Ratios of every target to every other one.
func Ratios(r *result.Result) (out []Ratio) {
	for _, m := range measuresOf(r) {
		of := map[string]map[int]result.Sample{}
		for _, t := range r.Targets {
			of[t.Name] = series(r, t.Name, m.phase, m.rate)
		}
		for _, a := range r.Targets {
			for _, b := range r.Targets {
				if a.Name == b.Name {
					continue
				}
				if iv, ok := ratio(of[b.Name], of[a.Name], m.of); ok {
					out = append(out, Ratio{a.Name, b.Name, m.phase, m.rate, m.name, m.more, iv})
				}
			}
		}
	}
	return out
}

// Quantile of the merged response times of a group, with the interval of that quantile over the rounds as a report shows it.
type Quantile struct {
	Quantile   float64
	Nanos      int64
	Lo, Hi     int64
	Rounds     int
	Confidence float64
}

// Quantiles of a group's response times.
func Quantiles(r *result.Result, g result.Group) (out []Quantile) {
	samples := series(r, g.Target, g.Phase, g.Rate)
	for _, q := range percentiles {
		v := q.of(g.Response)
		s := spread(samples, func(x result.Sample) float64 { return float64(q.of(responseOf(x))) })
		out = append(out, Quantile{q.share, v, min(v, int64(s.Lo)), max(v, int64(s.Hi)), s.N, s.Confidence})
	}
	return out
}

func responseOf(s result.Sample) (h hdr.Summary) {
	switch {
	case s.Load != nil:
		h = s.Load.Response
	case s.Chaos != nil:
		h = s.Chaos.Response
	}
	return h
}
