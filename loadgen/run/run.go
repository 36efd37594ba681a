package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/client"
	"github.com/blitz-gateway/blitz/loadgen/cpuset"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/schedule"
)

// Result is the record of a run and the histograms in it.
type Result struct {
	Record            *runfmt.Record
	Response, Service *hdr.Histogram
}

// ErrInterruptedEarly: the run was interrupted before its window began, so there is nothing to report.
var ErrInterruptedEarly = errors.New("interrupted before measuring began")

// ErrTooLate: the agreed instant passed before the connections stood.
var ErrTooLate = errors.New("the agreed start has passed")

// sendGrace is how long requests that are overdue at the end of the window may still be sent.
const sendGrace = time.Second

// lead is how far in the future the plan starts, so that every thread knows it in time.
const lead = 20 * time.Millisecond

// session is the state of one run.
type session struct {
	o       Options
	clients []*client.Client
	errs    chan error // outcome of each thread
	ready   chan error // each thread's connections stand
	plan    client.Plan
	wall    time.Time // wall clock at plan.From
	log     *hdr.LogWriter
	logErr  error
	failed  int64 // errors so far, for the progress

	mu         sync.Mutex
	begun      bool
	ended      bool
	user, sys  float64 // at the beginning of the window, then over the window
	cpuWait    int64   // of all threads, in nanoseconds: minus those at the beginning, plus those at the end
	interrupts int64   // time of the interrupt, 0: none
}

// Run does one run. Cancelling ctx ends it early; the record then says so. An error means that there is no record.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if !o.Address.IsValid() {
		a, err := o.Workload.Resolve(ctx)
		if err != nil {
			return nil, err
		}
		o.Address = a
	}
	// The collector, the runtime and the loops must not wait for each other.
	if n := o.Threads + 1; runtime.GOMAXPROCS(0) < n {
		runtime.GOMAXPROCS(n)
	}
	s := &session{o: o, errs: make(chan error, o.Threads), ready: make(chan error, 2*o.Threads)}
	return s.run(ctx)
}

func (s *session) run(ctx context.Context) (*Result, error) {
	col := recorder.NewCollector(s.o.Threads, s.o.held(), s.interval)
	if err := s.makeClients(col); err != nil {
		return nil, err
	}
	col.Start()
	for i, c := range s.clients {
		go s.thread(i, c)
	}
	if err := s.connect(ctx); err != nil {
		for _, c := range s.clients {
			c.Abort()
		}
		return nil, errors.Join(err, s.wait())
	}
	if err := s.begin(); err != nil {
		for _, c := range s.clients {
			c.Abort()
		}
		return nil, errors.Join(err, s.wait())
	}
	stop := context.AfterFunc(ctx, s.interrupt)
	err := s.wait()
	stop()
	total := col.Wait()
	if err == nil {
		err = s.logErr
	}
	if err != nil {
		return nil, err
	}
	return s.result(total)
}

func (s *session) makeClients(col *recorder.Collector) error {
	o := &s.o
	for i := range o.Threads {
		cfg := client.Config{
			Loop:        o.loop(),
			Addr:        loop.Addr{TCP: o.Address},
			Requests:    o.Workload.Requests,
			Shard:       i,
			Shards:      o.Threads,
			Connections: share(o.Connections, i, o.Threads),
			Timeout:     o.Timeout,
			PerRequest:  o.PerRequest,
			H2:          o.H2,
			Streams:     o.Streams,
			GRPC:        o.GRPC,
			TLS:         o.TLS,
			ALPN:        o.ALPN,
			Resume:      o.Resume,
			Handshakes:  o.Handshakes,

			ExpectStatus: o.ExpectStatus,
			ExpectBody:   o.ExpectBody,
			Open:         !o.Closed,
			Interval:     o.Interval,
			Recorder:     col.Thread(i),
			Ready:        func(err error) { s.ready <- err },
			Window:       s.window,
		}
		if cfg.Open {
			p, err := schedule.Pacer(o.Rate, o.Slope)
			if err != nil {
				return err
			}
			cfg.Schedule = schedule.New(p, o.Warmup+o.Duration, i, o.Threads)
		}
		c, err := client.New(cfg)
		if err != nil {
			return err
		}
		s.clients = append(s.clients, c)
	}
	return nil
}

// loop returns the options of the loops. Many responses of HTTP/2 come in one piece, and a record of TLS is 16 KiB long: larger buffers
// save turns and copies there.
func (o *Options) loop() loop.Options {
	l := loop.Options{Engine: o.Engine, BusyPoll: o.BusyPoll}
	if o.H2 || o.TLS != nil {
		l.Buffers, l.BufferSize = 256, 32<<10
	}
	return l
}

// thread runs one client on an OS thread of its own.
func (s *session) thread(i int, c *client.Client) {
	runtime.LockOSThread() // and never unlocked: a pinned thread ends with its goroutine
	if n := len(s.o.CPUs); n > 0 {
		if err := cpuset.Pin(s.o.CPUs[i%n]); err != nil {
			s.ready <- err
		}
	}
	s.errs <- c.Run()
}

// connect waits until every thread has its first connections.
func (s *session) connect(ctx context.Context) error {
	for range s.clients {
		select {
		case err := <-s.ready:
			if err != nil {
				return fmt.Errorf("cannot connect to %s: %w", s.o.Address, err)
			}
		case <-ctx.Done():
			return ErrInterruptedEarly
		}
	}
	return nil
}

func (s *session) begin() error {
	now := clock.System{}.Sample()
	ahead := lead
	if at := s.o.StartAt; !at.IsZero() {
		// By the wall clock: what has been agreed with other machines knows no monotonic one.
		if ahead = at.Round(0).Sub(now.Wall.Round(0)); ahead < lead {
			return fmt.Errorf("%w by %v when the connections stood: agree on a later one", ErrTooLate, (lead - ahead).Round(time.Millisecond))
		}
	}
	p := client.Plan{Start: now.Mono + int64(ahead)}
	p.From = p.Start + int64(s.o.Warmup)
	p.To = p.From + int64(s.o.Duration)
	p.SendUntil = p.To + int64(sendGrace)
	s.plan = p
	s.wall = now.Wall.Add(ahead + s.o.Warmup)
	if s.o.IntervalLog != nil {
		s.log, s.logErr = hdr.NewLogWriter(s.o.IntervalLog, s.wall, "blitzload "+s.o.Workload.Method+" "+s.o.Workload.URL,
			"response: intended start to last byte; service: send to last byte")
	}
	for _, c := range s.clients {
		c.Begin(p)
	}
	return nil
}

// wait collects the threads' outcomes.
func (s *session) wait() (err error) {
	for range s.clients {
		err = errors.Join(err, <-s.errs)
	}
	return err
}

func (s *session) interrupt() {
	at := clock.System{}.Mono()
	s.mu.Lock()
	s.interrupts = at
	s.mu.Unlock()
	for _, c := range s.clients {
		c.Interrupt(at)
	}
}

// window is called by each thread on entering and leaving the window. It takes the CPU time of the process when the first thread enters
// and when the first leaves, and the waiting time of each thread.
func (s *session) window(begins bool) {
	w := cpuWait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if begins {
		w = -w
	}
	s.cpuWait += w
	switch {
	case begins && !s.begun:
		s.begun = true
		s.user, s.sys = cpuTime()
	case !begins && !s.ended:
		s.ended = true
		u, k := cpuTime()
		s.user, s.sys = u-s.user, k-s.sys
	}
}

// interval gets each merged interval, on the collector's goroutine.
func (s *session) interval(_ int, p *recorder.Part) {
	at := func(mono int64) time.Time { return s.wall.Add(time.Duration(mono - s.plan.From)) }
	if s.plan.From == 0 || p.From == 0 {
		return // nothing was begun
	}
	if s.log != nil && s.logErr == nil {
		s.logErr = errors.Join(
			s.log.Interval("response", at(p.From), at(p.To), p.Response),
			s.log.Interval("service", at(p.From), at(p.To), p.Service))
	}
	for _, n := range p.Errors {
		s.failed += n
	}
	s.failed += p.StatusErrors
	if s.o.Progress != nil && p.To > p.From {
		s.o.Progress(Progress{
			Elapsed: time.Duration(p.To - s.plan.From), Duration: s.o.Duration,
			Rate: float64(p.InWindow) / time.Duration(p.To-p.From).Seconds(),
			P50:  time.Duration(p.Response.At(50)), P99: time.Duration(p.Response.At(99)),
			Errors: s.failed,
		})
	}
}
