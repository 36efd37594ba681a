package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// ink is drawn wherever the page's own text colour belongs; the SVG is edited to say currentColor there, so that one plot serves a light and a
// dark page.
var ink = color.RGBA{R: 1, G: 2, B: 3, A: 255}

// look of a target: a hue that keeps a contrast of 3 to 1 on white and on black alike, and a dash pattern for those who do not tell hues apart.
type look struct {
	color color.RGBA
	dash  []vg.Length
}

var looks = map[string]look{
	"blitz":   {color.RGBA{0xe0, 0x4f, 0x0a, 255}, nil},
	"nginx":   {color.RGBA{0x2b, 0x8a, 0x3e, 255}, []vg.Length{6, 3}},
	"haproxy": {color.RGBA{0x1c, 0x7e, 0xd6, 255}, []vg.Length{2, 2}},
	"envoy":   {color.RGBA{0xae, 0x3e, 0xc9, 255}, []vg.Length{8, 3, 2, 3}},
	"h2o":     {color.RGBA{0x0c, 0x85, 0x99, 255}, []vg.Length{10, 2}},
	"traefik": {color.RGBA{0xc2, 0x25, 0x5c, 255}, []vg.Length{4, 4}},
	"caddy":   {color.RGBA{0xa0, 0x78, 0x00, 255}, []vg.Length{4, 2, 1, 2}},
}

func lookOf(target string) look {
	if l, ok := looks[target]; ok {
		return l
	}
	return look{color.RGBA{0x80, 0x80, 0x80, 255}, []vg.Length{1, 2}}
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = ink, ink
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Color, a.LineStyle.Color, a.Label.TextStyle.Color, a.Tick.Label.Color, a.Tick.LineStyle.Color = ink, ink, ink, ink, ink
	}
	for _, st := range []*text.Style{&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		st.Font.Variant = "Sans"
	}
	p.Title.Padding = vg.Points(6)
	return p
}

// bars draws medians with their intervals, one bar for each target.
func bars(title, unit string, names []string, values []stat.Spread) (string, error) {
	p := newPlot(title, "", unit)
	var labels []string
	for i, name := range names {
		v := values[i]
		if v.N == 0 {
			continue
		}
		at := float64(len(labels))
		labels = append(labels, name)
		bar, err := plotter.NewBarChart(plotter.Values{v.Median}, vg.Points(34))
		if err != nil {
			return "", err
		}
		bar.XMin, bar.Color, bar.LineStyle.Width = at, lookOf(name).color, 0
		whisker, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{plotter.XYs{{X: at, Y: v.Median}}, plotter.YErrors{{Low: v.Median - v.Lo, High: v.Hi - v.Median}}})
		if err != nil {
			return "", err
		}
		whisker.Color, whisker.Width = ink, vg.Points(1.2)
		p.Add(bar, whisker)
	}
	if len(labels) == 0 {
		return "", nil
	}
	p.NominalX(labels...)
	p.X.Min, p.X.Max = -0.6, float64(len(labels))-0.4
	p.Y.Min = 0
	p.Y.Max *= 1.05
	p.Y.Tick.Marker = plot.TickerFunc(plainTicks)
	return svg(p, 360, 240)
}

// plainTicks are about five round values from zero up.
func plainTicks(lo, hi float64) []plot.Tick {
	if !(hi > lo) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/4)))
	for _, m := range []float64{2, 2.5, 2} { // 2, 5, 10 times the power of ten
		if (hi-lo)/step <= 6 {
			break
		}
		step *= m
	}
	digits := int(max(0, -math.Floor(math.Log10(step))))
	var out []plot.Tick
	for i := math.Ceil(lo / step); i*step <= hi; i++ {
		t := plot.Tick{Value: i * step, Label: group(i * step)}
		if digits > 0 {
			t.Label = fmt.Sprintf("%.*f", digits, i*step)
		}
		out = append(out, t)
	}
	return out
}

// curves draws response times by percentile, the tail stretched: x is 1/(1-percentile) on a logarithmic scale.
func curves(title string, names []string, hs []*hdr.Histogram) (string, error) {
	p := newPlot(title, "percentile", "response time")
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	lo, hi, right := math.Inf(1), 0.0, 1.0
	for i, name := range names {
		h := hs[i]
		if h == nil || h.Count() == 0 {
			continue
		}
		var xy plotter.XYs
		for _, c := range h.Curve(8) {
			x := float64(h.Count()) // the last value stands for all that lie beyond the resolution
			if c.Percentile < 100 {
				x = min(x, 100/(100-c.Percentile))
			}
			ms := math.Max(float64(c.Value), 1) / 1e6
			xy = append(xy, plotter.XY{X: x, Y: ms})
			lo, hi, right = min(lo, ms), max(hi, ms), max(right, x)
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return "", err
		}
		l := lookOf(name)
		line.Color, line.Dashes, line.Width = l.color, l.dash, vg.Points(1.6)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	if hi == 0 {
		return "", nil
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	p.X.Min, p.X.Max = 1, right*1.1
	// Room above the curves for the legend, on the logarithmic scale.
	share := legendShare(len(names))
	p.Y.Min, p.Y.Max = lo/1.3, hi*1.3*math.Pow(hi/lo, share/(1-share))
	p.X.Tick.Marker = plot.TickerFunc(percentileTicks)
	p.Y.Tick.Marker = plot.TickerFunc(durationTicks)
	return svg(p, 360, 240)
}

// legendShare is how much of a plot's height a legend of n lines takes.
func legendShare(n int) float64 { return min(0.6, 0.065*float64(n)+0.02) }

func percentileTicks(lo, hi float64) []plot.Tick {
	var out []plot.Tick
	for _, t := range []plot.Tick{{Value: 1, Label: "0"}, {Value: 2, Label: "50"}, {Value: 10, Label: "90"}, {Value: 100, Label: "99"},
		{Value: 1e3, Label: "99.9"}, {Value: 1e4, Label: "99.99"}, {Value: 1e5, Label: "99.999"}, {Value: 1e6, Label: "99.9999"}} {
		// A label is centred at its value: one close to the right end would be cut off.
		if t.Value >= lo && (t.Value <= hi/2 || t.Value == lo) {
			out = append(out, t)
		}
	}
	return out
}

// durationTicks labels powers of ten, and 2 and 5 between them where the range is short. Values are milliseconds.
func durationTicks(lo, hi float64) []plot.Tick {
	steps := []float64{1}
	if hi/lo < 100 {
		steps = []float64{1, 2, 5}
	}
	var out []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, s := range steps {
			if v := s * math.Pow(10, e); v >= lo && v <= hi {
				out = append(out, plot.Tick{Value: v, Label: nanosShort(v * 1e6)})
			}
		}
	}
	return out
}

func nanosShort(ns float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size*0.999 {
			return fmt.Sprintf("%g %s", math.Round(ns/u.size*100)/100, u.name)
		}
	}
	return fmt.Sprintf("%.0f ns", ns)
}

var (
	svgSize   = regexp.MustCompile(`<svg width="([0-9.]+)pt" height="([0-9.]+)pt"`)
	inkColour = regexp.MustCompile(`#010203|rgb\(1, ?2, ?3\)`)
)

// svg draws the plot and makes it a part of a page: no XML head, the page's text colour and font.
func svg(p *plot.Plot, w, h vg.Length) (string, error) {
	c := vgsvg.New(w, h)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", err
	}
	s := b.String()
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i:]
	}
	// Liberation Sans has the widths of Arial and Helvetica, so text placed by its metrics fits where it is missing.
	s = strings.ReplaceAll(s, "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	s = inkColour.ReplaceAllString(s, "currentColor")
	s = svgSize.ReplaceAllString(s, `<svg class="plot" role="img" aria-label="`+html.EscapeString(p.Title.Text)+`"`)
	return strings.TrimSpace(s), nil
}

// plots of one scenario, in order.
func plots(st result.Stored) ([]string, error) {
	r := tuned(st.Result)
	var names []string
	for _, t := range r.Targets {
		names = append(names, t.Name)
	}
	var out []string
	var failed error
	add := func(s string, err error) {
		if err != nil && failed == nil {
			failed = err
		}
		if s != "" {
			out = append(out, s)
		}
	}
	addBars := func(title, unit string, ph result.Phase, f metric, scale float64) {
		var v []stat.Spread
		for _, n := range names {
			v = append(v, scaled(spread(series(r, n, ph, 0), f), scale))
		}
		add(bars(title, unit, names, v))
	}
	switch {
	case hasPhase(r, result.Idle):
		addBars("Memory with idle connections", "MiB", result.Idle, idleMemory, 1.0/(1<<20))
		addBars("Memory per connection", "bytes", result.Idle, idleConn, 1)
	case hasPhase(r, result.Objective):
		addBars("Highest rate that holds the objective", "1/s", result.Objective, held, 1)
	case hasPhase(r, result.Scaling):
		// A bar each for every number of workers is no better than the table.
	case hasPhase(r, result.ColdStart):
		addBars("Fork to first answer", "ms", result.ColdStart, coldTime, 1)
	case hasPhase(r, result.Reloading):
		var seen, with, without []stat.Spread
		names = nil
		for _, s := range wholes(r, result.Reloading) {
			m := series(r, s.Target, result.Reloading, s.Rate)
			ms := func(f metric) stat.Spread {
				v := f(s)
				if math.IsNaN(v) {
					return stat.Spread{} // no bar
				}
				return scaled(wide(v, spread(m, f)), 1e-6)
			}
			names = append(names, s.Target)
			seen, with, without = append(seen, ms(seenP50)), append(with, ms(keptP99)), append(without, ms(quietKeptP99))
		}
		add(bars("Until the new configuration answers, median", "ms", names, seen))
		add(bars("p99 on kept connections with reloads", "ms", names, with))
		add(bars("p99 on kept connections without reloads", "ms", names, without))
	case hasPhase(r, result.ChaosPhase):
		hs := make([]*hdr.Histogram, len(names))
		for _, g := range r.Groups {
			i := slices.Index(names, g.Target)
			if g.Phase != result.ChaosPhase || i < 0 {
				continue
			}
			var err error
			if hs[i], err = responses(st.Dir, g); err != nil {
				return nil, err
			}
		}
		add(curves("Response time while endpoints are in trouble", names, hs))
	default:
		addBars("Requests per second", "1/s", result.Saturation, rps, 1)
		addBars("CPU per request at saturation", "µs", result.Saturation, cpuMicros, 1)
		addBars("Memory at saturation", "MiB", result.Saturation, loadMemory, 1.0/(1<<20))
		for _, rate := range r.Scenario.Rates {
			hs := make([]*hdr.Histogram, len(names))
			for _, g := range r.Groups {
				i := slices.Index(names, g.Target)
				if g.Phase != result.FixedRate || g.Rate != rate || i < 0 {
					continue
				}
				var err error
				if hs[i], err = responses(st.Dir, g); err != nil {
					return nil, err
				}
			}
			add(curves(fmt.Sprintf("Response time at %s requests/s", group(rate)), names, hs))
		}
	}
	return out, failed
}

// responses are the response times of a group's interval log.
func responses(dir string, g result.Group) (*hdr.Histogram, error) {
	ivs, err := result.Intervals(dir, g)
	if err != nil {
		return nil, err
	}
	h := hdr.New()
	for _, iv := range ivs {
		if iv.Tag == "response" {
			h.Merge(iv.Histogram)
		}
	}
	return h, nil
}

func scaled(s stat.Spread, by float64) stat.Spread {
	s.Median, s.Lo, s.Hi, s.Min, s.Max = s.Median*by, s.Lo*by, s.Hi*by, s.Min*by, s.Max*by
	return s
}
