// Package upstream sends requests to the endpoints of clusters over HTTP/1.1: per-worker pools of keep-alive connections, the
// upstream half of an exchange, and the decision whether a failed attempt is made again. It imports the loop, the codecs, flow,
// exchange, cluster, balance and endpoint.
//
//	Client    one worker's view of one cluster: picker and pools          client.go
//	Request   one exchange on its way: queue, attempts, timers            request.go
//	Conn      one connection: parses responses, feeds the downstream      conn.go
package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/proxyproto"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// Env is what all clients of one worker share.
type Env struct {
	Loop  loop.Loop
	Pool  *flow.Pool
	Count *telemetry.Counters
	// Limits of response heads and chunks.
	Limits wire.Limits
	// BufferSize is the most that one multishot receive brings, in bytes.
	BufferSize int

	resp     wire.Response // scratch of the parser: valid during one callback
	freeReq  *Request
	freeConn *Conn
}

// maxKept is how much of a request is retained for a retry. A larger body makes the request unrepeatable.
const maxKept = 32 << 10

// Client is one worker's access to one cluster.
type Client struct {
	env    *Env
	c      *cluster.Cluster
	picker balance.Picker
	pools  []pool
	closed bool
}

// pool holds the connections of one worker to one endpoint.
type pool struct {
	client *Client
	ep     *endpoint.Endpoint
	// idle is a stack: the most recently used connection is the least likely to be stale, and its memory is warm.
	idle   *Conn
	nIdle  int
	open   int // all connections, in use, idle or connecting
	first  *Request
	last   *Request
	queued int
}

// NewClient makes a worker's client of a cluster.
func NewClient(env *Env, c *cluster.Cluster) *Client {
	cl := &Client{env: env, c: c, picker: balance.New(c.Balance, c.Endpoints), pools: make([]pool, len(c.Endpoints))}
	for i := range cl.pools {
		cl.pools[i].client = cl
		cl.pools[i].ep = c.Endpoints[i]
	}
	return cl
}

// Options of one request, from its route.
type Options struct {
	// FirstByteTimeout and IdleTimeout override the cluster's when they are not 0.
	FirstByteTimeout, IdleTimeout time.Duration
	// Buffer is how many bytes of the body are collected before an endpoint is asked; at most flow.High.
	Buffer int
}

// Start begins the upstream half of x: it renders the head (borrowed during the call; path is the normalised path to send), sets
// x.Up and picks an endpoint. The caller then feeds the body through x.Up, ends it with Finish, and calls Flush at the end of its turn. Failures come
// back through x.Down.Fail, also from inside Start.
func (cl *Client) Start(x *exchange.Exchange, r *wire.Request, path []byte, o Options) {
	q := cl.env.request()
	q.client, q.x = cl, x
	q.firstByte, q.idle = o.FirstByteTimeout, o.IdleTimeout
	if q.firstByte == 0 {
		q.firstByte = cl.c.FirstByteTimeout
	}
	if q.idle == 0 {
		q.idle = cl.c.IdleTimeout
	}
	q.chunked = r.Body == wire.BodyChunked
	q.retriesLeft = cl.c.Retries
	q.q.Keep()
	x.Up = q
	x.Cluster = cl.c.Name
	from := x.Down.Client()
	if cl.c.ProxyProtocol == cluster.ProxyV1 || cl.c.ProxyProtocol == cluster.ProxyV2 {
		if !q.q.Append(proxyproto.Append(nil, cl.c.ProxyProtocol[1]-'0', from.Peer, x.Down.LocalAddr())) {
			q.fail(exchange.ErrOverload)
			return
		}
	}
	b := q.q.Reserve(headSize(r, path, from))
	if b == nil {
		q.fail(exchange.ErrOverload)
		return
	}
	q.q.Commit(appendHead(b, r, path, x, from, o.Buffer > 0))
	if o.Buffer > 0 && r.Body != wire.BodyNone {
		q.hold = o.Buffer + q.q.Len()
		x.Down.Continue()
		return
	}
	q.attempt(nil)
}

// shared tells whether connections serve more than one request.
func (cl *Client) shared() bool {
	return !cl.closed && cl.c.ProxyProtocol != cluster.ProxyV1 && cl.c.ProxyProtocol != cluster.ProxyV2
}

// CloseIdle closes the unused connections, and every other one when it becomes unused: the client is being retired.
func (cl *Client) CloseIdle() {
	cl.closed = true
	for i := range cl.pools {
		p := &cl.pools[i]
		for p.idle != nil {
			p.pop().shut()
		}
	}
}

// Idle is the number of unused connections, Open of all.
func (cl *Client) Idle() (n int) {
	for i := range cl.pools {
		n += cl.pools[i].nIdle
	}
	return n
}

// Open is the number of connections, in use or not.
func (cl *Client) Open() (n int) {
	for i := range cl.pools {
		n += cl.pools[i].open
	}
	return n
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
}

// serve gives a freed connection, or the room for a new one, to the request that waits longest.
func (p *pool) serve() {
	q := p.first
	if q == nil {
		return
	}
	limit := p.client.c.MaxConnections
	if p.idle == nil && limit > 0 && p.open >= limit {
		return
	}
	p.dequeue(q)
	p.client.env.Loop.Disarm(&q.timer)
	q.connect(p, false)
	q.Flush()
}
