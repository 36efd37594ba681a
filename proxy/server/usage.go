package server

import (
	"context"

	"github.com/blitz-gateway/blitz/proxy/worker"
)

// Usage asks every worker what it holds, and returns the sum. A worker that does not answer before ctx ends, or has stopped, counts nothing.
func (s *Server) Usage(ctx context.Context) worker.Usage {
	var sum worker.Usage
	answers := make(chan worker.Usage, len(s.workers))
	asked := 0
	for _, w := range s.workers {
		if w.Post(func() { answers <- w.Usage() }) {
			asked++
		}
	}
	for ; asked > 0; asked-- {
		select {
		case u := <-answers:
			sum.Clients += u.Clients
			sum.Upstreams += u.Upstreams
			sum.Sockets += u.Sockets
			sum.Requests += u.Requests
			sum.Buffers += u.Buffers
		case <-ctx.Done():
			return sum
		}
	}
	return sum
}
