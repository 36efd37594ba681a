package report

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

var (
	zen5 = machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2, Stepping: 1, Microcode: "0x1", L3Bytes: 32 << 20}
	zen3 = machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1, Microcode: "0x2", L3Bytes: 16 << 20}
)

// later is the fixture on one CPU, and its scenario h1-static a day later on another one.
func later(t *testing.T, first, second machine.CPU) []result.Stored {
	t.Helper()
	all := fixture(t)
	for _, s := range all {
		s.Machine.Fingerprint.CPU = first
	}
	r := *byName(t, all, "h1-static")
	r.Run.ID, r.Run.Started = "20260302T120000Z", r.Run.Started.Add(24*time.Hour)
	r.Machine.Fingerprint.CPU = second
	for _, s := range all {
		if s.Scenario.Name == "h1-static" {
			return append(all, result.Stored{Dir: s.Dir, Rel: s.Rel, Result: &r})
		}
	}
	return nil
}

// documents are COMPARISON.md and the page.
func documents(t *testing.T, all []result.Stored) (md, page string) {
	t.Helper()
	b, err := Markdown(all)
	require.NoError(t, err)
	p, err := HTML(all, nil)
	require.NoError(t, err)
	return string(b), string(p)
}

func TestScenariosOfDifferentHostsAreToldApart(t *testing.T) {
	const old, now = "CPU AMD Zen 5 (family 26, model 2, stepping 1)", "CPU AMD Zen 3 (family 25, model 1, stepping 1)"
	md, page := documents(t, later(t, zen5, zen3))
	for _, doc := range []string{md, page} {
		assert.Contains(t, doc, "Not all of these scenarios were measured on the same host: host 1 ("+old+") in 20260301T120000Z: ")
		assert.Contains(t, doc, "; host 2 ("+now+") in 20260302T120000Z: h1-static. ")
		assert.Contains(t, doc, "run 20260302T120000Z, profile quick, revision abc, host 2 ("+now+")")
		assert.Contains(t, doc, "run 20260301T120000Z, profile quick, revision abc, host 1 ("+old+")")
	}
	assert.Less(t, strings.Index(md, "Not all of these"), strings.Index(md, "## Method"), "beside the overview")
	assert.Contains(t, page, "<td>host 2 ("+now+")</td>", "in the list of runs")
	assert.Contains(t, page, "Run 20260302T120000Z was not on the same kind of machine as the one before it: CPU was AMD Zen 5 (family 26, model 2, stepping 1), is AMD Zen 3")
	assert.Contains(t, page, "Measured on different hosts: CPU was AMD Zen 5", "beside the two runs")
	assert.Contains(t, page, "Different: microcode, 0x1 and 0x2.")

	// On one host nothing is said but its name; where the CPU is not recorded, nothing at all.
	md, page = documents(t, later(t, zen5, zen5))
	for _, doc := range []string{md, page} {
		assert.Contains(t, doc, "AMD EPYC, 2 CPUs; AMD Zen 5 (family 26, model 2, stepping 1), microcode 0x1, L3 32 MiB")
		assert.Contains(t, doc, "revision abc, "+old)
		assert.NotContains(t, doc, "host 2")
		assert.NotContains(t, doc, "the same kind of machine as")
		assert.NotContains(t, doc, "ifferent hosts: ")
	}
	for _, unknown := range [][2]machine.CPU{{{}, {}}, {{}, zen3}, {zen5, {}}} {
		md, page = documents(t, later(t, unknown[0], unknown[1]))
		for _, doc := range []string{md, page} {
			assert.NotContains(t, doc, "host 2", "no claim")
			assert.NotContains(t, doc, "ifferent hosts: ")
		}
	}
	md, _ = documents(t, later(t, machine.CPU{}, machine.CPU{}))
	assert.Contains(t, md, "| CPU | AMD EPYC, 2 CPUs; family and model not recorded |")
}

// A line of the history ends where the machine was moved.
func TestALineOfTheHistoryEndsWhereTheHostDoes(t *testing.T) {
	l := TrendLine{Target: "blitz", Values: []float64{5, 5.1, 4.9, 7, 5}, Lo: []float64{4, 4, 4, 6, 4}, Hi: []float64{6, 6, 6, 8, 6}}
	assert.Equal(t, [][2]int{{0, 5}}, l.stretches())
	whole, err := trendPlot(Trend{Scenario: "s", Metric: "m", Lines: []TrendLine{l}})
	require.NoError(t, err)
	l.Hosts = []int{1, 1, 1, 2, 1}
	assert.Equal(t, [][2]int{{0, 3}, {3, 4}, {4, 5}}, l.stretches())
	broken, err := trendPlot(Trend{Scenario: "s", Metric: "m", Lines: []TrendLine{l}})
	require.NoError(t, err)
	assert.NotEqual(t, whole, broken)

	v, err := trendsOf("vm", []Trend{{Machine: "vm", Scenario: "s", Metric: "m", Lines: []TrendLine{l}}})
	require.NoError(t, err)
	assert.True(t, v.Broken)
	all := fixture(t)
	page, err := HTML(all, []Trend{{Machine: "vm-2core", Scenario: "h1-static", Metric: "m", Lines: []TrendLine{l}}})
	require.NoError(t, err)
	assert.Contains(t, string(page), "A line ends where the machine was moved")
	page, err = HTML(all, trends)
	require.NoError(t, err)
	assert.NotContains(t, string(page), "A line ends where")
}
