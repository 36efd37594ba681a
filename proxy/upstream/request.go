package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

// Kinds of a Request's timer: what it is waiting for.
const (
	waitConnect  uint8 = iota + 1 // for the connect, or for a connection
	waitHead                      // for the response head
	waitBody                      // for more of the response, or for the upstream to take more of the request
	waitTry                       // for the head, within the time of one attempt
	waitBackoff                   // for the time of the next attempt
	waitHedge                     // for the time of a second attempt beside this one
	waitDeadline                  // for the end of the call
)

// Request is the upstream half of one exchange: exchange.Upstream.
//
// Its queue keeps everything that was sent until the response head is here, so that the request can be repeated; a body that
// outgrows maxKept ends that.
type Request struct {
	client *Client
	x      *exchange.Exchange
	conn   *Conn
	q      flow.Queue
	timer  loop.Timer
	// try bounds one attempt, or delays the next; hedge starts a second one.
	try, hedge loop.Timer
	deadline   loop.Timer // of a gRPC call
	deadlineAt int64      // loop time in ns at which it ends, 0: none

	firstByte, idle, connectTime time.Duration
	policy                       *cluster.RoutePolicy // of its route, nil: the cluster's
	retriesLeft                  int
	freeRetryUsed                bool
	hold                         int // no endpoint is asked before q holds more than this, 0: not holding
	chunked                      bool
	finished                     bool // the request body is complete in q
	paused                       bool // Body returned false
	answered                     bool // the final response head was passed on
	unjudged                     bool // the trailers tell how it went
	dead                         bool // waiting for the connection's OnClose to give q's memory back

	on       *pool              // this attempt is in flight there
	began    int64              // start of this attempt, loop time in ns
	tried    balance.Tried      // endpoints that failed
	key      uint64             // for hashing balancers, 0: none
	want     *endpoint.Endpoint // that the client is bound to
	delay    time.Duration      // before the next attempt
	retries  int                // made so far
	retrying bool               // counts among the client's retries
	twin     *Request           // the other attempt of the same exchange
	hedged   bool               // there was a second attempt already

	// HTTP/2: see kept.go and h2stream.go.
	hc              *h2Conn    // the connection that it is on
	s               *h2.Stream // nil until the stream is open
	kept, empty     bool       // q begins with a kept head; there is no body
	tunnel, held    bool       // it may become a tunnel; Body of the downstream side returned false
	websocket       bool       // the client asks for one
	stale, fresh    bool       // the connection was idle before and may be dead; the next attempt needs a new one
	headLen         int        // size of the kept head
	trailers        int        // size of the trailers behind the body
	interim, unread int        // interim responses so far; bytes not yet given back to the window
	wsAccept        [acceptBytes]byte

	waiting    *pool // queue this request waits in
	waitingFor *Conn // closing connection that still reads q's memory, before the next attempt
	prev, next *Request
}

func (e *Env) request() *Request {
	q := e.freeReq
	if q == nil {
		q = new(Request)
		q.q.Pool = e.Pool
		q.timer.Handler, q.try.Handler, q.hedge.Handler, q.deadline.Handler = q, q, q, q
		return q
	}
	e.freeReq = q.next
	q.next = nil
	return q
}

// free returns q to the worker. No Send of its queue may be in flight.
func (q *Request) free() {
	e := q.client.env
	q.leave()
	q.client.active--
	q.quiet()
	e.Loop.Disarm(&q.timer)
	e.Loop.Disarm(&q.deadline)
	q.q.Clear()
	t, try, hedge, deadline, pool := q.timer, q.try, q.hedge, q.deadline, q.q.Pool
	*q = Request{timer: t, try: try, hedge: hedge, deadline: deadline, next: e.freeReq}
	q.q.Pool = pool
	e.freeReq = q
}

func (q *Request) arm(kind uint8, d time.Duration) {
	q.timer.Kind = kind
	if d > 0 {
		q.client.env.Loop.Arm(&q.timer, d)
	} else {
		q.client.env.Loop.Disarm(&q.timer)
	}
}

// Body implements exchange.Upstream.
func (q *Request) Body(p []byte) bool {
	ok := true
	if q.chunked && !q.x.Tunnel {
		if b := q.q.Reserve(20); b != nil {
			q.q.Commit(h1.AppendChunkHeader(b, len(p)))
		} else {
			ok = false
		}
	}
	ok = ok && q.q.Append(p)
	if q.chunked && !q.x.Tunnel {
		ok = ok && q.q.Append(crlf)
	}
	return q.grown(ok)
}

// BodyBuffer implements exchange.Upstream.
func (q *Request) BodyBuffer(buf []byte, n int) bool {
	if q.chunked && !q.x.Tunnel {
		ok := q.Body(buf[:n])
		q.client.env.Pool.Put(buf)
		return ok
	}
	if q.hold == 0 {
		q.q.Unkeep()
	}
	q.q.Push(buf, n)
	return q.grown(true)
}

var crlf = []byte("\r\n")

// errSendNothing is ErrSend before any byte had left.
var errSendNothing = func() *exchange.Failure { f := *exchange.ErrSend; f.Retry = exchange.RetryAlways; return &f }()

// sendErrorGrace is how long to wait for an answer that the upstream sent before it stopped reading.
const sendErrorGrace = time.Second

func (q *Request) grown(ok bool) bool {
	if !ok {
		q.fail(exchange.ErrOverload)
		return true
	}
	if q.hold > 0 {
		if q.q.Len() <= q.hold {
			return true
		}
		q.hold = 0
		q.attempt()
		if q.x == nil { // it failed, and q is free
			return true
		}
	}
	if q.q.Kept() && q.q.Len() > maxKept {
		q.q.Unkeep()
	}
	if q.q.Len() > maxKept {
		q.Flush()
		if q.x == nil { // it failed, and q is free
			return true
		}
	}
	if q.x.Tunnel && q.answered {
		q.arm(waitBody, q.idle)
	}
	if q.q.Full() {
		q.paused = true
		return false
	}
	return true
}

// Finish implements exchange.Upstream.
func (q *Request) Finish(trailers []wire.Field) {
	q.finished = true
	if q.kept && !q.keepTrailers(trailers) || q.chunked && !q.x.Tunnel && !q.lastChunk(trailers) {
		q.fail(exchange.ErrOverload)
		return
	}
	if q.hold > 0 {
		q.hold = 0
		q.attempt()
		if q.x == nil {
			return
		}
	}
	q.armHedge()
	if q.conn != nil && !q.conn.sending && q.conn.whole(q) {
		q.sent() // the last byte left before the end was known
	}
	q.Flush()
}

func (q *Request) lastChunk(trailers []wire.Field) bool {
	n := 5
	for i := range trailers {
		n += len(trailers[i].Name) + len(trailers[i].Value) + 4
	}
	b := q.q.Reserve(n)
	if b == nil {
		return false
	}
	b = append(b, '0', '\r', '\n')
	for i := range trailers {
		if f := &trailers[i]; !f.Hop {
			b = h1.AppendField(b, f.Name, f.Value)
		}
	}
	q.q.Commit(append(b, '\r', '\n'))
	return true
}

// Flush implements exchange.Upstream: it sends what has come together in this turn.
func (q *Request) Flush() {
	if q.hc != nil {
		if q.s != nil {
			q.hc.more(q)
		}
		return
	}
	c := q.conn
	if c == nil || !c.connected || c.sending || c.sendErr != nil || q.dead {
		return
	}
	if q.kept {
		c.sendKept(q)
		return
	}
	b := q.q.Next()
	if b == nil {
		return
	}
	c.sending = true
	c.l.Send(c.id, b)
	if q.x.BodyKind != wire.BodyNone && !q.answered {
		q.arm(waitBody, q.idle) // for the upstream to take it; a head alone always fits the socket
	}
}

// sent is called when the whole request has left.
func (q *Request) sent() {
	if q.x.Tunnel {
		if q.hc != nil {
			return // END_STREAM has said it
		}
		q.conn.l.Shutdown(q.conn.id)
		return
	}
	q.x.Sent = q.client.env.Loop.Now()
	if !q.answered {
		q.arm(waitHead, q.firstByte)
	}
}

// Resume implements exchange.Upstream.
func (q *Request) Resume() {
	if q.hc != nil {
		q.hc.resume(q)
		return
	}
	if q.conn != nil {
		q.conn.resume()
	}
}

// Abort implements exchange.Upstream.
func (q *Request) Abort() {
	q.client.env.Count.UpstreamAborts++
	q.drop()
}

// drop ends the request without telling the downstream side, which knows.
func (q *Request) drop() {
	q.x.Up = nil
	if t := q.twin; t != nil {
		q.part()
		t.drop()
	}
	q.leave()
	q.quiet()
	if q.waiting != nil {
		q.waiting.dequeue(q)
	}
	if c := q.waitingFor; c != nil {
		c.again, c.zombie = nil, q
		q.waitingFor, q.dead = nil, true
		return
	}
	if q.hc != nil {
		q.hc.abandon(q)
	}
	c := q.conn
	if c == nil {
		q.free()
		return
	}
	q.conn = nil
	q.release(c)
}

// release detaches q from c, which is closed. When bytes of q are still with the kernel, the connection keeps q until OnClose.
func (q *Request) release(c *Conn) {
	c.req = nil
	q.leave()
	q.quiet()
	q.client.env.Loop.Disarm(&q.timer)
	if c.sending {
		q.dead = true
		c.zombie = q
		c.shut()
		return
	}
	c.shut()
	q.free()
}

// fail ends the request and the exchange, unless a twin is still on its way.
func (q *Request) fail(f *exchange.Failure) {
	if q.yield() {
		return
	}
	x := q.x
	q.drop()
	x.Down.Fail(f)
}

// OnTimer implements loop.TimerHandler.
func (q *Request) OnTimer(t *loop.Timer) {
	switch t.Kind {
	case waitConnect:
		if c := q.hc; c != nil && !c.ready {
			q.client.env.Count.UpstreamConnectTimeouts++
			c.detach(q)
			c.lost(q, exchange.ErrConnectTimeout, false)
			return
		}
		if q.waiting != nil || q.hc != nil {
			q.fail(exchange.ErrOverflow)
			return
		}
		q.client.env.Count.UpstreamConnectTimeouts++
		q.conn.failed(exchange.ErrConnectTimeout)
	case waitHead:
		if c := q.conn; c != nil && c.sendErr != nil {
			c.failed(c.sendErr)
			return
		}
		q.judge(exchange.ErrFirstByteTimeout)
		q.fail(exchange.ErrFirstByteTimeout)
	case waitBody:
		q.judge(exchange.ErrIdleTimeout)
		q.fail(exchange.ErrIdleTimeout)
	case waitTry:
		q.tryOver()
	case waitBackoff:
		q.attempt()
		q.Flush()
	case waitHedge:
		q.startTwin()
	case waitDeadline:
		q.overdue()
	}
}
