package worker

import "github.com/blitz-gateway/blitz/proxy/upstream"

// Usage is what a worker holds at one moment. All of it is 0 when no client is connected and no upstream connection is kept.
type Usage struct {
	// Clients and Upstreams are open connections, Sockets what the loop counts: both together, and those that are being closed.
	Clients, Upstreams, Sockets int64
	// Requests in flight.
	Requests int64
	// Buffers is memory for data on its way, in bytes.
	Buffers int64
}

// Usage reads the gauges, on the loop's thread.
func (w *Worker) Usage() Usage {
	return Usage{
		Clients: w.count.DownstreamActive, Upstreams: w.count.UpstreamActive, Sockets: w.loop.Stats().Sockets,
		Requests: w.count.RequestsActive, Buffers: w.pool.InUse(),
	}
}

// AppendEndpoints appends what this worker knows about the endpoints of all clusters, on the loop's thread.
func (w *Worker) AppendEndpoints(dst []upstream.EndpointStats) []upstream.EndpointStats {
	for _, c := range w.clients {
		dst = c.AppendStats(dst)
	}
	return dst
}
