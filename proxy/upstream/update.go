package upstream

import (
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Update makes c the cluster of this client: the next generation of the one it has (cluster.With after a discovery, cluster.Inherit
// after a reload of the configuration). On the loop's thread, through the worker's mailbox.
//
// What happens to what is there:
//
//   - Endpoints that both generations have, which is to say that share a State, keep their connections and what this worker knows about them.
//   - Endpoints that are gone are drained: unused connections are closed now, others with the request they serve. Requests that wait for
//     a connection of theirs go to another endpoint.
//   - Requests in flight go on; their next attempts, if any, follow the new settings. Time limits of an attempt under way stay as they are.
//   - Where settings differ that are built into connections (cluster.SameConnections says which), every endpoint counts as gone.
//
// A cluster that is gone altogether has CloseIdle in place of this.
func (cl *Client) Update(c *cluster.Cluster) {
	old := cl.c
	keep := old != nil && c.SameConnections(old)
	byState := make(map[*endpoint.State]*pool, len(cl.pools))
	for _, p := range cl.pools {
		byState[p.ep.State] = p
	}
	if keep {
		for _, p := range cl.retired { // back again
			if byState[p.ep.State] == nil {
				byState[p.ep.State] = p
			}
		}
	}
	was := cl.pools
	cl.c = c
	if !keep {
		cl.h2 = nil
		if c.Protocol == cluster.VersionH2 || c.Protocol == cluster.VersionAuto {
			cl.h2 = h2Config(c, cl.env.Limits)
		}
	}
	cl.pools = make([]*pool, len(c.Endpoints))
	loads := make([]*balance.Load, len(c.Endpoints))
	for i, e := range c.Endpoints {
		p := byState[e.State]
		if p == nil || !keep {
			p = &pool{client: cl, mux: cl.h2, authority: []byte(e.Name)}
			if c.TLS != nil {
				cl.encrypt(p, e)
			}
		}
		if p.retired {
			p.retired = false
			cl.forget(p)
		}
		p.ep = e
		cl.pools[i], loads[i] = p, &p.load
	}
	if old == nil || old.Balance != c.Balance {
		cl.picker = balance.NewPicker(c.Balance, cl.env.Seed)
	}
	cl.picker.Reset(loads)
	for _, p := range was {
		if p.ep.Index >= len(cl.pools) || cl.pools[p.ep.Index] != p {
			cl.retire(p)
		}
	}
	if old != nil { // limits may have grown
		for _, p := range cl.pools {
			for p.first != nil && (p.idle != nil || !p.full()) {
				n := p.queued
				p.serve()
				if p.queued == n { // what is free is of the other protocol
					break
				}
			}
		}
	}
}

// retire drains the pool of an endpoint that is gone.
func (cl *Client) retire(p *pool) {
	p.retired = true
	if p.open > 0 {
		cl.retired = append(cl.retired, p)
	}
	p.closeIdle()
	for p.first != nil {
		q := p.first
		p.dequeue(q)
		q.leave()
		cl.env.Loop.Disarm(&q.timer)
		q.attempt()
		q.Flush()
	}
}

// forget drops p from the pools that are being drained.
func (cl *Client) forget(p *pool) {
	for i, r := range cl.retired {
		if r == p {
			cl.retired = append(cl.retired[:i], cl.retired[i+1:]...)
			return
		}
	}
}

// CloseIdle closes the unused connections, and every other one when it becomes unused: the client is being retired.
func (cl *Client) CloseIdle() {
	cl.closed = true
	for _, p := range cl.pools {
		p.closeIdle()
	}
}
