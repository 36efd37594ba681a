package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Trend is one metric of one scenario on one machine over its runs.
type Trend struct {
	Machine, Scenario, Metric string
	Lines                     []TrendLine
}

// TrendLine is one target's. Changes are indices into Values of the first run after a change.
type TrendLine struct {
	Target string
	Runs   []string
	// Hosts are the numbers of the hosts of the runs (result.Place); nil if it was one.
	Hosts   []int
	Values  []float64
	Lo, Hi  []float64 // interval of each value
	Changes []int
}

// stretches are the values that follow one another on one host, as first index and the one behind the last.
func (l TrendLine) stretches() (out [][2]int) {
	from := 0
	for i := 1; i <= len(l.Values); i++ {
		if i == len(l.Values) || i < len(l.Hosts) && l.Hosts[i] != l.Hosts[i-1] {
			out = append(out, [2]int{from, i})
			from = i
		}
	}
	return out
}

// trendPlot draws values by run, in order, each with its interval, and a cross where a change begins. A line ends where the machine was moved to another
// host, and begins anew.
func trendPlot(t Trend) (string, error) {
	p := newPlot(t.Scenario+": "+t.Metric, "run, in order", "")
	most, top := 0, 0.0
	for _, l := range t.Lines {
		var at, crosses plotter.XYs
		var err plotter.YErrors
		for i, v := range l.Values {
			at = append(at, plotter.XY{X: float64(i + 1), Y: v})
			err = append(err, struct{ Low, High float64 }{v - l.Lo[i], l.Hi[i] - v})
			top = math.Max(top, l.Hi[i])
		}
		for _, c := range l.Changes {
			crosses = append(crosses, at[c])
		}
		most = max(most, len(at))
		look := lookOf(l.Target)
		for i, part := range l.stretches() {
			line, e := plotter.NewLine(at[part[0]:part[1]])
			if e != nil {
				return "", e
			}
			line.Color, line.Dashes, line.Width = look.color, look.dash, vg.Points(1.4)
			p.Add(line)
			if i == 0 {
				p.Legend.Add(l.Target, line)
			}
			if part[1]-part[0] == 1 { // a line of one point cannot be seen
				dot, e := plotter.NewScatter(at[part[0]:part[1]])
				if e != nil {
					return "", e
				}
				dot.Shape, dot.Color, dot.Radius = draw.CircleGlyph{}, look.color, vg.Points(2)
				p.Add(dot)
			}
		}
		bars, e := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{at, err})
		if e != nil {
			return "", e
		}
		bars.Color, bars.Width = look.color, vg.Points(1)
		p.Add(bars)
		if len(crosses) > 0 {
			marks, e := plotter.NewScatter(crosses)
			if e != nil {
				return "", e
			}
			marks.Shape, marks.Color, marks.Radius = draw.CrossGlyph{}, ink, vg.Points(5)
			p.Add(marks)
		}
	}
	if most < 2 || !(top > 0) {
		return "", nil
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.X.Min, p.X.Max = 0.5, float64(most)+0.5
	p.Y.Min, p.Y.Max = 0, top*1.05/(1-legendShare(len(t.Lines))) // room for the legend
	p.Y.Tick.Marker = plot.TickerFunc(plainTicks)
	step := max(1, (most+9)/10)
	p.X.Tick.Marker = plot.TickerFunc(func(_, _ float64) (out []plot.Tick) {
		for i := 1; i <= most; i += step {
			out = append(out, plot.Tick{Value: float64(i), Label: fmt.Sprint(i)})
		}
		return out
	})
	return svg(p, 360, 240)
}

// trendView is a machine's history on the page.
type trendView struct {
	Scenarios []trendGroup
	// Changes is how many change points there are in all.
	Changes int
	// Broken: lines end where the machine was moved to another host.
	Broken bool
}

// trendGroup is the history of one scenario.
type trendGroup struct {
	Scenario string
	Plots    []template.HTML
	// Changes in words.
	Changes []string
}

func trendsOf(machine string, all []Trend) (*trendView, error) {
	v := &trendView{}
	for _, t := range all {
		if t.Machine != machine {
			continue
		}
		s, err := trendPlot(t)
		if err != nil {
			return nil, err
		}
		if s == "" {
			continue
		}
		i := slices.IndexFunc(v.Scenarios, func(g trendGroup) bool { return g.Scenario == t.Scenario })
		if i < 0 {
			i = len(v.Scenarios)
			v.Scenarios = append(v.Scenarios, trendGroup{Scenario: t.Scenario})
		}
		g := &v.Scenarios[i]
		g.Plots = append(g.Plots, template.HTML(s)) //nolint:gosec // drawn by this package from numbers and escaped titles
		for _, l := range t.Lines {
			v.Broken = v.Broken || len(l.stretches()) > 1
			for _, c := range l.Changes {
				run := fmt.Sprintf("number %d", c+1)
				if c < len(l.Runs) {
					run = l.Runs[c]
				}
				g.Changes = append(g.Changes, fmt.Sprintf("%s, %s: changed with run %s.", l.Target, t.Metric, run))
				v.Changes++
			}
		}
	}
	if len(v.Scenarios) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(v.Scenarios, func(a, b trendGroup) int { return scenarioOrder(a.Scenario, b.Scenario) })
	return v, nil
}
