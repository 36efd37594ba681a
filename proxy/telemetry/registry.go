package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Registry knows all workers of the process. It belongs to the control plane; workers meet it once, in AddWorker.
type Registry struct {
	// Config is kept up to date by whoever changes the configuration.
	Config ConfigStats
	// Clusters tells how the clusters are, before ctx ends; nil: there are none. Set before the first Collect.
	Clusters func(ctx context.Context) []ClusterSample
	// Certificates tells which certificates are in use; nil: none. Set before the first Collect.
	Certificates func() []CertificateSample

	version string
	started time.Time

	mu      sync.Mutex
	workers []*Worker
	log     atomic.Pointer[AccessLog]
}

// NewRegistry makes the registry of a process that runs version and started at started.
func NewRegistry(version string, started time.Time) *Registry {
	return &Registry{version: version, started: started}
}

// SetAccessLog tells whose counters to show; nil: none.
func (r *Registry) SetAccessLog(l *AccessLog) { r.log.Store(l) }

// Worker is one worker's place in the registry.
type Worker struct {
	// Counters belong to the worker's thread.
	Counters *Counters

	engine  string
	post    func(func()) bool
	refresh func(*Counters)

	mu   sync.Mutex // guards last
	last Counters

	scopes scopes
	scope  *Scope // in use by the worker; its thread's
}

// SetScope tells which series the worker uses from now on. On its thread.
func (w *Worker) SetScope(s *Scope) { w.scope = s }

// AddWorker makes the counters of one worker. engine is the name of its loop's engine, post runs a function on its
// thread (loop.Loop.Post). refresh, if not nil, is called there before the counters are copied, to fill in what is cheaper to ask for than to
// keep up to date: Loop, gauges of pools.
func (r *Registry) AddWorker(engine string, post func(func()) bool, refresh func(*Counters)) *Worker {
	w := &Worker{Counters: new(Counters), engine: engine, post: post, refresh: refresh}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers = append(r.workers, w)
	return w
}

// Publish copies the counters for readers. On the worker's thread only; a worker that ends calls it last, so that what it did is
// still counted afterwards.
func (w *Worker) Publish() {
	if w.refresh != nil {
		w.refresh(w.Counters)
	}
	if w.scope != nil {
		w.publishScope(w.scope)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Counters.copyTo(&w.last)
}

// Samples are the values of all metrics at one moment.
type Samples struct {
	version string
	started time.Time
	log     LogStats
	late    int
	// clusters in the order of the configuration.
	clusters     []ClusterSample
	certificates []CertificateSample
	process      processStats
	config       configSample
	workers      []workerSample

	routeSeries, clusterSeries []*Series
}

type workerSample struct {
	engine string
	Counters
}

// Collect asks every worker for its counters and waits until ctx ends at the latest. A worker that does not answer in time counts
// with what it said last; blitz_workers_late tells how many those were.
func (r *Registry) Collect(ctx context.Context) *Samples {
	r.mu.Lock()
	workers := r.workers[:len(r.workers):len(r.workers)]
	r.mu.Unlock()

	s := &Samples{version: r.version, started: r.started, config: r.Config.sample(), process: readProcess(), workers: make([]workerSample, len(workers))}
	if r.Clusters != nil {
		s.clusters = r.Clusters(ctx)
	}
	if r.Certificates != nil {
		s.certificates = r.Certificates()
	}
	if l := r.log.Load(); l != nil {
		s.log = l.Stats()
	}
	answers := make(chan struct{}, len(workers))
	asked := 0
	for _, w := range workers {
		// A stopped loop takes nothing more; it has published its last word.
		if w.post(func() { w.Publish(); answers <- struct{}{} }) {
			asked++
		}
	}
	for s.late = asked; s.late > 0; s.late-- {
		select {
		case <-answers:
			continue
		case <-ctx.Done():
		}
		break
	}
	for i, w := range workers {
		s.workers[i].engine = w.engine
		w.mu.Lock()
		w.last.copyTo(&s.workers[i].Counters)
		w.mu.Unlock()
		s.routeSeries, s.clusterSeries = w.sumScope(s.routeSeries, s.clusterSeries)
	}
	return s
}

// Total is the sum of what the page of operators shows of the workers' counters.
func (s *Samples) Total() (t Totals) {
	for i := range s.workers {
		c := &s.workers[i].Counters
		t.DownstreamActive += c.DownstreamActive
		t.RequestsActive += c.RequestsActive
		t.RequestsTotal += c.RequestsTotal
		t.DownstreamBytesIn += c.DownstreamBytesIn
		t.DownstreamBytesOut += c.DownstreamBytesOut
		for j, n := range c.Responses {
			t.Responses[j] += n
		}
	}
	return t
}

// Totals are sums over all workers; see Counters.
type Totals struct {
	DownstreamActive, RequestsActive                     int64
	RequestsTotal, DownstreamBytesIn, DownstreamBytesOut uint64
	Responses                                            [6]uint64
}
