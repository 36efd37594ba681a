// Package server runs the data plane: it binds the listening sockets, starts one worker per core, and ends them gracefully. It is control
// plane: it talks to workers only through their mailboxes. It imports worker, snapshot,
// telemetry and the loop, and for what goes on beside them admin, keeper, cluster, endpoint and upstream.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/admin"
	"github.com/blitz-gateway/blitz/proxy/keeper"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// RecvSize is the size of a worker's receive buffers in bytes: the most that one receive of a small message brings. A small message touches one page of
// its buffer, however large that is; a body of 64 KiB comes in four pieces in place of the sixteen that one page each would make.
const RecvSize = 16 << 10

// recvBuffers is how many of them a worker has.
const recvBuffers = 256

// Server is a running gateway.
type Server struct {
	snap     atomic.Pointer[snapshot.Snapshot]
	workers  []*worker.Worker
	registry *telemetry.Registry
	admin    *admin.Server
	log      *telemetry.AccessLog
	bound    []bound
	names    *telemetry.Names // of the snapshot in force
	info     loop.Info
	keeper   *keeper.Keeper

	change    sync.Mutex // held while a snapshot is published, sockets are handed over, or a drain begins
	draining  bool
	successor bool // another process has the sockets now

	version     string
	started     time.Time
	ending      atomic.Bool // readiness is false
	predecessor atomic.Pointer[Predecessor]
	reloader    atomic.Pointer[Reloader]

	published []*telemetry.Worker
	drained   chan struct{} // closed when no worker has a connection left
	left      sync.WaitGroup
	running   sync.WaitGroup
	drainOnce sync.Once
	stopOnce  sync.Once

	failed   chan struct{} // closed when a worker has died
	failOnce sync.Once

	mu  sync.Mutex
	err error // of workers that died
}

// Start binds every listener and starts the workers. When it returns without an error, connections are being accepted.
// version is for the metrics.
func Start(snap *snapshot.Snapshot, version string) (*Server, error) {
	return start(snap, version, nil)
}

// start begins with the sockets of another process, as far as there are any.
func start(snap *snapshot.Snapshot, version string, from *Handover) (*Server, error) {
	s := &Server{version: version, started: time.Now(), registry: telemetry.NewRegistry(version, time.Now()), drained: make(chan struct{}), failed: make(chan struct{})}
	s.snap.Store(snap)
	s.keeper = s.newKeeper()
	s.registry.Clusters, s.registry.Certificates = s.clusterSamples, s.certificates
	n := snap.Workers.Count
	sockets, bound, err := bind(snap, nil, from)
	if err != nil {
		return nil, err
	}
	s.bound, s.names = bound, names(snap, nil, nil)
	if s.log, err = openLog(&snap.AccessLog); err != nil {
		closeAll(sockets...)
		return nil, err
	}
	s.registry.SetAccessLog(s.log)
	s.registry.Config.Generation.Store(snap.Generation)
	s.keeper.Prime(context.Background(), snap.Clusters)
	// A loop never gives its thread back, so the control plane and the collector need threads of their own.
	if runtime.GOMAXPROCS(0) <= n {
		runtime.GOMAXPROCS(n + 1)
	}
	if err := loop.CalmMonitor(); err != nil {
		slog.Debug("monitor thread", "error", err)
	}
	s.workers = make([]*worker.Worker, n)
	s.published = make([]*telemetry.Worker, n)
	ready := make(chan error, n)
	s.left.Add(n)
	for i := range n {
		s.running.Add(1)
		go s.run(i, sockets[i], ready)
	}
	for range n {
		err = errors.Join(err, <-ready)
	}
	if err == nil {
		s.keep(snap)
	}
	if err == nil && snap.Admin != nil {
		if s.admin, err = s.startAdmin(*snap.Admin, from); err != nil {
			err = fmt.Errorf("admin: %w", err)
		}
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	go func() {
		s.left.Wait()
		close(s.drained)
	}()
	return s, nil
}

// run is the goroutine of one worker.
func (s *Server) run(i int, sockets [][]int, ready chan<- error) {
	defer s.running.Done()
	runtime.LockOSThread() // for ever: the thread's affinity and ring are the worker's
	if cpus := s.snap.Load().Workers.CPUs; i < len(cpus) {
		if err := pin(cpus[i]); err != nil {
			slog.Warn("worker is not pinned", "worker", i, "cpu", cpus[i], "error", err)
		}
	}
	w, err := s.worker(i, sockets)
	if err != nil {
		closeAll(sockets)
		s.left.Done()
		ready <- fmt.Errorf("worker %d: %w", i, err)
		return
	}
	ready <- nil
	if err := w.Run(); err != nil {
		s.mu.Lock()
		s.err = errors.Join(s.err, fmt.Errorf("worker %d: %w", i, err))
		s.mu.Unlock()
		slog.Error("worker died", "worker", i, "error", err)
		s.failOnce.Do(func() { close(s.failed) })
	}
}

func (s *Server) worker(i int, sockets [][]int) (*worker.Worker, error) {
	snap := s.snap.Load()
	l, err := loop.New(loop.Options{Engine: snap.Workers.Engine, BusyPoll: snap.Workers.BusyPoll, Buffers: recvBuffers, BufferSize: RecvSize})
	if err != nil {
		return nil, err
	}
	tw := s.registry.AddWorker(l.Info().Engine, l.Post, func(c *telemetry.Counters) { c.Loop = l.Stats() })
	o := worker.Options{ID: i, Loop: l, BufferSize: RecvSize, Snapshot: snap, Sockets: sockets, Count: tw.Counters, Drained: s.left.Done, Scope: tw.Scope(s.names), InScope: tw.SetScope}
	if s.log != nil {
		o.Log = s.log.NewWriter(l.Post)
	}
	w, err := worker.New(o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.workers[i] = w
	s.published[i] = tw
	s.info = l.Info()
	s.mu.Unlock()
	return w, nil
}

// Addrs are the addresses being listened on, in the order of the configuration, with real port numbers.
func (s *Server) Addrs() []loop.Addr {
	s.change.Lock()
	defer s.change.Unlock()
	var out []loop.Addr
	for _, b := range s.bound {
		out = append(out, b.real)
	}
	return out
}

// Info describes the engine of the workers.
func (s *Server) Info() loop.Info { return s.info }

// Registry has the counters of all workers.
func (s *Server) Registry() *telemetry.Registry { return s.registry }

// Admin is the listener for operators, nil when there is none.
func (s *Server) Admin() *admin.Server {
	s.change.Lock()
	defer s.change.Unlock()
	return s.admin
}

// Snapshot is the one in force.
func (s *Server) Snapshot() *snapshot.Snapshot { return s.snap.Load() }

// ReopenLog opens the access log anew, after a rotation.
func (s *Server) ReopenLog() error {
	s.change.Lock()
	defer s.change.Unlock()
	if s.log == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.log.Reopen(ctx)
}

// Stop ends the workers at once, and closes the log. It may be called again.
func (s *Server) Stop() { s.stopOnce.Do(s.stop) }

func (s *Server) stop() {
	s.keeper.Close()
	for _, w := range s.workers {
		if w != nil {
			w.Stop()
		}
	}
	s.running.Wait()
	if s.log != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.log.Close(ctx); err != nil {
			slog.Error("access log", "error", err)
		}
		s.log = nil
	}
	if s.admin != nil {
		s.admin.Close()
	}
}

// Failed is closed when a worker has died.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// Err is why workers died, nil when none did.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
