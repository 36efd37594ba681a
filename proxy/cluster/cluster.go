// Package cluster is a named set of endpoints with the policy of using it: balancing, timeouts, limits, retries, and how its
// health is found out. It imports endpoint and balance; it never sees config or a socket.
//
//	Cluster          what workers read                                  cluster.go
//	Retry … Breaker  policies of requests                               policy.go
//	Sticky           the cookie of an endpoint                          sticky.go
//	HealthCheck …    what package keeper does with the endpoints        upkeep.go
//	With, Inherit    the next generation of a cluster                   change.go
package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Cluster is immutable after it was built, but for the view and what Endpoints hold in their State. All workers share it.
// Make one with New.
type Cluster struct {
	Name      string
	Endpoints []*endpoint.Endpoint
	// Balance is the picker's kind; each worker makes its own picker from it.
	Balance balance.Kind
	// Options of the view that pickers pick from.
	Options balance.Options
	// Key says what of a request decides where it goes, for the kinds that hash; Sticky is the cookie that
	// binds clients to endpoints, with any kind.
	Key    Key
	Sticky *Sticky

	// ConnectTimeout bounds the TCP connect, FirstByteTimeout the wait from the end of the request to the head of the response,
	// IdleTimeout a pause while either body moves, KeepAlive how long an unused connection is kept.
	ConnectTimeout, FirstByteTimeout, IdleTimeout, KeepAlive time.Duration
	// MaxIdle is how many unused connections one worker keeps per endpoint; MaxConnections how many it opens at most
	// per endpoint (0: no limit); MaxPending how many requests may wait for one of them.
	MaxIdle, MaxConnections, MaxPending int
	// Retries is how often a failed request is tried again, beyond the one free retry of a stale pooled connection; Retry says when.
	Retries int
	Retry   Retry
	Hedge   Hedge
	Breaker Breaker
	// ProxyProtocol is the header that tells endpoints the client's address; with one, connections are not shared.
	ProxyProtocol ProxyProtocol

	// Protocol that the endpoints speak, and what holds for HTTP/2.
	Protocol Version
	HTTP2    HTTP2
	// TLS with the endpoints; nil: none.
	TLS *TLS

	// Upkeep is what the control plane does for the endpoints.
	Upkeep Upkeep

	shared *shared
	line   *line
}

// shared is what a Cluster holds apart from its settings.
type shared struct {
	mu   sync.Mutex // orders Refresh
	view atomic.Pointer[balance.View]
}

// New completes c: it numbers the endpoints, gives them states where they have none, and builds the first view.
func New(c Cluster) *Cluster {
	c.line = &line{listed: c.Endpoints, trips: make(chan *endpoint.Endpoint, maxTrips)}
	return c.begin()
}

// begin makes a generation of c, and makes it the latest.
func (c Cluster) begin() *Cluster {
	c.shared = new(shared)
	for i, e := range c.Endpoints {
		e.Index = i
		if e.State == nil {
			e.State = new(endpoint.State)
		}
		if c.Sticky != nil {
			c.Sticky.bind(e)
		}
	}
	c.Refresh(time.Now())
	c.line.latest.Store(&c)
	return &c
}

// View is what workers pick from now. It costs one atomic load.
func (c *Cluster) View() *balance.View { return c.shared.view.Load() }

// Refresh builds a new view from the health of the endpoints at now, and publishes it. Control plane only; safe from any
// goroutine. more tells that weights still change with time (slow start), so that it should be called again soon.
func (c *Cluster) Refresh(now time.Time) (more bool) {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	usable := balance.Healthy
	if slow := c.Upkeep.SlowStart; slow > 0 && !c.Balance.Hashes() {
		usable = func(e *endpoint.Endpoint) (bool, float64) {
			scale := 1.0
			if since := e.State.Since(); since != 0 {
				if age := now.UnixNano() - since; age < int64(slow) {
					scale = max(0.1, float64(age)/float64(slow))
					more = true
				}
			}
			return e.Healthy(), scale
		}
	}
	o := c.Options
	o.Kind = c.Balance
	c.shared.view.Store(balance.Build(c.Endpoints, usable, o))
	return more
}

// ProxyProtocol is a version of the PROXY protocol header, as the configuration spells it.
type ProxyProtocol string

// Versions of the PROXY protocol (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
const (
	ProxyOff ProxyProtocol = "off"
	ProxyV1  ProxyProtocol = "v1"
	ProxyV2  ProxyProtocol = "v2"
)
