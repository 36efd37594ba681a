package upstream

import (
	"io"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

// Conn is one connection to an endpoint: loop.Handler. At most one request is on it at a time.
type Conn struct {
	// l is where the socket lives: the worker's loop, or the TLS connection over it. Timers are always the worker's.
	l    loop.Loop
	id   loop.ID
	pool *pool
	req  *Request // nil: idle or closing
	// zombie is a request that ended while its bytes were with the kernel.
	zombie *Request
	// again is a request to be repeated once this connection is closed.
	again      *Request
	againStale bool

	recv  flow.Receiver
	in    flow.Input // unparsed bytes
	body  h1.Body
	timer loop.Timer // unused for too long

	connected bool
	sending   bool
	closing   bool
	idle      bool
	reused    bool
	inBody    bool // the final head was passed on
	keepAlive bool
	untilEOF  bool // the body ends with the connection
	raw       bool // body bytes carry no framing of their own: large buffers can be passed on whole
	paused    bool
	stage     uint8  // of encoding a kept request, see kept_h1.go
	chunked   bool   // its body
	out       []byte // what is in flight of it, a buffer of the pool
	full      bool   // the last receive filled its buffer: there may be more behind it
	interim   int    // interim responses so far
	sentBytes int
	sendErr   *exchange.Failure

	prevIdle, nextIdle *Conn
}

func (e *Env) conn() *Conn {
	c := e.freeConn
	if c == nil {
		c = new(Conn)
		c.timer.Handler = c
		return c
	}
	e.freeConn = c.nextIdle
	c.nextIdle = nil
	return c
}

func (c *Conn) env() *Env { return c.pool.client.env }

// begin readies the connection for the response to its new request.
func (c *Conn) begin() {
	c.inBody, c.keepAlive, c.untilEOF, c.raw, c.paused, c.stage = false, false, false, false, false, stageHead
	c.sentBytes, c.sendErr, c.interim = 0, nil, 0
}

// OnConnect implements loop.Handler.
func (c *Conn) OnConnect(err error) {
	if c.closing {
		return
	}
	if err != nil {
		c.env().Count.UpstreamConnectFailures++
		f, detail := connectFailure(err)
		c.req.x.Detail = detail
		c.failed(f)
		return
	}
	if c.pool.auto && alpn(c.l) == "h2" {
		c.becomeH2()
		return
	}
	c.connected = true
	c.ready()
}

// ready sends the first request of the connection.
func (c *Conn) ready() {
	e := c.env()
	c.recv.Start(c.l, c.id, e.Pool)
	q := c.req
	e.Loop.Disarm(&q.timer)
	q.Flush()
}

// OnSend implements loop.Handler.
func (c *Conn) OnSend(n int, err error) {
	c.sending = false
	if c.out != nil {
		c.env().Pool.Put(c.out)
		c.out = nil
	}
	q := c.req
	if c.closing || q == nil {
		return // OnClose tidies up
	}
	c.sentBytes += n
	c.env().Count.UpstreamBytesOut += uint64(n)
	if err != nil {
		f := exchange.ErrSend
		if c.sentBytes == 0 {
			f = errSendNothing
		}
		// An answer may already be on its way in (413 and close, say): read on, the end of the receive side is near.
		c.sendErr = f
		if c.recv.Ended() {
			c.failed(f)
			return
		}
		if !q.answered {
			q.arm(waitHead, sendErrorGrace)
		}
		return
	}
	if !q.kept {
		q.q.Sent(n)
	}
	if c.whole(q) {
		q.sent()
		return
	}
	if q.q.Len() == 0 && !q.answered {
		c.env().Loop.Disarm(&q.timer) // it is the client's turn, which the downstream side watches
	}
	if q.paused && q.q.Drained() {
		q.paused = false
		q.x.Down.Resume()
		if c.req != q {
			return
		}
	}
	q.Flush()
}

// OnRecv implements loop.Handler.
func (c *Conn) OnRecv(p []byte) {
	e := c.env()
	buf := c.recv.Take()
	q := c.req
	e.Count.UpstreamBytesIn += uint64(len(p))
	switch {
	case c.closing:
		if buf != nil {
			e.Pool.Put(buf)
		}
		return
	case q == nil:
		// Nobody asked: a second response, or noise. Such a connection must not carry another request.
		e.Count.UpstreamUnsolicited++
		if buf != nil {
			e.Pool.Put(buf)
		}
		c.shut()
		return
	}
	down := q.x.Down // the exchange may be over when the bytes are parsed
	c.full = len(p) >= e.BufferSize && buf == nil || len(p) == cap(buf)
	if buf != nil {
		c.large(buf, len(p))
	} else {
		c.take(p)
	}
	down.Flush()
}

// take parses p behind what was left over, and puts the new rest aside.
func (c *Conn) take(p []byte) {
	e := c.env()
	if c.in.Len() == 0 {
		if rest := c.input(p); len(rest) > 0 && !c.in.Add(e.Pool, rest, e.Pool.LargeSize()) {
			c.unfit()
		}
		return
	}
	if !c.in.Add(e.Pool, p, e.Pool.LargeSize()) {
		c.unfit()
		return
	}
	rest := c.input(c.in.Bytes())
	c.in.Drop(e.Pool, c.in.Len()-len(rest))
}

// unfit ends a response whose head or trailer section does not fit a large buffer, or that meets an empty pool.
func (c *Conn) unfit() {
	if c.req != nil && !c.closing {
		c.req.fail(exchange.ErrOverload)
	}
}

// input consumes b as far as it goes and returns the rest.
func (c *Conn) input(b []byte) []byte {
	q := c.req
	for !c.inBody {
		e := c.env()
		resp := &e.resp
		n, err := h1.ParseResponse(b, resp, q.x.Method, &e.Limits)
		if err != nil {
			q.x.Detail = err.Code
			c.failed(exchange.ErrProtocol)
			return nil
		}
		if n == 0 {
			return b
		}
		b = b[n:]
		switch {
		case resp.Status == 101:
			if !q.x.WantsUpgrade || resp.Upgrade == nil {
				q.x.Detail = "unexpected_101"
				c.failed(exchange.ErrProtocol)
				return nil
			}
			q.x.Tunnel = true
			c.head(resp)
		case resp.Status < 200:
			if c.interim++; c.interim > maxInterim {
				q.x.Detail = "too_many_interim_responses"
				c.failed(exchange.ErrProtocol)
				return nil
			}
			q.x.Down.Informational(resp)
		default:
			if q.x.Method == wire.MethodConnect && resp.Status < 300 {
				q.x.Tunnel = true
			}
			c.head(resp)
		}
		if c.req != q {
			return nil
		}
	}
	return c.feed(b)
}

// maxInterim is how many interim responses may come before the final one. They are written whether the client reads or not, so an
// endless stream of them must end.
const maxInterim = 32

// head passes the final response head on.
func (c *Conn) head(resp *wire.Response) {
	q := c.req
	e := c.env()
	if !q.accept(resp, c.pool) {
		c.repeat(false)
		return
	}
	kind := resp.Body
	if q.x.Tunnel {
		kind = wire.BodyUntilClose
		q.finished = false // from here on the end of the request is the client's FIN
	}
	c.inBody = true
	c.keepAlive = resp.KeepAlive
	c.untilEOF = kind == wire.BodyUntilClose
	c.raw = kind != wire.BodyChunked
	c.body.InitResponse(kind, resp.Length, &e.Limits)
	if kind == wire.BodyNone {
		e.Loop.Disarm(&q.timer)
	} else {
		q.arm(waitBody, q.idle)
	}
	q.x.Down.Head(resp)
}

// feed passes body bytes on.
func (c *Conn) feed(b []byte) []byte {
	q := c.req
	for !c.body.Done() {
		data, n, err := c.body.Next(b)
		if err != nil {
			q.x.Detail = err.Code
			c.failed(exchange.ErrProtocol)
			return nil
		}
		if n == 0 && len(data) == 0 {
			break
		}
		b = b[n:]
		if len(data) > 0 {
			c.flowing(q.x.Down.Body(data), q)
			if c.req != q {
				return nil
			}
		}
	}
	if c.body.Done() {
		c.finish(len(b) > 0)
		return nil
	}
	if c.paused {
		return b
	}
	q.arm(waitBody, q.idle)
	if !c.recv.IsLarge() && (c.untilEOF || c.raw && c.body.Remaining() > largeBody || q.x.BytesOut > largeBody) {
		c.recvLarge()
	}
	return b
}

// largeBody is the remaining length in bytes from which receiving into large buffers pays for the switch (one cancel and its
// completion).
const largeBody = 64 << 10

func (c *Conn) recvLarge() {
	e := c.env()
	limit := int64(0)
	if !c.untilEOF && c.raw {
		limit = c.body.Remaining() + 1 // a byte more than there should be, to see that it is not there
	}
	c.recv.Large(c.l, c.id, e.Pool, limit)
}

// large handles buf[:n], received straight into a large buffer that is ours.
func (c *Conn) large(buf []byte, n int) {
	e := c.env()
	q := c.req
	if c.raw && c.inBody && c.in.Len() == 0 {
		// A raw body has no framing that could be wrong: used is n, or what remained of the body.
		_, used, _ := c.body.Next(buf[:n])
		c.flowing(q.x.Down.BodyBuffer(buf, used), q)
		if c.req != q {
			return
		}
		if c.body.Done() {
			c.finish(used < n)
			return
		}
		if !c.paused {
			q.arm(waitBody, q.idle)
			c.recvLarge()
		}
		return
	}
	c.take(buf[:n])
	e.Pool.Put(buf)
	if c.req == q && !c.paused && !c.closing {
		c.recvLarge()
	}
}

// flowing reacts to the downstream's answer to body bytes.
func (c *Conn) flowing(ok bool, q *Request) {
	if ok || c.req != q || c.paused {
		return
	}
	c.paused = true
	e := c.env()
	// A slow client is watched by the downstream side, with its own time limit.
	e.Loop.Disarm(&q.timer)
	c.recv.Pause(c.l, c.id, e.Pool)
}

// resume goes on after a pause.
func (c *Conn) resume() {
	if !c.paused || c.closing || c.req == nil {
		return
	}
	c.paused = false
	e := c.env()
	c.req.arm(waitBody, c.req.idle)
	if c.inBody && (c.untilEOF || c.raw && c.body.Remaining() > largeBody || !c.raw) {
		c.recvLarge()
	} else {
		c.recv.Start(c.l, c.id, e.Pool)
	}
}

// finish ends the exchange: the response is whole. extra tells that bytes follow it, which a sane upstream does not send.
func (c *Conn) finish(extra bool) {
	q := c.req
	x := q.x
	e := c.env()
	reusable := c.keepAlive && !extra && !c.untilEOF && c.whole(q) && !c.sending && !c.recv.Ended() &&
		c.sendErr == nil && !x.Tunnel
	trailers := c.body.Trailers()
	q.judgeEnd(trailers)
	q.conn, c.req = nil, nil
	x.Up = nil
	if reusable {
		// First the pool, then the client: a pipelined request finds the connection warm.
		q.free()
		if c.behind() {
			// What follows would answer that request. The pool has to wait until it has shown itself.
			c.recv.Start(c.l, c.id, e.Pool)
			e.Loop.Arm(&c.timer, 1)
		} else {
			c.park()
		}
		x.Down.Finish(trailers)
		return
	}
	if extra {
		e.Count.UpstreamUnsolicited++
	}
	q.release(c)
	x.Down.Finish(trailers)
}

// park makes the connection available to others.
func (c *Conn) park() {
	e := c.env()
	p := c.pool
	if !p.shared() || p.nIdle >= p.client.c.MaxIdle && p.first == nil {
		c.shut()
		return
	}
	c.recv.Start(c.l, c.id, e.Pool)
	p.push(c)
	e.Loop.Arm(&c.timer, p.client.c.KeepAlive)
	p.serve()
}

// OnRecvEnd implements loop.Handler.
func (c *Conn) OnRecvEnd(err error) {
	e := c.env()
	c.recv.End(e.Pool)
	if c.closing {
		return
	}
	q := c.req
	if q == nil {
		c.shut() // an idle connection that the upstream closed
		return
	}
	if c.inBody {
		if err == io.EOF && c.body.AtEOF() == nil {
			down := q.x.Down
			c.finish(false)
			down.Flush()
			return
		}
		c.failed(exchange.ErrTruncated)
		return
	}
	switch {
	case c.in.Len() > 0:
		c.failed(exchange.ErrTruncated)
	case !c.reused && refusal(err) != "":
		q.x.Detail = refusal(err)
		if c.interim > 0 || c.asked() && !c.refusedOurs(err) {
			c.failed(exchange.ErrReset) // the endpoint may have read the request
			return
		}
		e.Count.UpstreamConnectFailures++
		c.failed(exchange.ErrUpstreamTLS)
	case c.sendErr != nil:
		c.failed(c.sendErr)
	default:
		c.failed(exchange.ErrReset)
	}
}

// asked tells whether the endpoint may have seen something of the request.
func (c *Conn) asked() bool { return c.sentBytes > 0 || c.sending || c.sendErr != nil }

// OnRecvStopped implements loop.Handler.
func (c *Conn) OnRecvStopped() {
	if !c.closing {
		e := c.env()
		c.recv.Stopped(c.l, c.id, e.Pool)
	}
}

// failed ends the connection because of f, and the request too unless it can be sent again.
func (c *Conn) failed(f *exchange.Failure) {
	q := c.req
	stale := c.reused && !c.inBody && (f == exchange.ErrReset || f == exchange.ErrSend || f == errSendNothing)
	if !stale {
		q.judge(f)
	}
	if !q.mayRetry(f, stale) {
		q.fail(f)
		return
	}
	if stale {
		c.env().Count.UpstreamStale++
	}
	q.x.Detail = ""
	c.repeat(stale)
}

// repeat closes the connection and sends its request again.
func (c *Conn) repeat(stale bool) {
	q := c.req
	c.req, q.conn = nil, nil
	q.leave()
	c.env().Loop.Disarm(&q.timer)
	if c.sending {
		// The kernel still reads the bytes that would be sent again: wait for OnClose.
		c.again, c.againStale = q, stale
		q.waitingFor = c
		c.shut()
		return
	}
	ep := c.pool.ep
	c.shut()
	q.retry(ep, stale)
}

// OnTimer implements loop.TimerHandler: the connection was unused for too long, or has waited to become available.
func (c *Conn) OnTimer(*loop.Timer) {
	switch {
	case c.idle:
		c.shut()
	case c.req != nil || c.closing:
	case c.holds():
		c.env().Count.UpstreamUnsolicited++
		c.shut()
	default:
		c.park()
	}
}

// shut closes the connection.
func (c *Conn) shut() {
	if c.closing {
		return
	}
	c.closing = true
	e := c.env()
	if c.idle {
		c.pool.remove(c)
	}
	e.Loop.Disarm(&c.timer)
	c.l.Close(c.id)
}

// OnClose implements loop.Handler.
func (c *Conn) OnClose() {
	e := c.env()
	p := c.pool
	c.recv.End(e.Pool)
	c.in.Release(e.Pool)
	if c.out != nil {
		e.Pool.Put(c.out)
	}
	p.gone()
	if z := c.zombie; z != nil {
		c.zombie = nil
		z.free()
	}
	again, stale := c.again, c.againStale
	c.recycle()
	if again != nil {
		again.waitingFor = nil
		again.retry(p.ep, stale)
	}
	p.client.freed(p)
}
