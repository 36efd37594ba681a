// Package upstream sends requests to the endpoints of clusters over HTTP/1.1 and HTTP/2: per-worker pools of connections, the
// upstream half of an exchange, and the decision whether a failed attempt is made again. It imports the loop, the codecs, flow,
// exchange, cluster, balance, endpoint, proxyproto, secure and telemetry.
//
//	Client    one worker's view of one cluster                            client.go, update.go, stats.go
//	pool      connections of one worker to one endpoint                   pool.go
//	Request   one exchange on its way: queue, timers                      request.go
//	          which endpoint, by which part of the request                pick.go, key.go
//	          how an attempt is judged, whether there is another one      judge.go, retry.go, budget.go, hedge.go
//	Conn      one HTTP/1.1 connection: connects, sends                    conn.go, head.go
//	          parses responses, feeds the downstream                      conn_recv.go
//	          how an exchange on it ends, and it itself                   conn_end.go
//	h2Conn    one HTTP/2 connection, which many requests share            h2conn.go, h2time.go, h2pool.go
//	          its output                                                  h2out.go
//	          their streams, and tunnels                                  h2stream.go, h2body.go, h2tunnel.go
//	          TLS below either                                            tls.go
//	          heads that are not encoded yet                              kept.go, kept_h1.go
//	          which of the two it is, where the endpoint chooses          auto.go
package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/proxyproto"
	"github.com/blitz-gateway/blitz/proxy/secure"
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
	// Seed differs between workers, so that they do not all begin with the same endpoint.
	Seed uint64

	resp     wire.Response // scratch of the parser: valid during one callback
	freeReq  *Request
	freeConn *Conn

	// HTTP/2: memory for one head at a time, and the clients' connections that a callback has written to.
	scratch h2.Scratch
	h2head  h2.RequestHead
	fields  []wire.Field
	downs   []exchange.Downstream
	freeH2  *h2Conn

	secure *secure.Env // nil until a cluster needs TLS
}

// maxKept is how much of a request is retained for a retry. A larger body makes the request unrepeatable.
const maxKept = 32 << 10

// Client is one worker's access to one cluster.
type Client struct {
	env    *Env
	c      *cluster.Cluster
	picker *balance.Picker
	h2     *h2.Config // nil: endpoints speak HTTP/1.1
	// pools by Endpoint.Index of c. Those of endpoints that are gone wait in retired for their last connection.
	pools, retired []*pool
	closed         bool

	// What the circuit breaker limits: requests, attempts after the first, connections, requests that wait for one.
	active, retrying, open, queued int
	budget                         budget
}

// NewClient makes a worker's client of a cluster.
func NewClient(env *Env, c *cluster.Cluster) *Client {
	cl := &Client{env: env}
	cl.Update(c)
	return cl
}

// Options of one request, from its route.
type Options struct {
	// FirstByteTimeout and IdleTimeout override the cluster's when they are not 0.
	FirstByteTimeout, IdleTimeout time.Duration
	// ConnectTimeout, too.
	ConnectTimeout time.Duration
	// Buffer is how many bytes of the body are collected before an endpoint is asked; at most flow.High.
	Buffer int
	// Policy of trying again, in place of the cluster's; nil: the cluster's.
	Policy *cluster.RoutePolicy
}

// Start begins the upstream half of x: it renders the head (borrowed during the call; path is the normalised path to send), sets
// x.Up and picks an endpoint. The caller then feeds the body through x.Up, ends it with Finish, and calls Flush at the end of its turn. Failures come
// back through x.Down.Fail, also from inside Start.
func (cl *Client) Start(x *exchange.Exchange, r *wire.Request, path []byte, o Options) {
	q := cl.env.request()
	q.client, q.x = cl, x
	q.firstByte, q.idle, q.connectTime = o.FirstByteTimeout, o.IdleTimeout, o.ConnectTimeout
	if q.connectTime == 0 {
		q.connectTime = cl.c.ConnectTimeout
	}
	if q.firstByte == 0 {
		q.firstByte = cl.c.FirstByteTimeout
	}
	if q.idle == 0 {
		q.idle = cl.c.IdleTimeout
	}
	q.chunked = r.Body == wire.BodyChunked && cl.h2 == nil
	q.retriesLeft = cl.c.Retries
	if q.policy = o.Policy; o.Policy != nil {
		q.retriesLeft = o.Policy.Retries
	}
	cl.active++
	cl.budget.request(cl.env.Loop.Now())
	q.q.Keep()
	x.Up = q
	x.Cluster = cl.c.Name
	if b := cl.c.Breaker.Requests; b > 0 && cl.active > b {
		cl.env.Count.BreakerRequests++
		q.fail(exchange.ErrOverflow)
		return
	}
	from := x.Down.Client()
	cl.identify(q, r, path, from)
	if x.GRPC {
		q.armDeadline(r)
	}
	if cl.h2 != nil {
		if !q.keepHead(r, path, from, o.Buffer > 0) {
			q.fail(exchange.ErrOverload)
			return
		}
		q.start(r, o)
		return
	}
	if cl.c.ProxyProtocol == cluster.ProxyV1 || cl.c.ProxyProtocol == cluster.ProxyV2 {
		if !q.q.Append(proxyproto.Append(nil, cl.c.ProxyProtocol[1]-'0', from.Peer, x.Down.LocalAddr())) {
			q.fail(exchange.ErrOverload)
			return
		}
	}
	b := q.q.Reserve(headSize(r, path, x, from))
	if b == nil {
		q.fail(exchange.ErrOverload)
		return
	}
	q.q.Commit(appendHead(b, r, path, x, from, o.Buffer > 0))
	q.start(r, o)
}

// start makes the first attempt, or begins to collect the body.
func (q *Request) start(r *wire.Request, o Options) {
	if o.Buffer > 0 && r.Body != wire.BodyNone {
		q.hold = o.Buffer + q.q.Len()
		q.x.Down.Continue()
		return
	}
	q.attempt()
}
