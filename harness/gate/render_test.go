package gate

import (
	"encoding/xml"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test ./harness/gate -update")
}

// bad is a gate with every kind of verdict.
func bad(t *testing.T) Outcome {
	w := &world{noise: 0.01, candidate: map[string]float64{CPU: 1.2, Allocs: 1, Memory: 1.3}}
	ws := []Waiver{{Metric: Memory, Scenario: "h1-static", Reason: "a larger cache | on purpose", Expires: "2027-01-31", limit: 0.5},
		{Metric: CPU, Scenario: "*", Reason: "too small a waiver", Expires: "2027-01-31", limit: 0.1}}
	out := simulate(t, w, 3, func(c *Config) { c.Waivers = ws })
	for i := range out.Decisions {
		if d := &out.Decisions[i]; d.Scenario == "h1-proxy-1k" && d.Metric.Key == P999 {
			d.Verdict, d.Reason = Inconclusive, "could be 300.0 % worse, which is above the limit of 60.0 %"
		}
	}
	return out
}

func TestRendering(t *testing.T) {
	out := bad(t)
	require.Equal(t, Regression, out.Verdict)
	golden(t, "gate.txt", out.Text())
	golden(t, "gate.md", out.Markdown())
	b, err := out.JUnit()
	require.NoError(t, err)
	golden(t, "gate.xml", string(b))
}

// Nothing was measured: why is all there is to say.
func TestRenderingOfNothing(t *testing.T) {
	o := Outcome{Verdict: Invalid, Notes: []string{"this machine is not fit to measure on now: load"}}
	assert.Equal(t, "Gate: invalid (0 pairs in 0s)\n  this machine is not fit to measure on now: load\n", o.Text())
	assert.Equal(t, "### Performance gate: invalid\n\nthis machine is not fit to measure on now: load\n", o.Markdown())
}

// The counts of the report are those of its cases, and nothing undecided looks passed.
func TestJUnitAddsUp(t *testing.T) {
	invalid := Outcome{Verdict: Invalid, Took: time.Second, Notes: []string{`"other" processes used <50 %> of the CPUs' time.`}}
	for _, o := range []Outcome{bad(t), invalid} {
		b, err := o.JUnit()
		require.NoError(t, err)
		var back junitSuites
		require.NoError(t, xml.Unmarshal(b, &back))
		require.Len(t, back.Suites, 1)
		s := back.Suites[0]
		failures, errs, skipped := 0, 0, 0
		for _, c := range s.Cases {
			assert.NotEmpty(t, c.Class)
			assert.NotEmpty(t, c.Name)
			if c.Failure != nil {
				failures++
				assert.NotEmpty(t, c.Failure.Message+string(o.Verdict))
			}
			if c.Error != nil {
				errs++
			}
			if c.Skipped != nil {
				skipped++
			}
		}
		assert.Len(t, s.Cases, s.Tests)
		assert.Equal(t, []int{s.Failures, s.Errors, s.Skipped}, []int{failures, errs, skipped})
		assert.Positive(t, failures+errs)
	}
}

func TestWaivers(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	good := "waivers:\n  - {metric: cpu, scenario: h1-static, max_effect: 8%, reason: the new parser checks more, expires: 2026-11-24}\n" +
		"  - {metric: allocs, scenario: \"*\", max_effect: \"0.5\", reason: a cache for the routes, expires: 2027-02-01}\n"
	ws, err := parseWaivers([]byte(good), now)
	require.NoError(t, err)
	require.Len(t, ws, 2)
	assert.InDelta(t, 0.08, ws[0].limit, 1e-12)
	assert.InDelta(t, 0.5, ws[1].limit, 1e-12)
	assert.True(t, ws[1].covers("any", Allocs))
	assert.False(t, ws[0].covers("h1-proxy-1k", CPU))
	none, err := parseWaivers([]byte("waivers: []\n"), now)
	require.NoError(t, err)
	assert.Empty(t, none)

	_, err = parseWaivers([]byte(good), now.AddDate(0, 0, 1))
	require.ErrorContains(t, err, "2: waiver 1: expired on 2026-11-24")
	for want, text := range map[string]string{
		"metric \"speed\"": "{metric: speed, scenario: h2-static, max_effect: 8%, reason: one two three, expires: 2026-12-24}",
		"never hold":       "{metric: cpu, scenario: h1-statik, max_effect: 8%, reason: one two three, expires: 2026-12-24}",
		"scenario is":      "{metric: cpu, max_effect: 8%, reason: one two three, expires: 2026-12-24}",
		"a sentence":       "{metric: cpu, scenario: h2-static, max_effect: 8%, reason: why not, expires: 2026-12-24}",
		"expected percent": "{metric: cpu, scenario: h2-static, max_effect: \"8\", reason: one two three, expires: 2026-12-24}",
		"not in percent":   "{metric: allocs, scenario: h2-static, max_effect: 8%, reason: one two three, expires: 2026-12-24}",
		"positive number":  "{metric: cpu, scenario: h2-static, max_effect: -8%, reason: one two three, expires: 2026-12-24}",
		"a date":           "{metric: cpu, scenario: h2-static, max_effect: 8%, reason: one two three, expires: soon}",
		"for ever":         "{metric: cpu, scenario: h2-static, max_effect: 8%, reason: one two three, expires: 2126-12-24}",
		"unknown field":    "{metric: cpu, scenario: h2-static, max_effect: 8%, reason: one two three, expires: 2026-12-24, by: me}",
	} {
		_, err := parseWaivers([]byte("waivers:\n  - "+text+"\n"), now)
		require.ErrorContains(t, err, want)
		assert.Contains(t, err.Error(), "2:", "the line is told")
	}
	_, err = ReadWaivers(t.TempDir()+"/none.yaml", now)
	require.Error(t, err)
}

func TestProfilesAndMetrics(t *testing.T) {
	p, err := ProfileByName("quick")
	require.NoError(t, err)
	p, err = p.Only([]string{CPU, Allocs})
	require.NoError(t, err)
	assert.Len(t, p.Metrics, 2)
	assert.Zero(t, p.Rate)
	assert.Zero(t, p.Starts)
	_, err = p.Only([]string{P99})
	require.ErrorContains(t, err, "it has cpu, allocs")
	_, err = ProfileByName("slow")
	require.Error(t, err)
	again, err := ProfileByName("quick")
	require.NoError(t, err)
	assert.Len(t, again.Metrics, 7, "a profile is not changed by who uses it")
}

// The file that continuous integration uses is in order today: an expired waiver fails here before it stops the gate.
func TestWaiversInForce(t *testing.T) {
	_, err := ReadWaivers(root+"/.ci/gate-waivers.yaml", time.Now())
	require.NoError(t, err)
}
