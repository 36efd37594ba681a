package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// turner stands for a loop: one goroutine that works and, between two pieces of work, does what was posted.
type turner struct {
	mu      sync.Mutex
	stopped bool
	posts   chan func()
	done    chan struct{}
}

func (l *turner) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.posts <- f
	return true
}

func (l *turner) run(work func()) {
	defer close(l.done)
	for {
		select {
		case f, ok := <-l.posts:
			if !ok {
				return
			}
			f()
		default:
			work()
		}
	}
}

func (l *turner) stop() {
	l.mu.Lock()
	l.stopped = true
	close(l.posts)
	l.mu.Unlock()
	<-l.done
}

func newTurner() *turner { return &turner{posts: make(chan func(), 16), done: make(chan struct{})} }

func TestCollectWhileWorkersCount(t *testing.T) {
	r := NewRegistry("test", time.Now())
	var loops []*turner
	var workers []*Worker
	for range 3 {
		l := newTurner()
		w := r.AddWorker("uring", l.post, func(c *Counters) { c.UpstreamIdle = int64(c.RequestsTotal) })
		loops, workers = append(loops, l), append(workers, w)
		go l.run(func() {
			w.Counters.RequestsTotal++
			w.Counters.Failed(exchange.ErrNoRoute)
			w.Counters.Ended(404, exchange.NoRoute, 1000)
		})
	}
	last := 0.0
	for range 50 {
		s := r.Collect(t.Context())
		require.Zero(t, s.late)
		for i := range s.workers {
			c := &s.workers[i].Counters
			// Each copy is of one moment: the fields agree with each other.
			assert.Equal(t, c.RequestsTotal, c.Responses[4])
			assert.Equal(t, c.RequestsTotal, c.Failures.Get("no_route"))
			assert.Equal(t, int64(c.RequestsTotal), c.UpstreamIdle)
		}
		now := value(t, parse(t, AppendText(nil, s))["blitz_requests_total"])
		assert.GreaterOrEqual(t, now, last)
		last = now
	}
	var want uint64
	for i, l := range loops {
		require.True(t, l.post(workers[i].Publish))
		l.stop()
		want += workers[i].Counters.RequestsTotal
	}
	// Ended workers keep what they published.
	s := r.Collect(t.Context())
	assert.Zero(t, s.late)
	assert.GreaterOrEqual(t, float64(want), value(t, parse(t, AppendText(nil, s))["blitz_requests_total"]))
	assert.GreaterOrEqual(t, value(t, parse(t, AppendText(nil, s))["blitz_requests_total"]), last)
}

func TestWorkerThatDoesNotAnswerIsLate(t *testing.T) {
	r := NewRegistry("test", time.Now())
	stuck := make(chan func(), 4)
	var answers atomic.Bool
	w := r.AddWorker("epoll", func(f func()) bool {
		if answers.Load() {
			f()
		} else {
			stuck <- f
		}
		return true
	}, nil)
	w.Counters.RequestsTotal = 7
	answers.Store(true)
	require.Zero(t, r.Collect(t.Context()).late)

	answers.Store(false)
	w.Counters.RequestsTotal = 9
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := r.Collect(ctx)
	assert.Equal(t, 1, s.late)
	assert.Equal(t, uint64(7), s.workers[0].RequestsTotal)

	(<-stuck)() // the late answer finds nobody and hurts nobody
	answers.Store(true)
	s = r.Collect(t.Context())
	assert.Zero(t, s.late)
	assert.Equal(t, uint64(9), s.workers[0].RequestsTotal)
}
