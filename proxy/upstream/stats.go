package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// EndpointStats is what one worker knows about one endpoint. On the loop's thread only.
type EndpointStats struct {
	Endpoint *endpoint.Endpoint
	// Active are attempts in flight; Open connections, Idle those of them that are not in use; Queued are requests that wait for one.
	Active, Open, Idle, Queued int64
	// Attempts that ended, and how many of them with a 5xx other than 502 to 504, with those or without a response, without a connection.
	Attempts, ServerErrors, GatewayErrors, ConnectErrors uint64
	// Latency is the moving average to the head of the response, as EWMA uses it.
	Latency time.Duration
}

// AppendStats appends one entry for each endpoint of the cluster, in their order.
func (cl *Client) AppendStats(dst []EndpointStats) []EndpointStats {
	now := cl.env.Loop.Now()
	for _, p := range cl.pools {
		dst = append(dst, EndpointStats{
			Endpoint: p.ep, Active: p.load.Active, Open: int64(p.open), Idle: int64(p.nIdle), Queued: int64(p.queued),
			Attempts: p.seen.total, ServerErrors: p.seen.server, GatewayErrors: p.seen.gateway, ConnectErrors: p.seen.connect,
			Latency: time.Duration(p.load.Latency(now)),
		})
	}
	return dst
}

// Idle is the number of unused connections, Open of all.
func (cl *Client) Idle() (n int) {
	for _, p := range cl.pools {
		n += p.nIdle
	}
	return n
}

// Open is the number of connections, in use or not, those of endpoints that are being drained included.
func (cl *Client) Open() int { return cl.open }
