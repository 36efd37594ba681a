package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// workloads are the scenarios of which a forecast is made, in order: many small requests over connections that stay.
var workloads = []string{"h1-static", "h1-proxy-100b", "h1-proxy-1k", "h1-tls-proxy", "h2-static", "h2-proxy", "h2-proxy-h2", "grpc-unary"}

const (
	confidence = 0.95
	resamples  = 1000
	seed       = 1
)

// figure is a measured figure: its replicates over so many rounds.
type figure struct {
	draws  []float64
	rounds int
	median float64
}

func measure(v []float64) figure {
	return figure{stat.Medians(v, resamples, seed), len(v), stat.Median(v)}
}

// bounds of what follows from the figure.
func (f figure) bounds(of func(float64) float64) machine.Range {
	if len(f.draws) == 0 {
		return machine.Range{}
	}
	v := make([]float64, len(f.draws))
	for i, d := range f.draws {
		v[i] = of(d)
	}
	lo, hi := stat.Bounds(v, f.rounds, confidence)
	return machine.Range{From: lo, To: hi}
}

// point is the CPU use of one core at a rate.
type point struct {
	rate float64
	cost figure // CPU microseconds per request
}

// workload is what was measured of one scenario.
type workload struct {
	*result.Result
	// cost of a request at saturation, in CPU microseconds. curve has the fixed rates and, last, saturation; rates are those of one core.
	cost  figure
	curve []point
	// memory of one worker's process at saturation, in bytes.
	memory figure
	head   int
}

// measured is everything that a forecast stands on.
type measured struct {
	machine   string
	target    string
	workloads []workload
	law       *stat.USLFit
	lawFrom   *result.Result
	// counts are the numbers of workers that the law stands on.
	counts []int
	// perWorker is what each worker beyond the first adds to memory, in bytes; without draws if it was not measured.
	perWorker figure
	// perIdle are bytes for each connection that does nothing, without and with TLS.
	perIdle map[bool]figure
	sources []*result.Result
}

// collect takes from the newest result of each scenario on one machine what the target showed there. Forced runs are left out.
func collect(all []result.Stored, from, target string) (*measured, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(s result.Stored) bool { return s.Run.Forced })
	if from == "" {
		newest := slices.MaxFunc(append([]result.Stored{{Result: &result.Result{}}}, all...), func(a, b result.Stored) int { return cmp.Compare(a.Run.ID, b.Run.ID) })
		from = newest.Machine.Name
	}
	m := &measured{machine: from, target: target, perIdle: map[bool]figure{}}
	for _, st := range report.Latest(all) {
		r := st.Result
		if r.Machine.Name != from {
			continue
		}
		used := false
		switch {
		case slices.Contains(workloads, r.Scenario.Name):
			if w, ok := workloadOf(r, target); ok {
				m.workloads = append(m.workloads, w)
				used = true
			}
		case r.Scenario.Name == "scaling":
			used = m.scaling(r)
		case r.Scenario.Name == "idle-10k" || r.Scenario.Name == "idle-10k-tls":
			v := values(r, target, result.Idle, 0, func(s result.Sample) float64 { return s.Idle.PerConnection })
			if used = len(v) > 0; used {
				m.perIdle[r.Scenario.TLS] = measure(v)
			}
		}
		if used {
			m.sources = append(m.sources, r)
		}
	}
	slices.SortFunc(m.workloads, func(a, b workload) int {
		return slices.Index(workloads, a.Scenario.Name) - slices.Index(workloads, b.Scenario.Name)
	})
	if len(m.workloads) == 0 {
		return nil, fmt.Errorf("there is no result of %s on machine %q from which a forecast could be made; it needs one of %v", target, from, workloads)
	}
	return m, nil
}

// values of the valid samples; of two in a round the later counts.
func values(r *result.Result, target string, ph result.Phase, rate float64, of func(result.Sample) float64) []float64 {
	byRound := map[int]float64{}
	rounds := []int{}
	for _, s := range r.Samples {
		if s.Target != target || s.Phase != ph || s.Rate != rate || !s.Valid() {
			continue
		}
		if _, there := byRound[s.Round]; !there {
			rounds = append(rounds, s.Round)
		}
		byRound[s.Round] = of(s)
	}
	slices.Sort(rounds)
	out := make([]float64, len(rounds))
	for i, n := range rounds {
		out[i] = byRound[n]
	}
	return out
}

func workloadOf(r *result.Result, target string) (w workload, ok bool) {
	cost := func(s result.Sample) float64 { return s.Load.ServerCPUMicros }
	v := values(r, target, result.Saturation, 0, cost)
	if len(v) < 2 || slices.Min(v) <= 0 {
		return w, false
	}
	w = workload{Result: r, cost: measure(v)}
	w.memory = measure(values(r, target, result.Saturation, 0, func(s result.Sample) float64 { return float64(s.Load.Bytes()) }))
	cores := float64(max(1, len(r.Machine.Server)))
	for _, rate := range r.Scenario.Rates {
		if v := values(r, target, result.FixedRate, rate, cost); len(v) > 1 {
			w.curve = append(w.curve, point{rate / cores, measure(v)})
		}
	}
	full := stat.Median(values(r, target, result.Saturation, 0, func(s result.Sample) float64 { return s.Load.RPS }))
	w.curve = append(w.curve, point{full / cores, w.cost})
	slices.SortFunc(w.curve, func(a, b point) int { return cmp.Compare(a.rate, b.rate) })
	for _, t := range r.Targets {
		if t.Name == target {
			w.head = t.HeadBytes
		}
	}
	return w, true
}

// scaling fits the law. What one round lacks is NaN there. It returns false where nothing could be learned.
func (m *measured) scaling(r *result.Result) bool {
	counts := report.WorkerCounts(r, m.target)
	if len(counts) == 0 {
		return false
	}
	byCount := make([]map[int]result.Sample, len(counts))
	last := 0
	s := stat.Scaling{}
	for i, n := range counts {
		byCount[i] = report.ByWorkers(r, m.target, n)
		s.N = append(s.N, float64(n))
		for round := range byCount[i] {
			last = max(last, round)
		}
	}
	var growth []float64
	for round := range last + 1 {
		x := make([]float64, len(counts))
		for i := range counts {
			x[i] = math.NaN()
			if sm, ok := byCount[i][round]; ok {
				x[i] = throughput(sm)
			}
		}
		s.X = append(s.X, x)
		a, okA := byCount[0][round]
		b, okB := byCount[len(counts)-1][round]
		if k := counts[len(counts)-1] - counts[0]; okA && okB && k > 0 {
			growth = append(growth, float64(b.Load.Bytes()-a.Load.Bytes())/float64(k))
		}
	}
	fit, err := stat.FitUSL(s, stat.Bootstrap{Confidence: confidence, Resamples: resamples, Seed: seed})
	if err != nil {
		return false
	}
	m.law, m.lawFrom, m.counts = &fit, r, counts
	if len(growth) > 1 {
		m.perWorker = measure(growth)
	}
	return true
}

// saturated: a sample in which the workers used less of their CPUs was limited by something else.
const saturated = 0.9

// throughput of a sample of scaling. Where workers did not have all of their CPUs' time, because the load generator was the limit or shared them, what they would do
// with all of it counts.
func throughput(s result.Sample) float64 {
	if s.Load.ServerUse < saturated && s.Load.ServerUse > 0 {
		return s.Load.RPS / s.Load.ServerUse
	}
	return s.Load.RPS
}
