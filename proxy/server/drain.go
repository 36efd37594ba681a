package server

import (
	"context"
	"time"
)

// Drain ends the service gracefully. First /readyz says no, for the snapshot's DrainDelay while connections are still accepted; then accepting
// stops, every request in flight ends, unused connections have DrainIdle for one more; when all are gone, or ctx ends, the workers
// stop. It returns how many connections had to be cut.
func (s *Server) Drain(ctx context.Context) (cut int) { return s.drain(ctx, false) }

// drain is Drain; leave tells that another process goes on accepting from the same sockets.
func (s *Server) drain(ctx context.Context, leave bool) (cut int) {
	s.drainOnce.Do(func() {
		s.ending.Store(true)
		if !leave {
			pause(ctx, s.snap.Load().DrainDelay)
		}
		s.change.Lock()
		defer s.change.Unlock()
		s.draining = true
		for _, w := range s.workers {
			w.Drain(s.snap.Load().DrainIdle, leave)
		}
	})
	select {
	case <-s.drained:
	case <-ctx.Done():
	}
	s.Stop()
	for _, w := range s.published {
		if w != nil {
			cut += int(w.Counters.DownstreamActive)
		}
	}
	return cut
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
