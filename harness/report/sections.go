package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// sectioned are the sections of a sample as samples of their own, so that they count as rounds do: each window of chaos with the one of the same place with an endpoint dead, each
// two neighbouring sections of reloads, one with and one without. A sample without sections is itself the only one.
func sectioned(s result.Sample) (out []result.Sample) {
	switch {
	case s.Chaos != nil && len(s.Chaos.Sections) > 0:
		for i, x := range s.Chaos.Sections {
			part := s
			part.Chaos = &result.Chaos{Served: x.Served(), Retries: x.Retries, ServerCPUSeconds: x.ServerCPUSeconds, Dead: s.Chaos.DeadSections[i].Served()}
			out = append(out, part)
		}
	case s.Reload != nil && len(s.Reload.Sections) > 0:
		xs := s.Reload.Sections
		for i := 0; i+1 < len(xs); i += 2 {
			busy, quiet := xs[i], xs[i+1]
			if quiet.Reloads {
				busy, quiet = quiet, busy
			}
			part := s
			part.Reload = &result.Reload{
				Asked: busy.Asked, Done: busy.Done, Lost: busy.Lost, Seen: busy.Seen, Processes: busy.Processes, Memory: result.Memory{PSS: busy.PSS},
				Kept: busy.Kept.Served(), Closed: busy.Closed.Served(), QuietKept: quiet.Kept.Served(), QuietClosed: quiet.Closed.Served(),
				ServerCPUSeconds: busy.ServerCPUSeconds, Seconds: busy.Seconds, QuietCPUSeconds: quiet.ServerCPUSeconds, QuietSeconds: quiet.Seconds,
			}
			out = append(out, part)
		}
	default:
		return []result.Sample{s}
	}
	return out
}

// sectionsIn is how many sections of each kind the samples of a result have; 0 without samples, 1 if none are kept apart.
func sectionsIn(r *result.Result) (n int) {
	for _, s := range r.Samples {
		n = max(n, len(sectioned(s)))
	}
	return n
}

// wholes are the valid samples of a phase in the order of the targets, each with all its sections together.
func wholes(r *result.Result, ph result.Phase) (out []result.Sample) {
	for _, tg := range r.Targets {
		for _, s := range r.Samples {
			if s.Target == tg.Name && s.Phase == ph && s.Valid() {
				out = append(out, s)
			}
		}
	}
	return out
}

// wide is a figure of all sections together with the interval over them, widened to it where it lies outside.
func wide(value float64, s stat.Spread) stat.Spread {
	if s.N < 2 {
		return stat.Spread{N: 1, Median: value, Lo: value, Hi: value, Min: value, Max: value}
	}
	s.Median, s.Lo, s.Hi = value, min(s.Lo, value), max(s.Hi, value)
	return s
}

// within renders the ratio of two metrics of the same sections, b to a.
func within(m map[int]result.Sample, a, b metric) string {
	iv, ok := ratioOf(m, m, a, b)
	if !ok {
		return "–"
	}
	return formatRatio(iv)
}

// share is n of all; NaN if there are none.
func share(n, all int64) float64 {
	if all == 0 {
		return math.NaN()
	}
	return float64(n) / float64(all)
}

// answered is a percentile of response times; NaN if nothing was answered.
func answered(h hdr.Summary, ns int64) float64 {
	if h.Count == 0 {
		return math.NaN()
	}
	return float64(ns)
}

// figure renders a time of all sections of s together with the interval over them.
func figure(m map[int]result.Sample, f metric, s result.Sample) string {
	v := f(s)
	if math.IsNaN(v) {
		return "–"
	}
	return merged(v, spread(m, f))
}

// portion renders n of all with its share and the interval over the sections. Where it is none or all, every section says the same, and the exact bound stands in.
func portion(n, all int64, s stat.Spread) string {
	text := group(float64(n)) + " of " + group(float64(all))
	lo, hi := stat.Proportion(n, all, confidence)
	switch {
	case all == 0:
		return text
	case n == 0:
		return text + " (< " + atMost(100*hi) + " %)"
	case n == all:
		missing := atMost(100 * (1 - lo))
		x, _ := strconv.ParseFloat(missing, 64) // it was just made of a number
		return text + " (> " + strconv.FormatFloat(100-x, 'f', digits(x), 64) + " %)"
	case s.N < 2:
		return text + " (" + percentage(100*share(n, all)) + " %)"
	}
	s = wide(share(n, all), s)
	return fmt.Sprintf("%s (%s [%s, %s] %%)", text, percentage(100*s.Median), percentage(100*s.Lo), percentage(100*s.Hi))
}

// exactly renders n of all with the exact interval of the share, for what is counted once and in no sections.
func exactly(n, all int64) string {
	if n == 0 || n == all {
		return portion(n, all, stat.Spread{})
	}
	lo, hi := stat.Proportion(n, all, confidence)
	return fmt.Sprintf("%s of %s (%s [%s, %s] %%)", group(float64(n)), group(float64(all)), percentage(100*share(n, all)), percentage(100*lo), percentage(100*hi))
}

// digits behind the point for two significant ones.
func digits(x float64) int {
	if x <= 0 {
		return 0
	}
	return max(0, 1-int(math.Floor(math.Log10(x))))
}

// percentage has two significant digits, all digits from 100 on.
func percentage(x float64) string { return strconv.FormatFloat(x, 'f', digits(x), 64) }

// atMost rounds up: a bound must not be given away.
func atMost(x float64) string {
	d := digits(x)
	unit := math.Pow(10, float64(d))
	return strconv.FormatFloat(math.Ceil(x*unit-1e-9)/unit, 'f', d, 64)
}

// sectionsNote says what the brackets are.
func sectionsNote(samples []result.Sample) string {
	const exact = "< and > are exact 95 % bounds of a share where none or all were seen, as if each was independent of the others."
	n, parted := 0, true
	for _, s := range samples {
		n = len(sectioned(s))
		parted = parted && n > 1
	}
	if !parted {
		return "This run kept no sections apart: each figure is one number without an interval. " + exact
	}
	c := stat.Describe(make([]float64, n), confidence).Confidence
	return fmt.Sprintf("[ ]: the interval over %d sections (%.0f %%), widened to the figure of all of them together, which stands before it. %s", n, 100*c, exact)
}
