package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// tripped looks at an endpoint that a worker reported. Reports come until the endpoint is ejected, and some later, so they are checked again.
func (w *ward) tripped(e *endpoint.Endpoint, now time.Time) {
	o := w.first.Upkeep.Outlier
	r := w.records[e.State]
	if o == nil || r == nil || r.ejected {
		return
	}
	n := e.State.Consecutive()
	switch {
	case o.ConsecutiveConnect > 0 && n.Connect >= o.ConsecutiveConnect:
		w.eject(r, fmt.Sprintf("%d failed connects in a row", n.Connect), now)
	case o.ConsecutiveGateway > 0 && n.Gateway >= o.ConsecutiveGateway:
		w.eject(r, fmt.Sprintf("%d gateway failures in a row", n.Gateway), now)
	case o.ConsecutiveServer > 0 && n.Server >= o.ConsecutiveServer:
		w.eject(r, fmt.Sprintf("%d failures in a row", n.Server), now)
	}
}

// eject takes an endpoint out for a while, if enough others stay.
func (w *ward) eject(r *record, reason string, now time.Time) {
	o := w.first.Upkeep.Outlier
	out := 0
	for _, x := range w.records {
		if x.ejected {
			out++
		}
	}
	r.e.State.Forgive()
	if n := len(w.records); n < 2 || out+1 > max(1, n*o.MaxPercent/100) {
		slog.Warn("endpoint is not ejected: too many are already", "cluster", w.first.Name, "endpoint", r.e.Name, "reason", reason, "ejected", out, "of", n)
		return
	}
	r.inRow++
	length := min(o.BaseEjection*time.Duration(r.inRow), o.MaxEjection)
	w.mu.Lock()
	r.ejected, r.until, r.reason = true, now.Add(length), reason
	r.ejections++
	w.mu.Unlock()
	w.set(r, endpoint.Ejected, true, now)
	slog.Warn("endpoint is ejected", "cluster", w.first.Name, "endpoint", r.e.Name, "reason", reason, "for", length)
}

// release lets endpoints in again whose time is over.
func (w *ward) release(now time.Time) {
	for _, r := range w.records {
		if !r.ejected || now.Before(r.until) {
			continue
		}
		w.mu.Lock()
		r.ejected, r.reason = false, ""
		w.mu.Unlock()
		r.e.State.Forgive()
		w.set(r, endpoint.Ejected, false, now)
		slog.Info("endpoint is let in again", "cluster", w.first.Name, "endpoint", r.e.Name)
	}
}

// compare ejects endpoints whose success rate of the last interval is far below that of the others, and lets the memory of old
// ejections fade.
func (w *ward) compare(ctx context.Context, now time.Time) {
	o := w.first.Upkeep.Outlier
	for _, r := range w.records {
		if r.inRow > 0 && !r.ejected && now.Sub(r.until) > o.Interval {
			r.inRow--
		}
	}
	if o.SuccessRateFactor == 0 || w.opt.Collect == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	seen := w.opt.Collect(ctx)
	var rates []float64
	var who []*record
	for state, r := range w.records {
		r.before, r.now = r.now, seen[state]
		attempts := r.now.Attempts - r.before.Attempts
		failures := r.now.Failures - r.before.Failures
		if r.now.Attempts < r.before.Attempts || attempts < uint64(o.SuccessRateVolume) || r.ejected {
			continue // workers that did not answer in time make the sum smaller
		}
		rates = append(rates, 1-float64(failures)/float64(attempts))
		who = append(who, r)
	}
	if len(rates) < o.SuccessRateHosts {
		return
	}
	bound := outlierBound(rates, float64(o.SuccessRateFactor)/1000)
	for i, r := range who {
		if rates[i] < bound {
			w.eject(r, fmt.Sprintf("success rate %.1f %%, below %.1f %%", 100*rates[i], 100*bound), now)
		}
	}
}

// outlierBound is the mean less factor standard deviations.
func outlierBound(rates []float64, factor float64) float64 {
	mean, squares := 0.0, 0.0
	for _, x := range rates {
		mean += x / float64(len(rates))
	}
	for _, x := range rates {
		squares += (x - mean) * (x - mean) / float64(len(rates))
	}
	return mean - factor*math.Sqrt(squares)
}
