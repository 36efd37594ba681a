package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// The connections of a pool that take requests are a list, oldest first. A request goes to the one with the fewest, and another
// connection is opened when there are fewer than HTTP2.Connections and all are in use, or when all are full.

func (p *pool) list(c *h2Conn) {
	c.listed = true
	at := &p.h2
	for *at != nil {
		c.prev = *at
		at = &(*at).next
	}
	*at = c
}

func (p *pool) unlist(c *h2Conn) {
	c.listed = false
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		p.h2 = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// pick returns a connection that takes one more request, which may have to be opened first; nil when the limit is reached.
// fresh asks for one on which nothing was sent yet, where that is possible.
func (p *pool) pick(fresh bool) *h2Conn {
	o := &p.client.c.HTTP2
	fresh = fresh && !p.full()
	var best *h2Conn
	count := 0
	for c := p.h2; c != nil; c = c.next {
		count++
		load := c.streams + c.waiting
		if load >= o.MaxStreams || c.ready && !c.codec.CanOpen() || fresh && c.opened > 0 {
			continue
		}
		if best == nil || load < best.streams+best.waiting {
			best = c
		}
	}
	if best != nil && (count >= o.Connections || best.streams+best.waiting == 0) {
		return best
	}
	if p.full() {
		return best
	}
	return p.dial()
}

// connectH2 finds a connection of p for q, or lets it wait for one.
func (q *Request) connectH2(p *pool) {
	c := p.pick(q.fresh)
	q.fresh = false
	if c == nil {
		q.await(p)
		return
	}
	q.x.Attempts++
	c.attach(q)
}

// attach gives q to the connection.
func (c *h2Conn) attach(q *Request) {
	e := c.env()
	q.hc = c
	q.x.Endpoint = c.pool.ep.Name
	q.stale = c.idle
	if c.ready {
		e.Count.UpstreamReuses++
	}
	if c.idle {
		c.clearIdle()
		c.startTick()
	}
	q.prev, q.next = c.last, nil
	if c.last != nil {
		c.last.next = q
	} else {
		c.first = q
	}
	c.last = q
	c.waiting++
	c.openWaiting()
	if q.hc == c && q.s == nil {
		c.watch(q)
	}
}

// detach takes q out of the list of those that wait to be opened.
func (c *h2Conn) detach(q *Request) {
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		c.first = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		c.last = q.prev
	}
	q.prev, q.next, q.hc = nil, nil, nil
	c.waiting--
}

// openWaiting opens as many streams as the endpoint and the output allow.
func (c *h2Conn) openWaiting() {
	for c.ready && !c.closing && c.first != nil && c.codec.CanOpen() {
		q := c.first
		if !c.room(q.headLen + 64) {
			if len(c.codec.Out()) == 0 {
				c.detach(q)
				q.fail(exchange.ErrOverload)
				continue
			}
			return // after the next send
		}
		c.detach(q)
		c.begin(q)
	}
}

// giveBack lets requests go elsewhere that the endpoint does not want here: it allows fewer streams than were waiting, or is leaving.
func (c *h2Conn) giveBack() {
	for n := c.waiting; n > 0 && c.first != nil && c.ready && !c.closing && !c.codec.CanOpen(); n-- {
		q := c.first
		c.detach(q)
		q.x.Attempts--
		q.connectH2(c.pool)
	}
}

// loseWaiting ends the attempts of all requests that wait on c: nothing of them was sent.
func (c *h2Conn) loseWaiting(f *exchange.Failure, detail string) {
	for c.first != nil {
		q := c.first
		c.detach(q)
		if detail != "" {
			q.x.Detail = detail
		}
		c.lost(q, f, false)
	}
}

// serveH2 gives the requests that wait for a connection one.
func (p *pool) serveH2() {
	for p.first != nil && p.byH2(p.first) {
		c := p.pick(false)
		if c == nil {
			return
		}
		q := p.first
		p.dequeue(q)
		p.client.env.Loop.Disarm(&q.timer)
		q.x.Attempts++
		c.attach(q)
	}
}

// closeIdleH2 closes what carries nothing, and the others when they carry nothing any more.
func (p *pool) closeIdleH2() {
	for p.h2 != nil {
		c := p.h2
		c.retire() // takes it off the list
		if c.streams+c.waiting == 0 {
			c.shut()
		}
	}
}

// reclaimH2 closes a connection that carries nothing, if there is one.
func (p *pool) reclaimH2() bool {
	for c := p.h2; c != nil; c = c.next {
		if c.idle {
			c.shut()
			return true
		}
	}
	return false
}

// h2Config makes the codec's configuration for connections to a cluster. Endpoints are trusted more than clients: budgets against
// floods are wide, since gRPC servers ping in step with their data, and stalls are a matter of each request's time limits.
func h2Config(c *cluster.Cluster, l wire.Limits) *h2.Config {
	limits := h2.DefaultLimits
	limits.Message = l.WithDefaults()
	limits.BlockBytes = max(limits.BlockBytes, limits.Message.HeadBytes)
	limits.Streams = c.HTTP2.MaxStreams
	limits.MaxStreamWindow = c.HTTP2.StreamWindow
	limits.StreamWindow = min(limits.StreamWindow, limits.MaxStreamWindow)
	// A slow client holds back its own stream only: the window of the connection is as large as those of all streams together.
	limits.ConnWindow = min(limits.Streams*limits.MaxStreamWindow, h2.MaxWindow)
	limits.Control = h2.Budget{Max: 16 << 10, PerTick: 16 << 10}
	limits.SmallData = h2.Budget{Max: 1 << 20, PerTick: 1 << 20}
	limits.WindowUpdates = h2.Budget{Max: 64 << 10, PerTick: 64 << 10}
	limits.Empty = h2.Budget{Max: 4 << 10, PerTick: 1 << 10}
	limits.StallTicks = 1 << 30
	return &h2.Config{Client: true, Limits: limits}
}
