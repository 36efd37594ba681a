package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/result"
)

// trends of an imaginary history: seven runs, nginx unchanged, blitz faster from the fifth on.
var trends = []Trend{{Machine: "vm-2core", Scenario: "h1-static", Metric: "CPU per request, µs", Lines: []TrendLine{
	{Target: "blitz", Values: []float64{5, 5.1, 4.9, 5, 4.1, 4, 4.1}, Lo: []float64{4.9, 5, 4.8, 4.9, 4, 3.9, 4}, Hi: []float64{5.1, 5.2, 5, 5.1, 4.2, 4.1, 4.2}, Changes: []int{4}},
	{Target: "nginx", Values: []float64{6.6, 6.6, 6.7, 6.6, 6.5, 6.6, 6.6}, Lo: []float64{6, 6, 6, 6, 6, 6, 6}, Hi: []float64{7, 7, 7, 7, 7, 7, 7}},
}}, {Machine: "elsewhere", Scenario: "h1-static", Metric: "requests/s"}}

func TestTwoRunsBesideEachOther(t *testing.T) {
	all := fixture(t)
	for _, s := range fixture(t) {
		r := *s.Result
		r.Run.ID, r.Run.Revision, r.Run.Started = "later", "def", r.Run.Started.Add(time.Hour)
		r.Samples = append([]result.Sample(nil), r.Samples...)
		for i, sm := range r.Samples {
			if sm.Load != nil && sm.Target == "blitz" {
				l := *sm.Load
				l.ServerCPUMicros *= 2
				r.Samples[i].Load = &l
			}
		}
		all = append(all, result.Stored{Dir: s.Dir, Rel: s.Rel, Result: &r})
	}
	tab, err := Between(all, "20260301T120000Z", "later")
	require.NoError(t, err)
	text := tab.Text()
	assert.Regexp(t, `h1-static +blitz +CPU µs/request .* 2\.00 \[2\.00, 2\.00\]`, text)
	assert.Regexp(t, `h1-static +nginx +CPU µs/request .* ~ 1\.00`, text)
	assert.Regexp(t, `cold-start +blitz +cold start, ms`, text)
	assert.Contains(t, text, "Different: revision, abc and def.")
	assert.Contains(t, text, "not interleaved")
	_, err = Between(all, "20260301T120000Z", "never")
	assert.ErrorContains(t, err, "there is no run")
}

// No figure of a table is without its interval, or its bound where nothing or everything was seen: several samples or sections always come with one.
func TestFiguresHaveTheirIntervals(t *testing.T) {
	for _, s := range fixture(t) {
		for _, tab := range Tables(s.Result) {
			for _, row := range tab.Rows {
				for i, cell := range row {
					switch tab.Head[i] {
					case "target", "errors", "fastest to slowest", "loads", "lowest that failed", "requests/s offered":
						continue // names, counts, and what was asked for
					}
					if cell != "1" && cell != "–" && cell != "not told" {
						assert.Regexp(t, `\[|\([<>] `, cell, "%s, %s: %s of %s", s.Scenario.Name, tab.Caption, tab.Head[i], row[0])
					}
				}
			}
		}
	}
}
