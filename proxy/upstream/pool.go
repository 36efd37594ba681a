package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// pool holds the connections of one worker to one endpoint.
type pool struct {
	client *Client
	ep     *endpoint.Endpoint
	load   balance.Load
	seen   seen
	// retired: the endpoint is gone. Connections are closed when their request is over.
	retired bool
	// idle is a stack: the most recently used connection is the least likely to be stale, and its memory is warm.
	idle   *Conn
	nIdle  int
	open   int // all connections, in use, idle or connecting
	first  *Request
	last   *Request
	queued int

	mux       *h2.Config // nil: HTTP/1.1 only
	h2        *h2Conn    // HTTP/2 connections that take requests
	authority []byte     // for requests that name none
	tls       *secure.Config
	// Where ALPN decides: whether it does, whether the last endpoint has chosen HTTP/1.1, and what offers only that.
	auto, h1 bool
	tlsH1    *secure.Config
}

// seen counts how attempts ended.
type seen struct{ total, server, gateway, connect uint64 }

// shared tells whether connections serve more than one request.
func (p *pool) shared() bool {
	c := p.client.c
	return !p.client.closed && !p.retired && c.ProxyProtocol != cluster.ProxyV1 && c.ProxyProtocol != cluster.ProxyV2
}

// full tells that no connection may be opened now.
func (p *pool) full() bool {
	own, all := p.client.c.MaxConnections, p.client.c.Breaker.Connections
	return own > 0 && p.open >= own || all > 0 && p.client.open >= all
}

// closeIdle closes the unused connections.
func (p *pool) closeIdle() {
	for p.idle != nil {
		p.pop().shut()
	}
	p.closeIdleH2()
}

// opened and gone keep count of connections.
func (p *pool) opened() {
	p.open++
	p.client.open++
	p.client.env.Count.UpstreamActive++
}

func (p *pool) gone() {
	p.open--
	p.client.open--
	p.client.env.Count.UpstreamActive--
}

func (p *pool) push(c *Conn) {
	c.prevIdle, c.nextIdle = nil, p.idle
	if p.idle != nil {
		p.idle.prevIdle = c
	}
	p.idle = c
	p.nIdle++
	p.client.env.Count.UpstreamIdle++
	c.idle = true
}

func (p *pool) pop() *Conn {
	c := p.idle
	p.remove(c)
	return c
}

func (p *pool) remove(c *Conn) {
	if c.prevIdle != nil {
		c.prevIdle.nextIdle = c.nextIdle
	} else {
		p.idle = c.nextIdle
	}
	if c.nextIdle != nil {
		c.nextIdle.prevIdle = c.prevIdle
	}
	c.prevIdle, c.nextIdle, c.idle = nil, nil, false
	p.nIdle--
	p.client.env.Count.UpstreamIdle--
}

// enqueue makes q wait for a connection.
func (p *pool) enqueue(q *Request) {
	q.prev, q.next = p.last, nil
	if p.last != nil {
		p.last.next = q
	} else {
		p.first = q
	}
	p.last = q
	p.queued++
	p.client.queued++
	q.waiting = p
}

func (p *pool) dequeue(q *Request) {
	if q.prev != nil {
		q.prev.next = q.next
	} else {
		p.first = q.next
	}
	if q.next != nil {
		q.next.prev = q.prev
	} else {
		p.last = q.prev
	}
	q.prev, q.next, q.waiting = nil, nil, nil
	p.queued--
	p.client.queued--
}

// serve gives a freed connection, or the room for a new one, to the request that waits longest.
func (p *pool) serve() {
	q := p.first
	if q == nil {
		return
	}
	if p.byH2(q) {
		p.serveH2()
		if p.first != nil && p.byH2(p.first) { // an unused connection of HTTP/1.1 may be in the way
			p.makeRoom()
		}
		return
	}
	if p.idle == nil && p.full() {
		return
	}
	p.dequeue(q)
	p.client.env.Loop.Disarm(&q.timer)
	q.connect(p, false)
	q.Flush()
}
