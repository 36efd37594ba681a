package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Laboratory measures arms with a lab.Lab, one session per scenario.
type Laboratory struct {
	lab      *lab.Lab
	profile  Profile
	targets  [arms]lab.Located
	sessions map[string]*lab.Session
	rates    map[string]float64
	// Notes say what cannot be measured.
	Notes []string
}

// NewLaboratory opens a session for each scenario and finds the fixed rate: half of what the slower executable manages at saturation, the
// same for all arms. A metric that an executable cannot tell, because it is older than the counter, is left out with a note.
func NewLaboratory(ctx context.Context, l *lab.Lab, p Profile, scenarios []lab.Scenario, baseline, candidate lab.Located) (*Laboratory, error) {
	g := &Laboratory{lab: l, profile: p, targets: [arms]lab.Located{baseline, candidate, baseline}, sessions: map[string]*lab.Session{}, rates: map[string]float64{}}
	for _, s := range scenarios {
		ss, err := l.Open(ctx, s)
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.sessions[s.Name] = ss
		slowest := math.Inf(1)
		both := []lab.Located{baseline, candidate}
		os, err := ss.Together(ctx, both, lab.Loads{Windows: p.Windows, Window: p.Saturation})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", s.Name, err), g.Close())
		}
		for i, o := range os {
			t := both[i]
			var rps []float64
			for _, w := range o.Full {
				rps = append(rps, w.Load.RPS)
			}
			slowest = min(slowest, stat.Median(rps))
			if math.IsNaN(o.Allocations) && g.profile.has(Allocs) {
				g.profile.Metrics = slices.DeleteFunc(slices.Clone(g.profile.Metrics), func(m Metric) bool { return m.Key == Allocs })
				g.Notes = append(g.Notes, fmt.Sprintf("Allocations are not compared: the %s does not count them.", t.Name()))
			}
		}
		g.rates[s.Name] = lab.RoundRate(slowest / 2)
	}
	if len(g.profile.Metrics) == 0 {
		return nil, errors.Join(errors.New("nothing is left to compare: "+strings.Join(g.Notes, " ")), g.Close())
	}
	return g, nil
}

// Metrics that can be measured.
func (g *Laboratory) Metrics() []Metric { return g.profile.Metrics }

// Close ends the sessions.
func (g *Laboratory) Close() error {
	var errs []error
	for _, s := range g.sessions {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Measure takes one sample of each arm: windows at saturation by turns, one at the fixed rate, and cold starts, as far as the metrics ask for them.
func (g *Laboratory) Measure(ctx context.Context, scenario string, order []Arm) (out [arms]Sample, err error) {
	p := g.profile
	g.lab.Intervals = p.interval(g.rates[scenario])
	var targets []lab.Located
	for _, a := range order {
		targets = append(targets, g.targets[a])
	}
	os, err := g.sessions[scenario].Together(ctx, targets, lab.Loads{Windows: p.Windows, Window: p.Saturation, Rate: g.rates[scenario], Fixed: p.Rate})
	if err != nil {
		return out, err
	}
	cpu, rps, err := sideBySide(os)
	if err != nil {
		return out, err
	}
	for i, a := range order {
		if out[a], err = g.sample(ctx, targets[i], os[i], cpu[i], rps[i]); err != nil {
			return out, fmt.Errorf("%s: %w", a, err)
		}
	}
	return out, nil
}

func (g *Laboratory) sample(ctx context.Context, t lab.Located, o lab.Observation, cpu, rps float64) (s Sample, err error) {
	p := g.profile
	s.Values = map[string]float64{CPU: cpu, RPS: rps}
	if !math.IsNaN(o.Allocations) {
		s.Values[Allocs] = o.Allocations
	}
	last := o.Full[len(o.Full)-1].Load
	if o.Fixed != nil {
		if !o.Fixed.Valid() {
			return s, fmt.Errorf("%w: %s", ErrInvalid, strings.Join(o.Fixed.Invalid, "; "))
		}
		last = o.Fixed.Load
		s.Values[P999] = float64(last.Response.P999) / 1e3
		s.Values[P99] = typical(o.Tail, 99) / 1e3
		for _, h := range seconds(o.Tail, g.lab.Intervals, p.Rate) {
			s.Tail = append(s.Tail, counts(h))
		}
	}
	// Not the proportional size: arms that are one and the same executable share its pages while they run side by side, the candidate shares with nobody.
	s.Values[Memory] = float64(last.RSS) / (1 << 20)
	if p.Starts > 0 {
		var ms []float64
		for range p.Starts {
			d, err := g.lab.Cold(ctx, t)
			if err != nil {
				return s, err
			}
			ms = append(ms, float64(d)/float64(time.Millisecond))
		}
		s.Values[Start] = stat.Median(ms)
	}
	return s, nil
}

// sideBySide are CPU time and throughput of each target, from windows that were measured by turns. A window tells how fast the machine is at its moment as
// well as what the target costs; the former is in all windows of a round and is taken out by comparing with the round's mean (of logarithms). The
// median over rounds ignores what hit a single window. A round with an invalid window is left out; half of them must remain.
func sideBySide(os []lab.Observation) (cpu, rps []float64, err error) {
	rounds := len(os[0].Full)
	var why []string
	var cs, rs [][]float64 // by round and target
	for r := range rounds {
		var c, q []float64
		for _, o := range os {
			w := o.Full[r]
			if !w.Valid() {
				why = append(why, w.Invalid...)
				break
			}
			c, q = append(c, w.Load.ServerCPUMicros), append(q, w.Load.RPS)
		}
		if len(c) == len(os) {
			cs, rs = append(cs, c), append(rs, q)
		}
	}
	if 2*len(cs) < rounds || len(cs) == 0 {
		return nil, nil, fmt.Errorf("%w: %d of %d rounds of windows at saturation, the last because %s", ErrInvalid, rounds-len(cs), rounds, why[len(why)-1])
	}
	return levelled(cs), levelled(rs), nil
}

// levelled is one value for each column: the median over the rows of how much it differs from the row's mean, at the level of all rows.
func levelled(rows [][]float64) []float64 {
	n := len(rows[0])
	apart, level := make([][]float64, n), 0.0
	for _, row := range rows {
		mean := 0.0
		for _, x := range row {
			mean += math.Log(x) / float64(n)
		}
		level += mean / float64(len(rows))
		for i, x := range row {
			apart[i] = append(apart[i], math.Log(x)-mean)
		}
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Exp(level + stat.Median(apart[i]))
	}
	return out
}

// leastPerInterval are the requests without which a p99 of an interval says little.
const leastPerInterval = 500

// interval is the length of the short intervals at so many requests per second.
func (p Profile) interval(rate float64) time.Duration {
	if p.Rate == 0 || rate <= 0 {
		return p.Interval
	}
	least := time.Duration(math.Ceil(leastPerInterval/rate*1000)) * time.Millisecond
	return max(p.Interval, least)
}

// typical is the median of the intervals' percentiles, in nanoseconds. The last interval is left out when it was cut short.
func typical(hs []*hdr.Histogram, percentile float64) float64 {
	if n := len(hs); n > 1 && hs[n-1].Count() < hs[0].Count()/2 {
		hs = hs[:n-1]
	}
	var at []float64
	for _, h := range hs {
		at = append(at, float64(h.At(percentile)))
	}
	return stat.Median(at)
}

// seconds merges short intervals into such of about a second, for the block bootstrap: as many as the window has whole seconds, at least one.
func seconds(hs []*hdr.Histogram, interval, window time.Duration) []*hdr.Histogram {
	n := max(1, int(window/time.Second))
	if len(hs) <= n {
		return hs
	}
	out := make([]*hdr.Histogram, n)
	for i, h := range hs {
		k := min(int(time.Duration(i)*interval/time.Second), n-1)
		if out[k] == nil {
			out[k] = h.Clone()
			continue
		}
		out[k].Merge(h)
	}
	return slices.DeleteFunc(out, func(h *hdr.Histogram) bool { return h == nil })
}

// counts turns a histogram into what the bootstrap works on, in nanoseconds.
func counts(h *hdr.Histogram) stat.Counts {
	var out stat.Counts
	h.Each(func(value, count int64) { out = append(out, stat.Bin{Value: float64(value), Count: count}) })
	return out
}
