package cluster

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// A cluster of the configuration is the first of a line of generations: discovery makes the next ones, with the same settings and other
// endpoints. Snapshots hold the first, workers and the control plane use the latest.
type line struct {
	latest atomic.Pointer[Cluster]
	// listed are the endpoints of the configuration: every generation has them.
	listed []*endpoint.Endpoint
	// trips are endpoints that failed too often in a row.
	trips chan *endpoint.Endpoint
}

// maxTrips is how many reports may wait. Those that find no room are repeated by the next failure.
const maxTrips = 64

// Trip reports that e, of this generation, failed as often in a row as Upkeep.Outlier allows. It never blocks; workers may call it.
func (c *Cluster) Trip(e *endpoint.Endpoint) {
	select {
	case c.line.trips <- e:
	default:
	}
}

// Trips are the reports of all generations, for the control plane.
func (c *Cluster) Trips() <-chan *endpoint.Endpoint { return c.line.trips }

// Latest is the newest generation of c.
func (c *Cluster) Latest() *Cluster { return c.line.latest.Load() }

// Found returns the endpoints that discovery found for this generation.
func (c *Cluster) Found() []*endpoint.Endpoint { return c.Endpoints[len(c.line.listed):] }

// With makes the next generation of c: the listed endpoints and those that were found, which must be new objects. An endpoint whose name and
// address c had too keeps its State, and so its health; c itself is not changed. The result is the Latest from here on; the caller gives it to
// upstream.Client.Update of every worker.
func (c *Cluster) With(found []*endpoint.Endpoint) *Cluster {
	n := *c
	n.Endpoints = make([]*endpoint.Endpoint, 0, len(c.line.listed)+len(found))
	for _, e := range c.line.listed {
		copied := *e
		n.Endpoints = append(n.Endpoints, &copied)
	}
	n.Endpoints = append(n.Endpoints, c.unlisted(found)...)
	inherit(n.Endpoints, c.Endpoints)
	return n.begin()
}

// unlisted drops what the configuration lists by itself.
func (c *Cluster) unlisted(found []*endpoint.Endpoint) []*endpoint.Endpoint {
	return slices.DeleteFunc(slices.Clone(found), func(e *endpoint.Endpoint) bool {
		return slices.ContainsFunc(c.line.listed, func(l *endpoint.Endpoint) bool { return l.Name == e.Name })
	})
}

// Inherit makes c, which was built from a new configuration, the successor of old, a cluster of the same name: endpoints
// with the same name and address take over the State, and where discovery is the same, what it found is taken over too, until it finds
// something else. It is called before c is shown to anybody else.
func (c *Cluster) Inherit(old *Cluster) {
	was := old.Latest()
	inherit(c.Endpoints, was.Endpoints)
	c.Refresh(time.Now())
	if a, b := c.Upkeep.Discovery, was.Upkeep.Discovery; a != nil && b != nil && *a == *b && len(was.Found()) > 0 {
		found := make([]*endpoint.Endpoint, 0, len(was.Found()))
		for _, e := range was.Found() {
			copied := *e
			found = append(found, &copied)
		}
		c.With(found)
	}
}

func inherit(to, from []*endpoint.Endpoint) {
	type id struct {
		name string
		addr any
	}
	had := make(map[id]*endpoint.State, len(from))
	for _, e := range from {
		had[id{e.Name, e.Addr}] = e.State
	}
	for _, e := range to {
		if s := had[id{e.Name, e.Addr}]; s != nil {
			e.State = s
		}
	}
}

// SameFound tells whether a list stands for what was found for c already.
func (c *Cluster) SameFound(list []*endpoint.Endpoint) bool {
	return slices.EqualFunc(c.Found(), c.unlisted(list), func(a, b *endpoint.Endpoint) bool {
		return a.Name == b.Name && a.Addr == b.Addr && a.Weight == b.Weight && a.Zone == b.Zone && a.Priority == b.Priority
	})
}

// SameConnections tells whether a connection made for old serves c as well. Every setting that is built into a connection belongs here.
func (c *Cluster) SameConnections(old *Cluster) bool {
	return c.ProxyProtocol == old.ProxyProtocol && c.Protocol == old.Protocol && c.HTTP2 == old.HTTP2 && c.TLS.same(old.TLS)
}
