// Package endpoint is the leaf that balance, cluster and upstream share: one address that requests can be sent to,
// with its weight, its health and what is in flight to it. It imports only internal/loop, for the address.
package endpoint

import (
	"sync/atomic"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// Endpoint is one address of a cluster. It is shared by all workers; only the atomics change after it was built.
type Endpoint struct {
	// Name is the address as configured, for logs and metrics.
	Name string
	// Addr is where to connect to.
	Addr loop.Addr
	// Weight relative to the other endpoints of the cluster; at least 1.
	Weight uint32
	// Index is the position in the cluster: per-worker tables (pools) are indexed by it.
	Index int

	unhealthy atomic.Bool
}

// Healthy tells whether requests should go there.
func (e *Endpoint) Healthy() bool { return !e.unhealthy.Load() }

// SetHealthy is called by the one place that decides about health.
func (e *Endpoint) SetHealthy(ok bool) { e.unhealthy.Store(!ok) }
