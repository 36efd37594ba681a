// Package history turns stored results into series over time and finds where they changed.
//
// It may import harness/{report,result,stat}. What flows through: all results go in, one series for each machine, scenario, target and metric comes
// out, in the order of their runs, with its change points. Forced runs, and samples that are not valid, are left out. Change points are sought among the runs
// of one host: what a virtual machine gains or loses by being moved to another CPU is no change of what was measured.
package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Name of a series.
type Name struct {
	Machine  string `json:"machine"`
	Scenario string `json:"scenario"`
	Target   string `json:"target"`
	// Metric with its unit, and the rate where there is one: series of different rates are different series.
	Metric string `json:"metric"`
}

// Point is the median of one run.
type Point struct {
	Run      string    `json:"run"`
	At       time.Time `json:"at"`
	Revision string    `json:"revision,omitempty"`
	// Host is the number of the host that the run was on (result.Place), CPU its CPU in words.
	Host  int     `json:"host"`
	CPU   string  `json:"cpu"`
	Value float64 `json:"value"`
	// Lo and Hi bound the median at 95 %, or are the extremes of few samples.
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// Series is one metric over time.
type Series struct {
	Name
	Points []Point `json:"points"`
	// Changes have their Index in Points.
	Changes []stat.ChangePoint `json:"changes,omitempty"`
}

// All returns the series of at least two points, without change points.
func All(rs []*result.Result) []Series {
	points := map[Name][]Point{}
	places := result.Places(rs)
	for _, r := range rs {
		if r.Run.Forced {
			continue
		}
		at := places[result.RunOn{Machine: r.Machine.Name, Run: r.Run.ID}]
		for name, values := range values(r) {
			d := stat.Describe(values, 0.95)
			points[name] = append(points[name], Point{
				Run: r.Run.ID, At: r.Run.Started, Revision: r.Run.Revision, Host: at.Number, CPU: at.CPU, Value: d.Median, Lo: d.Lo, Hi: d.Hi,
			})
		}
	}
	var out []Series
	for name, ps := range points {
		if len(ps) < 2 {
			continue
		}
		slices.SortFunc(ps, func(a, b Point) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Run, b.Run)) })
		out = append(out, Series{Name: name, Points: ps})
	}
	slices.SortFunc(out, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Metric, b.Metric))
	})
	return out
}

// values of one run, sample by sample.
func values(r *result.Result) map[Name][]float64 {
	out := map[Name][]float64{}
	for _, s := range r.Samples {
		if !s.Valid() {
			continue
		}
		add := func(v float64, metric string) {
			if v > 0 && !math.IsInf(v, 0) {
				n := Name{r.Machine.Name, r.Scenario.Name, s.Target, metric}
				out[n] = append(out[n], v)
			}
		}
		switch {
		case s.Load != nil && s.Phase == result.Saturation:
			add(s.Load.RPS, "requests/s")
			add(s.Load.ServerCPUMicros, "CPU per request, µs")
		case s.Load != nil && s.Phase == result.Scaling:
			add(s.Load.RPS, fmt.Sprintf("requests/s with %d workers", s.Workers))
		case s.Load != nil:
			add(float64(s.Load.Response.P99)/1e3, fmt.Sprintf("p99 at %.0f/s, µs", s.Rate))
			add(float64(s.Load.Response.P999)/1e3, fmt.Sprintf("p99.9 at %.0f/s, µs", s.Rate))
		case s.Idle != nil:
			add(s.Idle.PerConnection, "memory per connection, B")
			if s.Idle.Alone > 0 { // another figure than PSS: a step from one to the other would be no change of the target
				add(float64(s.Idle.Alone)/(1<<20), "memory alone, MiB")
			} else {
				add(float64(s.Idle.PSS)/(1<<20), "memory, MiB")
			}
		case s.Search != nil:
			add(s.Search.Rate, "requests/s with "+s.Search.Objective)
		case s.Cold != nil:
			add(s.Cold.Milliseconds, "cold start, ms")
		}
	}
	return out
}

// Detect fills in the change points. They are sought among the points of each host by themselves, and in the logarithms, where a change of 10 % is as large
// for a fast target as for a slow one; before and after are given in the metric's own unit.
func Detect(all []Series, o stat.EDivisive) error {
	for i := range all {
		s := &all[i]
		s.Changes = nil
		for _, host := range s.hosts() {
			// What is older than can be searched is left alone.
			host = host[max(0, len(host)-stat.MaxHistory):]
			x := make([]float64, len(host))
			for k, at := range host {
				x[k] = math.Log(s.Points[at].Value)
			}
			found, err := stat.ChangePoints(x, o)
			if err != nil {
				return fmt.Errorf("%s, %s, %s: %w", s.Scenario, s.Target, s.Metric, err)
			}
			for _, c := range found {
				c.Index, c.Before, c.After = host[c.Index], math.Exp(c.Before), math.Exp(c.After)
				s.Changes = append(s.Changes, c)
			}
		}
		slices.SortFunc(s.Changes, func(a, b stat.ChangePoint) int { return cmp.Compare(a.Index, b.Index) })
	}
	return nil
}

// hosts are the indices of the points of each host, in the order in which the hosts appear.
func (s *Series) hosts() (out [][]int) {
	at := map[int]int{}
	for i, p := range s.Points {
		k, ok := at[p.Host]
		if !ok {
			k = len(out)
			at[p.Host] = k
			out = append(out, nil)
		}
		out[k] = append(out[k], i)
	}
	return out
}

// Trends are the series as the page draws them: one plot for each metric, with a line for each target.
func Trends(all []Series) []report.Trend {
	var out []report.Trend
	at := map[[3]string]int{}
	for _, s := range all {
		k := [3]string{s.Machine, s.Scenario, s.Metric}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, report.Trend{Machine: s.Machine, Scenario: s.Scenario, Metric: s.Metric})
		}
		l := report.TrendLine{Target: s.Target}
		for _, p := range s.Points {
			l.Runs, l.Hosts, l.Values, l.Lo, l.Hi = append(l.Runs, p.Run), append(l.Hosts, p.Host), append(l.Values, p.Value), append(l.Lo, p.Lo), append(l.Hi, p.Hi)
		}
		for _, c := range s.Changes {
			l.Changes = append(l.Changes, c.Index)
		}
		out[i].Lines = append(out[i].Lines, l)
	}
	return out
}

// Table of the change points.
func Table(all []Series) report.Table {
	t := report.Table{Head: []string{"scenario", "target", "metric", "machine", "since run", "revision", "before", "after", "change", "p"}}
	changes, longest, alone := 0, 0, 0 // alone: the most runs of one series on one host
	for _, s := range all {
		longest = max(longest, len(s.Points))
		for _, h := range s.hosts() {
			alone = max(alone, len(h))
		}
		for i := 1; i < len(s.Points); i++ {
			a, b := s.Points[i-1], s.Points[i]
			if a.Host == b.Host {
				continue
			}
			note := fmt.Sprintf("%s: run %s was on another host (%d, CPU %s) than %s before it (%d, CPU %s). What differs between them is no change of a target, and is not sought.",
				s.Machine, b.Run, b.Host, b.CPU, a.Run, a.Host, a.CPU)
			if !slices.Contains(t.Notes, note) {
				t.Notes = append(t.Notes, note)
			}
		}
		for _, c := range s.Changes {
			p := s.Points[c.Index]
			changes++
			t.Rows = append(t.Rows, []string{
				s.Scenario, s.Target, s.Metric, s.Machine, p.Run, p.Revision, fmt.Sprintf("%.4g", c.Before), fmt.Sprintf("%.4g", c.After),
				fmt.Sprintf("%+.1f %%", 100*(c.After/c.Before-1)), fmt.Sprintf("%.3f", c.P),
			})
		}
	}
	t.Caption = fmt.Sprintf("History: %d change points in %d series of up to %d runs", changes, len(all), longest)
	if least := 6; alone < least {
		t.Notes = append(t.Notes, fmt.Sprintf("A change point needs at least %d runs of one scenario on one machine, and where it was moved on one host.", least))
	}
	return t
}
