package cluster

import (
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// With returns the next generation of c: the same settings, other endpoints. An endpoint whose name and address c had too keeps its
// State, and so its health; c itself is not changed. The caller gives the result to upstream.Client.Update of every worker.
func (c *Cluster) With(endpoints []*endpoint.Endpoint) *Cluster {
	n := *c
	n.Endpoints = endpoints
	inherit(endpoints, c.Endpoints)
	return New(n)
}

// Inherit makes c, which was built from a new configuration, the next generation of old, a cluster of the same name: endpoints
// with the same name and address take over the State. It is called before c is shown to anybody else.
func (c *Cluster) Inherit(old *Cluster) {
	inherit(c.Endpoints, old.Endpoints)
	c.Refresh(time.Now())
}

func inherit(to, from []*endpoint.Endpoint) {
	for _, e := range to {
		i := slices.IndexFunc(from, func(o *endpoint.Endpoint) bool { return o.Name == e.Name && o.Addr == e.Addr })
		if i >= 0 {
			e.State = from[i].State
		}
	}
}

// SameEndpoints tells whether a list stands for what c has already.
func (c *Cluster) SameEndpoints(list []*endpoint.Endpoint) bool {
	return slices.EqualFunc(c.Endpoints, list, func(a, b *endpoint.Endpoint) bool {
		return a.Name == b.Name && a.Addr == b.Addr && a.Weight == b.Weight && a.Zone == b.Zone && a.Priority == b.Priority
	})
}

// SameConnections tells whether a connection made for old serves c as well. Every setting that is built into a connection belongs here.
func (c *Cluster) SameConnections(old *Cluster) bool {
	return c.ProxyProtocol == old.ProxyProtocol && c.Protocol == old.Protocol && c.HTTP2 == old.HTTP2
}
