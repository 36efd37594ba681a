// Package history turns stored results into series over time and finds where they changed.
//
// It may import harness/{report,result,stat}. What flows through: all results go in, one series for each machine, scenario, target and metric comes
// out, in the order of their runs, with its change points. Forced runs, and samples that are not valid, are left out.
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
	Value    float64   `json:"value"`
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
	for _, r := range rs {
		if r.Run.Forced {
			continue
		}
		for name, values := range values(r) {
			d := stat.Describe(values, 0.95)
			points[name] = append(points[name], Point{Run: r.Run.ID, At: r.Run.Started, Revision: r.Run.Revision, Value: d.Median, Lo: d.Lo, Hi: d.Hi})
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
			add(float64(s.Idle.PSS)/(1<<20), "memory, MiB")
		case s.Search != nil:
			add(s.Search.Rate, "requests/s with "+s.Search.Objective)
		case s.Cold != nil:
			add(s.Cold.Milliseconds, "cold start, ms")
		}
	}
	return out
}

// Detect fills in the change points. They are sought in the logarithms, where a change of 10 % is as large for a fast target as for a slow one; before
// and after are given in the metric's own unit.
func Detect(all []Series, o stat.EDivisive) error {
	for i := range all {
		s := &all[i]
		x := make([]float64, len(s.Points))
		for k, p := range s.Points {
			x[k] = math.Log(p.Value)
		}
		// What is older than can be searched is left alone.
		skip := max(0, len(x)-stat.MaxHistory)
		found, err := stat.ChangePoints(x[skip:], o)
		if err != nil {
			return fmt.Errorf("%s, %s, %s: %w", s.Scenario, s.Target, s.Metric, err)
		}
		for k := range found {
			found[k].Index += skip
			found[k].Before, found[k].After = math.Exp(found[k].Before), math.Exp(found[k].After)
		}
		s.Changes = found
	}
	return nil
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
			l.Runs, l.Values, l.Lo, l.Hi = append(l.Runs, p.Run), append(l.Values, p.Value), append(l.Lo, p.Lo), append(l.Hi, p.Hi)
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
	changes, longest := 0, 0
	for _, s := range all {
		longest = max(longest, len(s.Points))
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
	if least := 6; longest < least {
		t.Notes = append(t.Notes, fmt.Sprintf("A change point needs at least %d runs of one scenario on one machine.", least))
	}
	return t
}
