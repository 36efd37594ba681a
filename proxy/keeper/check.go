package keeper

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/health"
)

// check asks an endpoint regularly, on a goroutine of its own.
func (w *ward) check(ctx context.Context, r *record, e *endpoint.Endpoint) {
	ctx, r.cancel = context.WithCancel(ctx)
	h := w.first.Upkeep.Health
	w.done.Go(func() {
		passed, failed := 0, 0
		for first := true; ; first = false {
			err := health.Check(ctx, h, e)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				passed, failed = passed+1, 0
			} else {
				passed, failed = 0, failed+1
			}
			up := err == nil && (first || passed >= h.Healthy)
			down := err != nil && (first || failed >= h.Unhealthy)
			w.post(ctx, func() { w.checked(r, err, up, down) })
			spread := float64(h.Interval) * float64(h.Jitter) / 100
			select {
			case <-ctx.Done():
				return
			case <-time.After(h.Interval + time.Duration(spread*(2*rand.Float64()-1))):
			}
		}
	})
}

// checked takes the result of a check, on the ward's goroutine.
func (w *ward) checked(r *record, err error, up, down bool) {
	w.mu.Lock()
	r.checks++
	r.lastCheck = ""
	if err != nil {
		r.checkFailures++
		r.lastCheck = err.Error()
	}
	w.mu.Unlock()
	now := time.Now()
	switch {
	case up && w.set(r, endpoint.FailsChecks, false, now):
		slog.Info("endpoint is healthy", "cluster", w.first.Name, "endpoint", r.e.Name)
	case down && w.set(r, endpoint.FailsChecks, true, now):
		slog.Warn("endpoint is unhealthy", "cluster", w.first.Name, "endpoint", r.e.Name, "reason", err)
	}
}
