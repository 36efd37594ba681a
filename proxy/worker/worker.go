// Package worker is THE LOOP: one thread, one ring, one core, which sees every step of the path from accept to the last byte of the
// response. It owns everything its connections touch – pools, timers, counters, scratch memory – so that nothing shared is written on
// the request path. The control plane reaches it only through the loop's mailbox.
//
// It may import all of 1…8 and snapshot, never config.
package worker

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/downstream"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/secure"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// Sizes of the buffers of a worker.
const (
	// smallBuffer holds a head with a small body: one send for a typical response.
	smallBuffer = 8 << 10
	// largeBuffer moves bodies, and holds the largest head. What is received into one is sent while the core's second-level cache still holds it.
	largeBuffer = 128 << 10
	// minPool is the least a worker can work with.
	minPool = 8 << 20
	// trimEvery is how often memory that was not needed is given back.
	trimEvery = 2 * time.Second
)

// Options of a worker.
type Options struct {
	ID   int
	Loop loop.Loop
	// BufferSize of the loop's receive buffers, 0: loop.DefaultBufferSize.
	BufferSize int
	// Snapshot to begin with.
	Snapshot *snapshot.Snapshot
	// Sockets to accept on, by listener of the snapshot: one each, or more when a process with more workers left its own. The worker owns
	// them.
	Sockets [][]int
	Count   *telemetry.Counters
	// Log may be nil.
	Log *telemetry.Writer
	// Scope has the series of the snapshot's routes and clusters; nil: they are not counted by name. InScope, when not nil, is told which one is
	// in use, on the loop's thread.
	Scope   *telemetry.Scope
	InScope func(*telemetry.Scope)
	// Drained is called once, on the loop's thread, when the last connection is gone after Drain.
	Drained func()
}

// Worker is one loop and what runs on it. All methods but Drain and Stop belong to the loop's thread.
type Worker struct {
	opt       Options
	loop      loop.Loop
	count     *telemetry.Counters
	snap      *snapshot.Snapshot
	clients   []*upstream.Client
	listeners []*accepting
	closing   int // listeners that are closed, and may still bring a connection

	down downstream.Env
	tls  *secure.Env
	up   upstream.Env
	pool *flow.Pool

	draining   bool
	drained    bool
	freeEcho   *echo
	freeAux    *aux
	freeMirror *mirror
	garbage    garbage
	trim       loop.Timer
	scratch    scratch
}

// New makes a worker. Its loop is not running yet.
func New(o Options) (*Worker, error) {
	if len(o.Sockets) != len(o.Snapshot.Listeners) {
		return nil, fmt.Errorf("worker %d: %d sockets for %d listeners", o.ID, len(o.Sockets), len(o.Snapshot.Listeners))
	}
	w := &Worker{opt: o, loop: o.Loop, count: o.Count, snap: o.Snapshot, pool: newPool(o.Snapshot)}
	w.tls = secure.NewEnv(o.Loop, w.pool, o.Count)
	w.down = downstream.Env{Loop: o.Loop, Pool: w.pool, Count: o.Count, Dispatch: w, TLS: w.tls}
	w.up = upstream.Env{Loop: o.Loop, Pool: w.pool, Count: o.Count, BufferSize: cmp.Or(o.BufferSize, loop.DefaultBufferSize), Seed: uint64(o.ID)}
	w.connectClusters(o.Snapshot)
	w.enter(o.Scope)
	w.trim.Handler = w
	w.loop.Arm(&w.trim, trimEvery)
	w.scratch.path = make([]byte, 0, 8<<10)
	for i := range o.Snapshot.Listeners {
		w.listeners = append(w.listeners, w.listen(&o.Snapshot.Listeners[i], o.Sockets[i]))
	}
	return w, nil
}

// newPool makes the worker's share of the buffers. A large one takes the largest head with what the gateway adds to it.
func newPool(s *snapshot.Snapshot) *flow.Pool {
	large := largeBuffer
	for i := range s.Listeners {
		for large < 2*s.Listeners[i].Limits.HeadBytes {
			large *= 2
		}
	}
	return flow.NewPool(smallBuffer, large, max(int(s.Workers.Buffers)/max(s.Workers.Count, 1), minPool))
}

// OnTimer implements loop.TimerHandler: memory of the last burst goes back to the system.
func (w *Worker) OnTimer(t *loop.Timer) {
	w.pool.Trim()
	if tls := &w.count.DownstreamTLS; w.garbage.due(w.down.Dropped(), tls.Full+tls.Resumed) {
		go debug.FreeOSMemory() // elsewhere, and as long as it takes
	}
	w.loop.Arm(t, trimEvery)
}

// Run runs the loop on the calling goroutine until Stop.
func (w *Worker) Run() error { return w.loop.Run() }

// Stop ends Run, whatever is going on. Safe from any goroutine.
func (w *Worker) Stop() { w.loop.Stop() }

// Open is the number of client connections.
func (w *Worker) Open() int { return w.down.Len() }

// BufferBytes is the number of bytes of buffers in use: 0 when nothing moves.
func (w *Worker) BufferBytes() int64 { return w.pool.InUse() }

// Post runs f on the worker's thread. Safe from any goroutine; false when the worker has stopped.
func (w *Worker) Post(f func()) bool { return w.loop.Post(f) }
