package upstream

import (
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// attempt picks an endpoint and a connection. A caller that has bytes to send calls Flush afterwards, unless q.x has become nil: then the
// request failed, and q is free.
func (q *Request) attempt() {
	ep := q.client.pick(q)
	if ep == nil {
		q.fail(exchange.ErrNoEndpoint)
		return
	}
	q.begin(q.client.pools[ep.Index])
}

// pick chooses an endpoint of the current view, nil when there is none.
func (cl *Client) pick(q *Request) *endpoint.Endpoint {
	if w := q.want; w != nil && w.Healthy() && !q.tried.Has(w) && w.Index < len(cl.c.Endpoints) && cl.c.Endpoints[w.Index] == w {
		return w
	}
	return cl.picker.Pick(cl.c.View(), q.key, &q.tried, cl.env.Loop.Now())
}

// begin starts an attempt at the endpoint of p.
func (q *Request) begin(p *pool) {
	cl := q.client
	q.enter(p)
	if t := q.rules().PerTry; t > 0 {
		q.try.Kind = waitTry
		cl.env.Loop.Arm(&q.try, t)
	}
	q.armHedge()
	switch {
	case q.kept != (p.mux != nil):
		q.fail(exchange.ErrProtocolChanged)
	case p.byH2(q):
		q.connectH2(p)
	case p.idle == nil && p.full():
		q.await(p)
	default:
		q.connect(p, q.freeRetryUsed)
	}
}

// await lets q wait for a connection of p.
func (q *Request) await(p *pool) {
	cl := q.client
	if b := cl.c.Breaker.Pending; p.queued >= cl.c.MaxPending || b > 0 && cl.queued >= b {
		cl.env.Count.UpstreamOverflows++
		q.fail(exchange.ErrOverflow)
		return
	}
	p.makeRoom()
	cl.reclaim(p)
	p.enqueue(q)
	q.arm(waitConnect, q.connectTime)
}

// connect takes an idle connection of p or opens one. fresh insists on a new one: the retry after a stale connection must not meet
// the next stale one.
func (q *Request) connect(p *pool, fresh bool) {
	q.x.Attempts++
	q.x.Endpoint = p.ep.Name
	e := p.client.env
	if p.idle != nil && !fresh {
		c := p.pop()
		e.Loop.Disarm(&c.timer)
		e.Count.UpstreamReuses++
		c.reused = true
		c.req, q.conn = q, c
		c.begin()
		return
	}
	e.Count.UpstreamConnects++
	c := e.conn()
	c.pool = p
	p.opened()
	c.req, q.conn = q, c
	c.begin()
	tls := p.tls
	if p.auto && q.x.WantsUpgrade {
		tls = p.tlsH1
	}
	c.l, c.id = p.connect(c, tls)
	q.arm(waitConnect, q.connectTime)
}

// reclaim closes an unused connection to another endpoint when it is the limit of the whole cluster that is in the way of p.
func (cl *Client) reclaim(p *pool) {
	if own := cl.c.MaxConnections; own > 0 && p.open >= own {
		return
	}
	cl.env.Count.BreakerConnections++
	for _, o := range cl.pools {
		if o != p && o.idle != nil {
			o.pop().shut()
			return
		}
		if o != p && o.reclaimH2() {
			return
		}
	}
}

// freed is called when a connection of p is closed: somebody may be waiting for the room.
func (cl *Client) freed(p *pool) {
	p.serve()
	if cl.c.Breaker.Connections > 0 && cl.queued > 0 {
		for _, o := range cl.pools {
			o.serve()
		}
	}
	if p.retired && p.open == 0 {
		cl.forget(p)
	}
}

// enter counts the request as in flight at p.
func (q *Request) enter(p *pool) {
	q.on = p
	q.began = q.client.env.Loop.Now()
	p.load.Active++
}

// leave ends what enter began; it does nothing when there is nothing to end.
func (q *Request) leave() {
	if q.on != nil {
		q.on.load.Active--
		q.on = nil
	}
}

// quiet stops the timers that belong to attempts, and gives back the place among the retries.
func (q *Request) quiet() {
	l := q.client.env.Loop
	l.Disarm(&q.try)
	l.Disarm(&q.hedge)
	if q.retrying {
		q.retrying = false
		q.client.retrying--
	}
}
