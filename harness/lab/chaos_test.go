package lab

import (
	"context"
	"os/exec"
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
	out, err := exec.Command("go", "build", "-o", bin+"/", "github.com/blitz-gateway/blitz/cmd/blitz", "github.com/blitz-gateway/blitz/cmd/blitzload").CombinedOutput()
	require.NoError(t, err, string(out))
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
	o.Result.Run.ID, o.Result.Machine.Name = "x", "x"
	for i := range o.Result.Groups {
		o.Result.Groups[i].SHA256 = "x"
	}
	_, err = result.Encode(o.Result)
	require.NoError(t, err)
}
