package runfmt

import (
	"fmt"
	"time"
)

const (
	// minAchieved is the share of the offered rate below which an open run is invalid.
	minAchieved = 0.99
	// maxErrors is the share of requests with errors above which any run is invalid: what it measured was the errors.
	maxErrors = 0.01
	// fullCPU is the share of its threads' time above which the generator may have been the bottleneck.
	fullCPU = 0.95
	// maxWait is the share of its threads' time that the generator may wait for a CPU without a word.
	maxWait = 0.05
)

// Judge decides whether a run may be believed, whatever its Validity says already. maxLateness is how late the generator itself may have been at the 99th
// percentile. Every rule says what was seen and what was allowed.
func Judge(r *Record, maxLateness time.Duration) Validity {
	v := Validity{Reasons: []string{}}
	no := func(format string, args ...any) { v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...)) }
	warn := func(format string, args ...any) { v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...)) }
	c := r.Counts

	if r.Interrupted {
		no("interrupted after %.1f s of %.1f s", r.MeasuredSeconds, r.Params.DurationSeconds)
	}
	if c.Completed == 0 {
		no("not a single request was completed")
	}
	if n := r.Errors.Total(); float64(n) > maxErrors*float64(c.Requests) {
		no("%d of %d requests had an error, more than %g %%", n, c.Requests, maxErrors*100)
	} else if n > 0 {
		warn("%d of %d requests had an error", n, c.Requests)
	}
	waited := r.Cost.CPUWaitSeconds / r.MeasuredSeconds / float64(r.Params.Threads)
	if waited > maxWait {
		warn("the generator was ready to run and waited for a CPU %.0f %% of the time: something else runs there, and latencies include the waiting", 100*waited)
	}
	late := false
	if l := time.Duration(r.Cost.Lateness.P99); r.Params.Mode == Open && l > maxLateness {
		late = true
		no("the generator itself was late: it sent one request in a hundred %v or more after it could have, allowed are %v", l.Round(time.Microsecond), maxLateness)
	}
	if r.Params.Mode == Open && !r.Interrupted {
		if got := answered(r); got < minAchieved*float64(c.Requests) {
			why := fmt.Sprintf("the server, or %d connections to it, did not keep up (at most %d requests waited for a free connection)", r.Params.Connections, r.Cost.MaxBacklog)
			switch {
			case late:
				why = "the generator was late"
			case waited > maxWait:
				why = "the generator did not get its CPU"
			}
			no("achieved %.1f %% of the offered rate, below %g %%: %s", 100*got/float64(c.Requests), minAchieved*100, why)
		}
	}
	if lost := c.Requests - c.Completed; lost > 0 && c.Completed > 0 {
		warn("%d of %d requests never got a response and are not in the latencies: percentiles above %.3f are lower bounds", lost, c.Requests, 100*float64(c.Completed)/float64(c.Requests))
	}
	if n := r.Connections.Failed; n > 0 {
		warn("%d connection(s) could not be opened", n)
	}
	if used := (r.Cost.CPUUserSeconds + r.Cost.CPUSystemSeconds) / r.MeasuredSeconds / float64(r.Params.Threads); used > fullCPU {
		warn("the generator used %.0f %% of its %d thread(s): the server may be faster than this", 100*used, r.Params.Threads)
	}
	v.Valid = len(v.Reasons) == 0
	return v
}

// answered is how many responses the window would have seen in a steady state. A request that is sent just before the end is
// answered after it; with a warm-up the first answers of the window make up for that, without one there are none.
func answered(r *Record) float64 {
	rate := float64(r.Counts.Requests) / r.MeasuredSeconds
	fill := float64(r.Latency.Service.P50)/1e9 - r.Params.WarmupSeconds
	return float64(r.Counts.InWindow) + rate*max(fill, 0)
}
