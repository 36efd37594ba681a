package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

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
	c.full = len(p) >= e.BufferSize && buf == nil || buf != nil && len(p) == cap(p)
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

// await receives the beginning of a response. Behind a large one the next is likely to be large, too. By multishot receive the kernel would
// deliver all that is there of it before the change to large buffers takes effect, and every byte would be copied once more; so the connection stays
// with large buffers, and only as much as has to be copied together with the head comes by itself.
func (c *Conn) await() {
	e := c.env()
	if c.bulk && !flow.Holds(c.l) {
		c.recv.Large(c.l, c.id, e.Pool, int64(e.BufferSize))
		return
	}
	c.recv.Start(c.l, c.id, e.Pool)
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
	switch {
	case c.req != q || c.paused || c.closing:
	case !c.inBody:
		c.await()
	default:
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
