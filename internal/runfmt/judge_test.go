package runfmt

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// good is an open run at 1000/s over 10 s that met its plan.
func good() *Record {
	r := &Record{
		Params:          Params{Mode: Open, OfferedRate: 1000, DurationSeconds: 10, WarmupSeconds: 1, Connections: 8, Threads: 1},
		MeasuredSeconds: 10,
		Counts:          Counts{Requests: 10_000, Completed: 10_000, InWindow: 10_000},
	}
	r.Latency.Service.P50 = int64(20 * time.Millisecond)
	r.Cost.Lateness.P99 = int64(100 * time.Microsecond)
	return r
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*Record)
		reason  string
		warning string
	}{
		{"good", func(*Record) {}, "", ""},
		{"the answers still out at the end are not missed", func(r *Record) {
			r.Params.WarmupSeconds, r.Latency.Service.P50, r.Counts.InWindow = 0, int64(500*time.Millisecond), 9_500
		}, "", ""},
		{"server slow", func(r *Record) { r.Counts.InWindow, r.Cost.MaxBacklog = 9_800, 77 },
			"achieved 98.0 % of the offered rate, below 99 %: the server, or 8 connections to it, did not keep up (at most 77 requests", ""},
		{"generator late", func(r *Record) { r.Cost.Lateness.P99 = int64(2 * time.Millisecond) }, "the generator itself was late", ""},
		{"generator late and therefore short", func(r *Record) {
			r.Cost.Lateness.P99, r.Counts.InWindow = int64(time.Second), 5_000
		}, "below 99 %: the generator was late", ""},
		{"interrupted", func(r *Record) { r.Interrupted, r.MeasuredSeconds = true, 4 }, "interrupted after 4.0 s of 10.0 s", ""},
		{"some errors", func(r *Record) { r.Errors.Status = 100 }, "", "100 of 10000 requests had an error"},
		{"many errors", func(r *Record) { r.Errors.Status = 101 }, "101 of 10000 requests had an error", ""},
		{"nothing", func(r *Record) { r.Counts.Completed, r.Counts.InWindow = 0, 0 }, "not a single request", ""},
		{"lost requests", func(r *Record) { r.Counts.Completed = 9_990 }, "", "percentiles above 99.900 are lower bounds"},
		{"no CPU", func(r *Record) { r.Cost.CPUWaitSeconds = 1 }, "", "waited for a CPU 10 % of the time"},
		{"no CPU and therefore short", func(r *Record) { r.Cost.CPUWaitSeconds, r.Counts.InWindow = 1, 5_000 },
			"below 99 %: the generator did not get its CPU", "waited for a CPU"},
		{"failed connects", func(r *Record) { r.Connections.Failed = 3 }, "", "3 connection(s) could not be opened"},
		{"full CPU", func(r *Record) { r.Cost.CPUUserSeconds = 9.9 }, "", "the generator used 99 % of its 1 thread(s)"},
		{"closed loop has no offered rate", func(r *Record) {
			r.Params.Mode, r.Params.OfferedRate, r.Counts.InWindow, r.Cost.Lateness.P99 = Closed, 0, 10, 0
		}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good()
			tt.edit(r)
			v := Judge(r, time.Millisecond)
			require.Equal(t, tt.reason == "", v.Valid, v.Reasons)
			require.Contains(t, strings.Join(v.Reasons, "\n"), tt.reason)
			require.Contains(t, strings.Join(v.Warnings, "\n"), tt.warning)
			if tt.warning == "" && v.Valid {
				require.Empty(t, v.Warnings)
			}
		})
	}
}
