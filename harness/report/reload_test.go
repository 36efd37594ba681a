package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// reloadResult is of a version that kept sections apart, or of one before.
func reloadResult(sections int) *result.Result {
	return base("reload-10", "Reloads under load, 10 routes", func(r *result.Result) {
		r.Scenario.Rates, r.Scenario.RateSeconds, r.Scenario.SaturationSeconds = []float64{20000}, 6, 0
		for i, s := range speeds {
			sum := &reloadSum{v: &result.Reload{Routes: 10, PeriodSeconds: 0.06, Probes: 900, ProbesFailed: i, WebSockets: 32, WebSocketsClosed: i, ToldAgain: i}}
			for k := range 6 {
				sum.pair(k, i)
			}
			v := sum.v
			if v.Sections = v.Sections[:2*sections]; sections == 0 {
				v.Sections = nil
			}
			sm := result.Sample{Target: s.name, Phase: result.Reloading, Rate: 20000, Started: start, Reload: v}
			if i == 2 {
				sm.Rate, sm.Warnings, v.Reasons = 10000, []string{"10000 requests/s were offered"}, []string{"marker-7 was not seen"}
			}
			r.Samples = append(r.Samples, sm)
		}
	})
}

// reloadSum adds up sections as the laboratory does.
type reloadSum struct {
	v    *result.Reload
	hs   [4]*hdr.Histogram // of the response times in v.Kept, v.Closed, v.QuietKept, v.QuietClosed
	seen *hdr.Histogram
}

// pair k of target i. Its first section has reloads if k is even.
func (m *reloadSum) pair(k, i int) {
	v := m.v
	if m.seen == nil {
		m.seen = hdr.New()
		for j := range m.hs {
			m.hs[j] = hdr.New()
		}
	}
	part := func(j int, s *result.Served, failed, ms int64) result.Part {
		h := hdr.New()
		h.RecordN(ms*100000, 980)
		h.RecordN(ms*1000000+int64(k)*10000, 20-failed)
		m.hs[j].Merge(h)
		s.Requests, s.Failed, s.Errors.Reset, s.Response = s.Requests+1000, s.Failed+failed, s.Errors.Reset+failed, m.hs[j].Summary()
		return result.Part{Requests: 1000, Failed: failed, Reset: failed, Response: h.Summary()}
	}
	seen := hdr.New()
	done := 16 - 5*i
	for n := range done {
		seen.Record(int64((3 + 10*i) * (1000000 + 1000*n + 20000*k)))
	}
	m.seen.Merge(seen)
	busy := result.ReloadSection{Reloads: true, Seconds: 1.1, ServerCPUSeconds: 0.55 + 0.011*float64(k), Asked: 16, Done: done, Lost: i / 2, Seen: seen.Summary(), Processes: 1 + i, PSS: int64(20+k) << 20,
		Kept: part(0, &v.Kept, int64(i*(k%3)), 9), Closed: part(1, &v.Closed, 0, 12)}
	quiet := result.ReloadSection{Seconds: 0.6, ServerCPUSeconds: 0.3, Kept: part(2, &v.QuietKept, 0, 5), Closed: part(3, &v.QuietClosed, 0, 12)}
	v.Seconds, v.ServerCPUSeconds, v.QuietSeconds, v.QuietCPUSeconds = v.Seconds+1.1, v.ServerCPUSeconds+busy.ServerCPUSeconds, v.QuietSeconds+0.6, v.QuietCPUSeconds+0.3
	v.Asked, v.Done, v.Lost, v.Seen, v.Processes, v.PSS = v.Asked+16, v.Done+done, v.Lost+busy.Lost, m.seen.Summary(), busy.Processes, busy.PSS
	two := []result.ReloadSection{busy, quiet}
	v.Sections = append(v.Sections, two[k%2], two[1-k%2])
}

func TestReloadTables(t *testing.T) {
	r := reloadResult(6)
	require.NoError(t, r.Check())
	text := Text(r)
	for _, want := range []string{
		"What clients lost", "Reloads in 6 s", "nginx managed 66 reloads: one in 60 ms", "haproxy lost reloads, the first: marker-7 was not seen.", "10,000 ¶", "¶ the highest rate",
		"haproxy: 10000 requests/s were offered.", "nginx was told again 1 times", "nginx: 1 of 900 connections that asked for the marker had no answer.",
		"[ ]: the interval over 6 sections (97 %), widened to the figure of all of them together",
	} {
		assert.Contains(t, text, want)
	}
	// No failure: the exact bound 1-0.025^(1/12000), rounded up. Some: the share and the range of the sections' shares.
	assert.Regexp(t, `blitz +20,000 +0 of 12,000 \(< 0\.031 %\) +0 of 12,000 \(< 0\.031 %\) +0 of 12,000 \(< 0\.031 %\) +0 of 32 \(< 11 %\)`, text)
	assert.Regexp(t, `nginx +20,000 +6 of 12,000 \(0\.050 \[0, 0\.10\] %\) +6 of 12,000 \(0\.050 \[0, 0\.10\] %\) +0 of 12,000 \(< 0\.031 %\) +1 of 32 \(3\.1 \[0\.079, 16\] %\)`, text)
	assert.Regexp(t, `blitz +9\.0\d \[9\.0\d, 9\.0\d\] ms +5\.0\d \[5\.0\d, 5\.0\d\] ms +1\.80 \[1\.79, 1\.80\] +12\.0 \[12\.0, 12\.1\] ms +12\.0 \[12\.0, 12\.1\] ms +~ 1\.00 \[1\.00, 1\.00\]`, text)
	assert.Regexp(t, `blitz +96 of 96 \(> 96\.\d %\) +0 of 96 \(< 3\.8 %\) +3\.\d\d \[3\.\d\d, 3\.\d\d\] ms .* 5\d \[50, 55\] % +50 \[50, 50\] % +1 \[1, 1\] +25\.0 \[20\.0, 25\.0\] MiB`, text)
	assert.Regexp(t, `nginx +66 of 96 \(69 \[69, 69\] %\) +0 of 66`, text)
	assert.Regexp(t, `haproxy +36 of 96 \(3\d \[3\d, 3\d\] %\) +6 of 42 \(14 \[14, 14\] %\)`, text)
	assert.Contains(t, loadText(r), "6 sections with reloads, 6 s together, and 6 without")
	ps, err := plots(result.Stored{Result: r})
	require.NoError(t, err)
	assert.Len(t, ps, 3)

	// A section without a reload that came into force has no time of one, and not the time zero.
	v := r.Samples[0].Reload
	v.Sections[0].Done, v.Sections[0].Seen = 0, hdr.Summary{}
	assert.Equal(t, 5, spread(series(r, "blitz", result.Reloading, 20000), seenP50).N)

	r.Samples[1].Invalid = []string{"no request was due"}
	text = Text(r)
	assert.Contains(t, text, "nginx: an invalid sample is left out because no request was due.")
	assert.NotRegexp(t, `nginx +20,000`, text)
	r.Samples[0].Reload = nil
	assert.ErrorContains(t, r.Check(), "not those of its phase")
}

// A result from before sections has its figures without intervals, and says so.
func TestReloadTablesWithoutSections(t *testing.T) {
	r := reloadResult(0)
	require.NoError(t, r.Check())
	text := Text(r)
	assert.Contains(t, text, "This run kept no sections apart: each figure is one number without an interval.")
	assert.Regexp(t, `nginx +20,000 +6 of 12,000 \(0\.050 %\) +6 of 12,000 \(0\.050 %\) +0 of 12,000 \(< 0\.031 %\)`, text)
	assert.Regexp(t, `blitz +9\.0\d ms +5\.0\d ms +1\.\d\d \(one pair\) +12\.0 ms +12\.0 ms +1\.00 \(one pair\)`, text)
	assert.Regexp(t, `blitz +96 of 96 \(> 96\.\d %\) .* 52 % +50 % +1 +25\.0 MiB`, text)
	assert.Contains(t, loadText(r), "6 s with reloads and about half as long without")
}

// What blitzlab query answers: each target's figures and the ratios of any two of them, with intervals over the sections.
func TestFiguresOfSections(t *testing.T) {
	r := reloadResult(6)
	found := map[string]Figure{}
	for _, f := range Figures(r) {
		if f.Target == "nginx" {
			found[f.Metric] = f
		}
	}
	p := found["p99 with reloads"]
	assert.Equal(t, 6, p.N)
	assert.Less(t, p.Lo, p.Hi)
	assert.Greater(t, p.Confidence, 0.95)
	assert.InDelta(t, 0.0005, found["share of failed requests"].Median, 1e-9)
	seen := 0
	for _, q := range Ratios(r) {
		if q.Metric == "until the new configuration answers" && q.Target == "nginx" && q.Reference == "blitz" {
			seen++
			assert.InDelta(t, 4.33, q.Estimate, 0.02)
			assert.Equal(t, 6, q.N)
			assert.False(t, q.Short)
		}
		assert.NotEqual(t, "haproxy", q.Target, "another rate was offered to it")
	}
	assert.Equal(t, 1, seen)
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
