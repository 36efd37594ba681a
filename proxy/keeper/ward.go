package keeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/discovery"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

const (
	// slowStep is how often weights are raised during a slow start.
	slowStep = 100 * time.Millisecond
	// collectTimeout bounds how long workers are asked for what they saw.
	collectTimeout = time.Second
)

// ward is one cluster. All that changes is changed by its goroutine, which others reach through events.
type ward struct {
	first  *cluster.Cluster // as the snapshot holds it
	opt    Options
	events chan func()
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex // guards records and what they hold for readers; the goroutine is the only writer
	records map[*endpoint.State]*record
}

// record is what is known about one endpoint.
type record struct {
	e *endpoint.Endpoint
	// cancel ends the checks.
	cancel context.CancelFunc

	checks, checkFailures uint64
	lastCheck             string // why the last check failed, "" when it passed

	ejections   uint64 // ever
	inRow       int    // n of the next ejection's length
	until       time.Time
	ejected     bool
	reason      string
	before, now Seen // at the last two comparisons of success rates
}

// prime finds the endpoints of c once.
func prime(ctx context.Context, c *cluster.Cluster) {
	ctx, cancel := context.WithTimeout(ctx, primeTimeout)
	defer cancel()
	found, _, err := discovery.New(c.Upkeep.Discovery, c.Upkeep.ParseList).Find(ctx)
	if err != nil {
		slog.Warn("no endpoints found yet", "cluster", c.Name, "error", err)
		return
	}
	c.With(found)
}

// start begins to look after c. old is the stopped ward of the cluster that c replaces, or nil.
func start(c *cluster.Cluster, o Options, old *ward) *ward {
	ctx, cancel := context.WithCancel(context.Background())
	w := &ward{first: c, opt: o, events: make(chan func(), 16), cancel: cancel, records: map[*endpoint.State]*record{}}
	w.adopt(ctx, old)
	if c.Upkeep.Discovery != nil {
		w.done.Go(func() { w.discover(ctx) })
	}
	w.done.Go(func() { w.run(ctx) })
	return w
}

// stop ends the goroutines.
func (w *ward) stop() {
	w.cancel()
	w.done.Wait()
}

// run is the goroutine that decides.
func (w *ward) run(ctx context.Context) {
	u := &w.first.Upkeep
	timer := time.NewTimer(0)
	defer timer.Stop()
	var compare time.Time // success rates, next
	if u.Outlier != nil {
		compare = time.Now().Add(u.Outlier.Interval)
	}
	growing := false
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-w.events:
			f()
		case e := <-w.first.Trips():
			w.tripped(e, time.Now())
		case <-timer.C:
		}
		now := time.Now()
		w.release(now)
		if u.Outlier != nil && !now.Before(compare) {
			w.compare(ctx, now)
			compare = now.Add(u.Outlier.Interval)
		}
		if u.SlowStart > 0 {
			growing = w.first.Latest().Refresh(now)
		}
		timer.Reset(w.pause(now, compare, growing))
	}
}

// pause is how long nothing is to be done.
func (w *ward) pause(now, compare time.Time, growing bool) time.Duration {
	next := time.Hour
	if growing {
		next = slowStep
	}
	if !compare.IsZero() {
		next = min(next, compare.Sub(now))
	}
	for _, r := range w.records {
		if r.ejected {
			next = min(next, r.until.Sub(now))
		}
	}
	return max(next, time.Millisecond)
}

// post runs f on the ward's goroutine.
func (w *ward) post(ctx context.Context, f func()) {
	select {
	case w.events <- f:
	case <-ctx.Done():
	}
}

// adopt makes the records those of the latest generation: new endpoints begin to be checked, checks of those that are gone end.
func (w *ward) adopt(ctx context.Context, old *ward) {
	w.mu.Lock()
	defer w.mu.Unlock()
	latest := w.first.Latest()
	had := w.records
	w.records = make(map[*endpoint.State]*record, len(latest.Endpoints))
	u := &w.first.Upkeep
	for _, e := range latest.Endpoints {
		r := had[e.State]
		if r == nil {
			r = &record{}
			if old != nil && old.records[e.State] != nil {
				*r = *old.records[e.State]
				r.cancel = nil
			}
			if u.Health == nil {
				e.State.SetDown(endpoint.FailsChecks, false)
			}
			if u.Outlier == nil {
				e.State.SetDown(endpoint.Ejected, false)
				r.ejected = false
			}
			r.e = e
			if u.Health != nil {
				w.check(ctx, r, e)
			}
		}
		r.e = e
		delete(had, e.State)
		w.records[e.State] = r
	}
	for _, r := range had {
		if r.cancel != nil {
			r.cancel()
		}
	}
	latest.Refresh(time.Now())
}

// set changes a reason against an endpoint, and publishes what follows.
func (w *ward) set(r *record, reason uint32, on bool, now time.Time) bool {
	was := r.e.State.Healthy()
	if !r.e.State.SetDown(reason, on) {
		return false
	}
	if !was && r.e.State.Healthy() {
		r.e.State.SetSince(now.UnixNano())
	}
	w.first.Latest().Refresh(now)
	return true
}

// discover looks for endpoints until ctx ends.
func (w *ward) discover(ctx context.Context) {
	d := w.first.Upkeep.Discovery
	f := discovery.New(d, w.first.Upkeep.ParseList)
	good, failing, said := time.Now(), false, ""
	for {
		found, next, err := f.Find(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, discovery.ErrUnchanged):
			if !failing {
				good = time.Now()
			}
		case err == nil:
			good = time.Now()
			if failing {
				slog.Info("endpoints are found again", "cluster", w.first.Name)
			}
			failing = false
			w.found(ctx, found)
		default:
			// Whoever mends a file wants to know what is wrong with it now. Errors of the network differ each time.
			if !failing || d.Kind == cluster.DiscoverFile && err.Error() != said {
				slog.Warn("endpoints cannot be found, the last list stays", "cluster", w.first.Name, "error", err)
			}
			failing, said = true, err.Error()
			if d.StaleFor > 0 && time.Since(good) > d.StaleFor && len(w.first.Latest().Found()) > 0 {
				slog.Error("the last list of endpoints is too old", "cluster", w.first.Name, "age", time.Since(good).Round(time.Second))
				w.found(ctx, nil)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// found publishes another list.
func (w *ward) found(ctx context.Context, list []*endpoint.Endpoint) {
	w.post(ctx, func() {
		latest := w.first.Latest()
		if latest.SameFound(list) {
			return
		}
		fresh := make([]*endpoint.Endpoint, 0, len(list))
		for _, e := range list { // the finder may hand out the same objects again
			x := endpoint.New(e.Name, e.Addr, e.Weight)
			x.Zone, x.Priority = e.Zone, e.Priority
			if w.first.Upkeep.SlowStart > 0 {
				x.State.SetSince(time.Now().UnixNano())
			}
			fresh = append(fresh, x)
		}
		next := latest.With(fresh)
		slog.Info("endpoints changed", "cluster", w.first.Name, "endpoints", len(next.Endpoints), "before", len(latest.Endpoints))
		w.adopt(ctx, nil)
		if w.opt.Publish != nil {
			w.opt.Publish(next)
		}
	})
}
