package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// manyRoutes is how many routes a configuration has when what it leaves behind is collected at once: the next one is then built in memory that the
// process has touched already. Pages that are new cost several times what is written to them, the more so in a virtual machine.
const manyRoutes = 1000

// maxWaiting bounds how many callers may wait for a reload at a time.
const maxWaiting = 256

// Errors of a Reloader.
var (
	errNoFile     = errors.New("the gateway runs without a configuration file; there is nothing to read again")
	errStorm      = errors.New("too many reloads are waiting already")
	errReloadGone = errors.New("the gateway is ending")
)

// Reloader changes the configuration of a running Server. Configurations are read, checked and built on its own goroutine, one at a time;
// asking again meanwhile makes one further reload, however often it is done. Once reloads have taken half a second with little in between, each is
// followed by a pause as long as it took, so that a storm of reloads costs half of a CPU at most.
type Reloader struct {
	s    *Server
	file string
	stop chan struct{}
	done chan struct{}
	wake chan struct{}

	// For whoever watches the files: loaded is told of every outcome, refused has the files of what was refused last, nil once something is in force since, began is
	// when the last reload began.
	loaded  chan struct{}
	refused atomic.Pointer[snapshot.Files]
	began   atomic.Int64

	mu     sync.Mutex
	asked  bool // somebody wants the file read again
	reason string
	asks   []ask
	ended  bool
}

// ask is a caller that waits for the outcome.
type ask struct {
	name string
	data []byte // a whole configuration; nil: read the file
	done chan<- error
}

// NewReloader starts the reloads of s. file is the configuration file, "" when there is none.
func NewReloader(s *Server, file string) *Reloader {
	r := &Reloader{s: s, file: file, stop: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), loaded: make(chan struct{}, 1)}
	s.reloader.Store(r)
	go r.run()
	return r
}

// Close ends the reloads. One under way is finished first.
func (r *Reloader) Close() {
	r.mu.Lock()
	ended := r.ended
	r.ended = true
	r.mu.Unlock()
	if !ended {
		close(r.stop)
	}
	<-r.done
}

// Trigger asks for the file to be read again, and does not wait. reason is for the log.
func (r *Reloader) Trigger(reason string) {
	r.mu.Lock()
	if r.asked {
		r.s.registry.Config.Coalesced.Add(1)
	}
	r.asked, r.reason = true, reason
	r.mu.Unlock()
	r.rouse()
}

// Reload reads the file again and waits for the outcome.
func (r *Reloader) Reload(ctx context.Context) error { return r.wait(ctx, ask{}) }

// Replace puts the configuration in data in force until the next reload of the file. name stands for a file name in messages.
func (r *Reloader) Replace(ctx context.Context, name string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	return r.wait(ctx, ask{name: name, data: data})
}

func (r *Reloader) wait(ctx context.Context, a ask) error {
	done := make(chan error, 1)
	a.done = done
	r.mu.Lock()
	full := len(r.asks) >= maxWaiting
	if !full {
		r.asks = append(r.asks, a)
	}
	r.mu.Unlock()
	if full {
		return errStorm
	}
	r.rouse()
	select {
	case err := <-done:
		return err
	case <-r.done:
		select {
		case err := <-done:
			return err
		default:
			return errReloadGone
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Reloader) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Reloader) run() {
	defer close(r.done)
	var p pacer
	for {
		select {
		case <-r.stop:
			return
		case <-r.wake:
		}
		start := time.Now()
		before := r.s.snap.Load()
		r.round()
		if now := r.s.snap.Load(); now != before && len(now.Actions) >= manyRoutes {
			runtime.GC()
		}
		pause := p.pause(start, time.Now())
		if pause == 0 {
			continue
		}
		select {
		case <-r.stop:
			return
		case <-time.After(pause):
		}
	}
}

// round serves everybody who has asked so far: in their order, but the file is read only once.
func (r *Reloader) round() {
	r.mu.Lock()
	asks, file, reason := r.asks, r.asked, r.reason
	r.asks, r.asked = nil, false
	r.mu.Unlock()
	var readers []ask
	for _, a := range asks {
		if a.data == nil {
			readers = append(readers, a)
			continue
		}
		a.done <- r.apply("configuration sent to the admin listener", func(prev *snapshot.Snapshot, generation uint64) (*snapshot.Snapshot, error) {
			return snapshot.Parse(a.name, a.data, prev, generation)
		})
	}
	if len(readers) == 0 && !file {
		return
	}
	if !file {
		reason = "asked for at the admin listener"
	}
	if n := len(readers); n > 1 {
		r.s.registry.Config.Coalesced.Add(uint64(n - 1))
	}
	err := errNoFile
	if r.file != "" {
		err = r.apply(reason, func(prev *snapshot.Snapshot, generation uint64) (*snapshot.Snapshot, error) {
			return snapshot.Load(r.file, prev, generation)
		})
	} else {
		slog.Warn("reload", "reason", reason, "error", err)
	}
	for _, a := range readers {
		a.done <- err
	}
}

// apply makes one change: a configuration that cannot be used is refused whole, and the old one stays in force.
func (r *Reloader) apply(reason string, load func(*snapshot.Snapshot, uint64) (*snapshot.Snapshot, error)) error {
	start := time.Now()
	r.began.Store(start.UnixNano())
	prev := r.s.snap.Load()
	next, err := load(prev, prev.Generation+1)
	var refused *snapshot.Files
	if err != nil {
		files := snapshot.SourcesOf(err)
		refused = &files
	} else if err = r.s.Publish(next); err != nil {
		files := next.Sources()
		refused = &files
	}
	r.refused.Store(refused)
	defer func() {
		select {
		case r.loaded <- struct{}{}:
		default:
		}
	}()
	took := time.Since(start)
	stats := &r.s.registry.Config
	if err != nil {
		stats.Failures.Add(1)
		slog.Error("the new configuration is refused, the old one stays in force", "reason", reason, "generation", prev.Generation, "error", err)
		return err
	}
	stats.Reloads.Add(1)
	stats.Generation.Store(next.Generation)
	stats.LastReload.Store(time.Now().UnixNano())
	stats.LastDuration.Store(int64(took))
	slog.Info("configuration reloaded", "reason", reason, "generation", next.Generation, "took", took.Round(10*time.Microsecond), "changes", snapshot.Summary(prev, next))
	return nil
}
