package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

func reloadResult() *result.Result {
	return base("reload-10", "Reloads under load, 10 routes", func(r *result.Result) {
		r.Scenario.Rates, r.Scenario.RateSeconds, r.Scenario.SaturationSeconds = []float64{20000}, 6, 0
		for i, s := range speeds {
			h := hdr.New()
			for n := range 100 - 30*i {
				h.Record(int64((3 + 10*i) * (1000000 + 1000*n)))
			}
			served := func(failed int64, p99 int64) result.Served {
				sv := result.Served{Requests: 100000, Failed: failed, Response: hdr.Summary{Count: 100000, P99: p99}}
				sv.Errors.Reset = failed
				return sv
			}
			v := &result.Reload{
				Routes: 10, Asked: 100, Done: 100 - 30*i, PeriodSeconds: 0.06, Kept: served(int64(7*i), 900000), Closed: served(0, 1200000), QuietKept: served(0, 500000), QuietClosed: served(0, 800000),
				Probes: 900, ProbesFailed: i, WebSockets: 32, WebSocketsClosed: i, Seen: h.Summary(), ServerCPUSeconds: 3.3, Seconds: 6.6, QuietCPUSeconds: 2, QuietSeconds: 4, ToldAgain: i, Processes: 1 + i,
			}
			sm := result.Sample{Target: s.name, Phase: result.Reloading, Rate: 20000, Started: start, Reload: v}
			if i == 2 {
				sm.Rate, sm.Warnings = 10000, []string{"10000 requests/s were offered"}
				v.Lost, v.Reasons = 1, []string{"marker-7 was not seen"}
			}
			r.Samples = append(r.Samples, sm)
		}
	})
}

func TestReloadTables(t *testing.T) {
	r := reloadResult()
	require.NoError(t, r.Check())
	text := Text(r)
	for _, want := range []string{
		"What clients saw", "Reloads in 6 s", "nginx managed 70 reloads: one in 60 ms", "haproxy lost reloads, the first: marker-7 was not seen.", "10,000 ¶", "¶ the highest rate",
		"haproxy: 10000 requests/s were offered.", "nginx was told again 1 times", "nginx: 1 of 900 connections that asked for the marker had no answer.",
	} {
		assert.Contains(t, text, want)
	}
	assert.Regexp(t, `blitz +20,000 +0 of 200,000 +0 +0 of 200,000 +0 of 32 +900 µs +500 µs +1\.20 ms +800 µs`, text)
	assert.Regexp(t, `nginx +20,000 +7 of 200,000 +7 +0 of 200,000 +1 of 32`, text)
	assert.Regexp(t, `blitz +100 of 100 +0 +3\.\d\d ms .* 50 % +50 % +1 `, text)
	ps, err := plots(result.Stored{Result: r})
	require.NoError(t, err)
	assert.Len(t, ps, 3)

	r.Samples[1].Invalid = []string{"no request was due"}
	text = Text(r)
	assert.Contains(t, text, "nginx: an invalid sample is left out because no request was due.")
	assert.NotRegexp(t, `nginx +20,000`, text)
	r.Samples[0].Reload = nil
	assert.ErrorContains(t, r.Check(), "not those of its phase")
}

// The ratio of everything on to the bare form is paired by rounds and stands beside the table of saturation.
func TestTableOfEverythingOn(t *testing.T) {
	logs := map[string][]byte{}
	r := base("h1-proxy-full", "HTTP/1.1, with everything on", func(r *result.Result) { addLoad(t, r, logs) })
	assert.NotContains(t, Text(r), "With everything on, in relation")
	for i := range r.Targets {
		if r.Targets[i].Name == "haproxy" {
			r.Targets[i].Name = "blitz-full"
		}
	}
	for i := range r.Samples {
		if r.Samples[i].Target == "haproxy" {
			r.Samples[i].Target = "blitz-full"
		}
	}
	text := Text(r)
	assert.Contains(t, text, "With everything on, in relation to the bare form")
	assert.Regexp(t, `blitz-full +0\.5\d \[0\.5\d, 0\.\d\d\] +1\.78 \[1\.78, 1\.78\]`, text)
}

func TestLongConfigurationsAreShortened(t *testing.T) {
	long := strings.Repeat("route\n", 10000)
	assert.Less(t, len(shortened(long)), 2000)
	assert.Contains(t, shortened(long), "lines of the same kind")
	assert.Equal(t, "a\nb", shortened("a\nb"))
}
