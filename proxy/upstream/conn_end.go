package upstream

import (
	"io"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// finish ends the exchange: the response is whole. extra tells that bytes follow it, which a sane upstream does not send.
func (c *Conn) finish(extra bool) {
	q := c.req
	x := q.x
	e := c.env()
	reusable := c.keepAlive && !extra && !c.untilEOF && c.whole(q) && !c.sending && !c.recv.Ended() &&
		c.sendErr == nil && !x.Tunnel
	c.bulk = x.BytesOut > largeBody
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
	c.await()
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
