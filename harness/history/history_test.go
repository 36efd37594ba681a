package history

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// night is one run of one scenario: three samples at saturation, one at a rate, one that is not valid.
func night(day int, cpu float64) *result.Result {
	r := &result.Result{Run: result.Run{ID: fmt.Sprintf("day-%02d", day), Started: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC), Revision: fmt.Sprintf("r%d", day)}}
	r.Machine.Name, r.Scenario.Name = "vm", "h1-static"
	for i := range 3 {
		v := cpu * (1 + 0.001*float64((day*7+i*3)%5-2))
		r.Samples = append(r.Samples, result.Sample{Target: "blitz", Phase: result.Saturation, Load: &result.Load{RPS: 1e6 / v, ServerCPUMicros: v}})
	}
	l := &result.Load{}
	l.Response.P99, l.Response.P999 = 500_000, 900_000
	return &result.Result{Run: r.Run, Machine: r.Machine, Scenario: r.Scenario, Samples: append(r.Samples,
		result.Sample{Target: "blitz", Phase: result.FixedRate, Rate: 20000, Load: l},
		result.Sample{Target: "blitz", Phase: result.Saturation, Invalid: []string{"late"}, Load: &result.Load{RPS: 1, ServerCPUMicros: 1e6}})}
}

func TestAChangeInTheHistoryIsFound(t *testing.T) {
	var rs []*result.Result
	for day := 20; day >= 1; day-- { // the order of reading does not matter
		cpu := 4.0
		if day > 12 {
			cpu = 4.4
		}
		rs = append(rs, night(day, cpu))
	}
	forced := night(21, 40)
	forced.Run.Forced = true
	all := All(append(rs, forced))
	require.Len(t, all, 4)
	require.NoError(t, Detect(all, stat.EDivisive{}))
	for _, s := range all {
		require.Len(t, s.Points, 20, s.Metric)
		switch s.Metric {
		case "CPU per request, µs":
			require.Len(t, s.Changes, 1)
			assert.Equal(t, "day-13", s.Points[s.Changes[0].Index].Run)
			assert.InDelta(t, 4.0, s.Changes[0].Before, 0.01)
			assert.InDelta(t, 4.4, s.Changes[0].After, 0.01)
		case "requests/s":
			assert.Len(t, s.Changes, 1)
		default:
			assert.Empty(t, s.Changes, "a constant has no change: %s", s.Metric)
		}
	}
	text := Table(all).Text()
	assert.Contains(t, text, "2 change points in 4 series of up to 20 runs")
	assert.Contains(t, text, "+10.0 %")
	assert.Contains(t, text, "r13")
}

// on puts a run on a host with a CPU of a generation.
func on(r *result.Result, c machine.CPU) *result.Result {
	r.Machine.Fingerprint.CPU = c
	return r
}

// A VM that is moved to a slower CPU has not regressed, however large the step: nothing is found between hosts, and what there is on one of them is found,
// even if the machine was elsewhere in between.
func TestAChangeOfHostIsNoChangePoint(t *testing.T) {
	zen5 := machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2, Stepping: 1}
	zen3 := machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1}
	cpuTime := func(rs []*result.Result) (Series, string) {
		all := All(rs)
		require.NoError(t, Detect(all, stat.EDivisive{}))
		i := slices.IndexFunc(all, func(s Series) bool { return s.Metric == "CPU per request, µs" })
		require.GreaterOrEqual(t, i, 0)
		return all[i], Table(all).Text()
	}
	var moved, unknown, back []*result.Result
	for day := 1; day <= 20; day++ {
		cpu, host := 4.0, zen5
		if day > 10 {
			cpu, host = 7.0, zen3
		}
		moved = append(moved, on(night(day, cpu), host))
		unknown = append(unknown, night(day, cpu))
		// Every other night on the slow host; on the fast one a change of a tenth with day 11.
		cpu, host = 7.0, zen3
		if day%2 == 1 {
			cpu, host = 4.0, zen5
			if day >= 11 {
				cpu = 4.4
			}
		}
		back = append(back, on(night(day, cpu), host))
	}
	s, text := cpuTime(moved)
	require.Len(t, s.Points, 20)
	assert.Empty(t, s.Changes)
	assert.Contains(t, text, "vm: run day-11 was on another host (2, CPU AMD Zen 3 (family 25, model 1, stepping 1)) than day-10 before it (1, CPU AMD Zen 5 (family 26, model 2, stepping 1)).")

	s, text = cpuTime(unknown)
	require.Len(t, s.Changes, 1, "without a CPU nothing says that it was the host")
	assert.Equal(t, "day-11", s.Points[s.Changes[0].Index].Run)
	assert.NotContains(t, text, "another host")

	s, _ = cpuTime(back)
	require.Len(t, s.Changes, 1)
	assert.Equal(t, "day-11", s.Points[s.Changes[0].Index].Run)
	assert.InDelta(t, 4.0, s.Changes[0].Before, 0.01)
	assert.InDelta(t, 4.4, s.Changes[0].After, 0.01)
	assert.Equal(t, []int{1, 2, 1}, Trends([]Series{s})[0].Lines[0].Hosts[:3])

	_, text = cpuTime(moved[6:14])
	assert.Contains(t, text, "at least 6 runs", "four on each host")
}

func TestAShortHistorySaysSo(t *testing.T) {
	assert.Empty(t, All([]*result.Result{night(1, 4)}), "one run is no history")
	all := All([]*result.Result{night(1, 4), night(2, 4)})
	require.NoError(t, Detect(all, stat.EDivisive{}))
	assert.Contains(t, Table(all).Text(), "at least 6 runs")
}
