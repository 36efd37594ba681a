package slo

import (
	"context"
	"fmt"
	"time"

	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/run"
)

// minAchieved is the share of the offered rate that must be answered inside the window.
const minAchieved = 0.99

// Loads returns a prober that runs the load generator with these options at each rate. last receives the newest record, for what all have in common.
func Loads(o run.Options, want Objective, last *runfmt.Record) Prober {
	return func(ctx context.Context, rate float64) (runfmt.Probe, error) {
		o := o
		o.Rate = rate
		res, err := run.Run(ctx, o)
		if err != nil {
			return runfmt.Probe{}, err
		}
		r := res.Record
		*last = *r
		if r.Interrupted {
			return runfmt.Probe{}, context.Canceled
		}
		p := runfmt.Probe{
			Rate: rate, Seconds: r.MeasuredSeconds, Achieved: r.AchievedRate, Requests: r.Counts.Requests, Lost: r.Counts.Requests - r.Counts.Completed,
			Errors: r.Errors.Total(), P50: r.Latency.Response.P50, P99: r.Latency.Response.P99, P999: r.Latency.Response.P999, Max: r.Latency.Response.Max,
			Lateness: r.Cost.Lateness.P99,
		}
		p.Why = want.violations(r.Counts, r.Errors, res.Response)
		// The first answers of a window without warm-up are missing at its end: what was answered later is no failure to keep up.
		if slack := rate * time.Duration(r.Latency.Service.P50).Seconds(); r.AchievedRate*r.MeasuredSeconds+slack < minAchieved*float64(r.Counts.Requests) {
			p.Why = append(p.Why, fmt.Sprintf("achieved %.0f/s of %.0f/s", r.AchievedRate, rate))
		}
		if l := time.Duration(r.Cost.Lateness.P99); l > o.MaxLateness {
			p.Generator = true
			p.Why = append(p.Why, fmt.Sprintf("the generator itself was late by %v", l.Round(time.Microsecond)))
		}
		p.Held = len(p.Why) == 0
		return p, nil
	}
}
