package run

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// good is an open run at 1000/s over 10 s that met its plan.
func good() *runfmt.Record {
	r := &runfmt.Record{
		Params:          runfmt.Params{Mode: runfmt.Open, OfferedRate: 1000, DurationSeconds: 10, WarmupSeconds: 1},
		MeasuredSeconds: 10,
		Counts:          runfmt.Counts{Requests: 10_000, Completed: 10_000, InWindow: 10_000},
	}
	r.Latency.Service.P50 = int64(20 * time.Millisecond)
	r.Cost.Lateness.P99 = int64(100 * time.Microsecond)
	return r
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*runfmt.Record)
		reason  string
		warning string
	}{
		{"good", func(*runfmt.Record) {}, "", ""},
		{"the answers still out at the end are not missed", func(r *runfmt.Record) {
			r.Params.WarmupSeconds, r.Latency.Service.P50, r.Counts.InWindow = 0, int64(500*time.Millisecond), 9_500
		}, "", ""},
		{"server slow", func(r *runfmt.Record) { r.Counts.InWindow, r.Cost.MaxBacklog = 9_800, 77 },
			"achieved 98.0 % of the offered rate, below 99 %: the server, or 8 connections to it, did not keep up (at most 77 requests", ""},
		{"generator late", func(r *runfmt.Record) { r.Cost.Lateness.P99 = int64(2 * time.Millisecond) }, "the generator itself was late", ""},
		{"generator late and therefore short", func(r *runfmt.Record) {
			r.Cost.Lateness.P99, r.Counts.InWindow = int64(time.Second), 5_000
		}, "below 99 %: the generator was late", ""},
		{"interrupted", func(r *runfmt.Record) { r.Interrupted, r.MeasuredSeconds = true, 4 }, "interrupted after 4.0 s of 10.0 s", ""},
		{"some errors", func(r *runfmt.Record) { r.Errors.Status = 100 }, "", "100 of 10000 requests had an error"},
		{"many errors", func(r *runfmt.Record) { r.Errors.Status = 101 }, "101 of 10000 requests had an error", ""},
		{"nothing", func(r *runfmt.Record) { r.Counts.Completed, r.Counts.InWindow = 0, 0 }, "not a single request", ""},
		{"lost requests", func(r *runfmt.Record) { r.Counts.Completed = 9_990 }, "", "percentiles above 99.900 are lower bounds"},
		{"no CPU", func(r *runfmt.Record) { r.Cost.CPUWaitSeconds = 1 }, "", "waited for a CPU 10 % of the time"},
		{"no CPU and therefore short", func(r *runfmt.Record) { r.Cost.CPUWaitSeconds, r.Counts.InWindow = 1, 5_000 },
			"below 99 %: the generator did not get its CPU", "waited for a CPU"},
		{"failed connects", func(r *runfmt.Record) { r.Connections.Failed = 3 }, "", "3 connection(s) could not be opened"},
		{"full CPU", func(r *runfmt.Record) { r.Cost.CPUUserSeconds = 9.9 }, "", "the generator used 99 % of its 1 thread(s)"},
		{"closed loop has no offered rate", func(r *runfmt.Record) {
			r.Params.Mode, r.Params.OfferedRate, r.Counts.InWindow, r.Cost.Lateness.P99 = runfmt.Closed, 0, 10, 0
		}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.edit(r)
			v := judge(r, &Options{Connections: 8, Threads: 1, MaxLateness: time.Millisecond})
			require.Equal(t, tt.reason == "", v.Valid, v.Reasons)
			require.Contains(t, strings.Join(v.Reasons, "\n"), tt.reason)
			require.Contains(t, strings.Join(v.Warnings, "\n"), tt.warning)
			if tt.warning == "" && v.Valid {
				require.Empty(t, v.Warnings)
			}
		})
	}
}

func TestShareIsFair(t *testing.T) {
	for _, n := range []int{1, 7, 64, 65} {
		for parts := 1; parts <= n; parts++ {
			sum := 0
			for i := range parts {
				s := share(n, i, parts)
				require.Contains(t, []int{n / parts, n/parts + 1}, s)
				sum += s
			}
			require.Equal(t, n, sum)
		}
	}
}

func TestContradictoryOptions(t *testing.T) {
	w := newWorkload(t, "http://127.0.0.1:1/")
	for name, o := range map[string]Options{
		"no rate":               {Workload: w, Connections: 1, Duration: 1},
		"rate in a closed loop": {Workload: w, Connections: 1, Duration: 1, Rate: 1, Closed: true},
		"no connections":        {Workload: w, Rate: 1, Duration: 1},
		"no duration":           {Workload: w, Rate: 1, Connections: 1},
		"idle threads":          {Workload: w, Rate: 1, Connections: 1, Duration: 1, Threads: 2},
		"nothing to send":       {Rate: 1, Connections: 1, Duration: 1},
		"unknown engine":        {Workload: w, Rate: 1, Connections: 1, Duration: 1, Engine: "steam"},
		"absurd rate":           {Workload: w, Rate: 1e12, Connections: 1, Duration: 1},
	} {
		_, err := Run(t.Context(), o)
		require.Error(t, err, name)
	}
}
