// Package endpoint is the leaf that balance, cluster and upstream share: one address that requests can be sent to,
// with its weight, its zone and level, and what all workers know about its health. It imports only internal/loop, for the address.
package endpoint

import (
	"github.com/blitz-gateway/blitz/internal/loop"
)

// Endpoint is one address of a cluster. It is immutable and shared by all workers; what changes is in State.
type Endpoint struct {
	// Name is the address as configured, for logs and metrics.
	Name string
	// Addr is where to connect to.
	Addr loop.Addr
	// Weight relative to the other endpoints of the cluster; at least 1.
	Weight uint32
	// Index is the position in the cluster's list of endpoints: per-worker tables are indexed by it.
	Index int
	// Zone is where the endpoint stands, "" if nobody said so.
	Zone string
	// Priority is its level: 0 is asked first, higher numbers when too few of the lower ones are healthy.
	Priority int
	// Cookie is the whole value of the Set-Cookie field that binds a client to this endpoint, Token the value of the
	// cookie within; both empty without a sticky cookie.
	Cookie []byte
	Token  string
	// State is shared by all Endpoints that stand for the same address of the same cluster, before and after a reload
	// or a change of the list.
	State *State
}

// New makes an endpoint with a state of its own.
func New(name string, addr loop.Addr, weight uint32) *Endpoint {
	return &Endpoint{Name: name, Addr: addr, Weight: weight, State: new(State)}
}

// Healthy tells whether requests should go there.
func (e *Endpoint) Healthy() bool { return e.State.Healthy() }
