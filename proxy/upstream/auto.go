package upstream

import (
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// Where the protocol of a cluster is cluster.VersionAuto, each connection speaks what its endpoint chooses by ALPN (RFC 7301). A pool opens
// connections in the hope for what the last one has led to, at first HTTP/2. One that turns out to be of the other kind is handed over before
// anything was sent on it. Upgrades go over HTTP/1.1, which is all that their connections offer: few servers take WebSockets over HTTP/2.

// byH2 tells whether q goes over a connection of p that it shares with others.
func (p *pool) byH2(q *Request) bool { return p.mux != nil && (!p.auto || !p.h1 && !q.x.WantsUpgrade) }

// makeRoom closes an unused connection of the protocol that is not wanted, if it takes the room of one that is.
func (p *pool) makeRoom() {
	if !p.auto || !p.full() || p.reclaimH2() || p.idle == nil {
		return
	}
	p.pop().shut()
}

// alpn is the protocol that the handshake of a connection settled.
func alpn(l loop.Loop) string {
	if s, ok := l.(*secure.Conn); ok {
		return s.State().ALPN
	}
	return ""
}

// becomeH1 hands the connection, whose endpoint has chosen HTTP/1.1, to a Conn that serves the request that has waited longest. All others
// get connections of their own.
func (c *h2Conn) becomeH1() {
	p, e := c.pool, c.env()
	p.h1 = true
	h := e.conn()
	h.pool, h.l, h.id = p, c.l, c.id
	c.l.SetHandler(c.id, h)
	c.retire()
	e.Loop.Disarm(&c.timer)
	h.connected = true
	if q := c.first; q != nil {
		c.detach(q)
		h.req, q.conn = q, h
		h.begin()
		h.ready()
	} else {
		h.park()
	}
	for c.first != nil {
		q := c.first
		c.detach(q)
		e.Loop.Disarm(&q.timer)
		q.x.Attempts--
		if p.idle == nil && p.full() {
			q.await(p)
			continue
		}
		q.connect(p, false)
		q.Flush()
	}
	c.recycle()
}

// becomeH2 hands the connection, whose endpoint has chosen HTTP/2, to an h2Conn, together with the request.
func (c *Conn) becomeH2() {
	p, e, q := c.pool, c.env(), c.req
	p.h1 = false
	h := e.h2Conn()
	h.pool, h.l, h.id = p, c.l, c.id
	h.born = e.Loop.Now()
	p.list(h)
	c.l.SetHandler(c.id, h)
	c.req, q.conn = nil, nil
	c.recycle()
	e.Loop.Disarm(&q.timer)
	h.attach(q)
	h.OnConnect(nil)
}

// recycle gives the memory of a connection back.
func (c *Conn) recycle() {
	e := c.env()
	t := c.timer
	*c = Conn{timer: t, nextIdle: e.freeConn}
	e.freeConn = c
}

// recycle gives the memory of a connection back. The codec keeps its memory; timer and flush may be linked.
func (c *h2Conn) recycle() {
	e := c.env()
	codec, t, f := c.codec, c.timer, c.flush
	*c = h2Conn{codec: codec, timer: t, flush: f, next: e.freeH2}
	e.freeH2 = c
}
