package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/floor"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/programs"
)

func TestScriptOfTroubles(t *testing.T) {
	const length = 2 * time.Minute
	a := script(7, length, true)
	assert.Equal(t, a, script(7, length, true), "a seed is a script")
	assert.NotEqual(t, a, script(8, length, true))
	count := map[string]int{}
	last := 0.0
	for _, tr := range a {
		count[tr.Kind]++
		assert.GreaterOrEqual(t, tr.AtSeconds-last, 0.5, "one at a time")
		last = tr.AtSeconds + tr.Seconds
		if tr.Kind == cutOff {
			assert.Equal(t, chaosEndpoints-1, tr.Endpoint)
		}
	}
	assert.LessOrEqual(t, last, length.Seconds())
	assert.Len(t, count, 6)
	for k, n := range count {
		assert.InDelta(t, len(a)/6, n, 1, k)
	}
	for _, tr := range script(7, length, false) {
		assert.NotEqual(t, cutOff, tr.Kind)
	}
}

// The real programs, for two seconds: killed and slow endpoints are looked after, and the result is one that a reader believes.
func TestChaosOfRealProcesses(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, programs.Build(bin, "blitz", "blitzload"))
	set := proc.NewSet(nil)
	defer func() { require.NoError(t, set.Close()) }()
	gateway := blitz.New("blitz", filepath.Join(bin, "blitz"))
	located, err := gateway.Locate(context.Background())
	require.NoError(t, err)
	l, err := New(Config{
		Set: set, Blitzload: filepath.Join(bin, "blitzload"), Scratch: t.TempDir(), Seed: 3, OpenFiles: 4096, Progress: func(s string) { t.Log(s) },
		Machine: machine.Spec{Roles: machine.Roles{Server: []int{0}, Load: []int{0}, Origin: []int{0}}},
		Targets: []Located{{Target: gateway, Binary: located}, {Target: floor.New("")}},
		Profile: Profile{Name: "test", Pairs: 1, Warmup: 100 * time.Millisecond, Chaos: 2500 * time.Millisecond},
	})
	require.NoError(t, err)
	s, err := Select([]string{"chaos"}, false)
	require.NoError(t, err)
	s[0].rates = []float64{100}
	o, err := l.Run(context.Background(), s[0])
	require.NoError(t, err)
	require.Len(t, o.Result.Scenario.Unsupported, 1)
	sm := o.Result.Samples[len(o.Result.Samples)-1]
	require.Equal(t, result.ChaosPhase, sm.Phase)
	v := sm.Chaos
	require.NotEmpty(t, v.Troubles)
	assert.Greater(t, v.Requests, int64(100))
	assert.Greater(t, v.Success(), 0.9)
	require.NotNil(t, v.Retries)
	assert.Greater(t, v.Dead.Requests, int64(50))
	assert.Zero(t, v.Dead.Failed, "after detection no client sees an error: %v", v.Dead.Errors)
	require.Len(t, v.Sections, sectionCount)
	require.Len(t, v.DeadSections, sectionCount)
	for i, x := range v.Sections {
		assert.Positive(t, x.Requests, i)
		assert.NotNil(t, x.Retries, i)
		assert.InDelta(t, 2.5/sectionCount, x.Seconds, 0.01)
		// Not a measured time but what was agreed: the warm-up of each begins when the window before it ends, by the clock of the troubles.
		assert.InDelta(t, float64(i)*(0.1+2.5/sectionCount), x.AtSeconds, 0.01, "section %d", i)
	}
	last := v.Sections[sectionCount-1]
	for _, tr := range v.Troubles {
		assert.LessOrEqual(t, tr.AtSeconds+tr.Seconds, last.AtSeconds+last.Seconds+0.01)
	}
	require.Len(t, o.Result.Groups, 1)
	g := o.Result.Groups[0]
	assert.Equal(t, 1, g.Samples)
	z, err := gzip.NewReader(bytes.NewReader(o.Logs[g.Log]))
	require.NoError(t, err)
	ivs, err := hdr.ReadLog(z)
	require.NoError(t, err)
	require.Len(t, ivs, sectionCount, "the log has every section")
	for i, iv := range ivs {
		assert.Equal(t, v.Sections[i].Response.P99, iv.Summary().P99, i)
	}
	assert.Equal(t, g.Response.P99, v.Response.P99)
	o.Result.Run.ID, o.Result.Machine.Name = "x", "x"
	for i := range o.Result.Groups {
		o.Result.Groups[i].SHA256 = "x"
	}
	_, err = result.Encode(o.Result)
	require.NoError(t, err)
}
