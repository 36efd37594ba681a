package downstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// take parses p behind what was left over, and puts the new rest aside.
func (c *Conn) take(p []byte) {
	e := c.env
	e.Count.DownstreamBytesIn += uint64(len(p))
	if c.lingering || c.closeOut { // nothing further is answered
		if c.discarded += int64(len(p)); c.discarded > lingerBytes {
			if c.lingering {
				c.shut()
			} else {
				c.recv.Pause(c.l, c.id, e.Pool) // until the response is out
			}
		}
		return
	}
	if c.proxyWait {
		c.proxyHeader(p)
		return
	}
	if c.first && c.sniffTLS(p) {
		return
	}
	if c.in.Len() == 0 {
		rest := c.input(p)
		if len(rest) > 0 && !c.closing && !c.in.Add(e.Pool, rest, maxAhead) {
			c.gone(exchange.Overload)
		}
		return
	}
	if !c.in.Add(e.Pool, p, maxAhead) {
		c.gone(exchange.Overload)
		return
	}
	c.again()
}

// again parses what is held in c.in.
func (c *Conn) again() {
	rest := c.input(c.in.Bytes())
	c.in.Drop(c.env.Pool, c.in.Len()-len(rest))
}

// input consumes b as far as it goes and returns the rest: an incomplete head or trailer section, or requests ahead of their turn.
func (c *Conn) input(b []byte) []byte {
	if c.requests == 0 && c.lst.HTTP2 != nil && c.x == nil && (b[0] == 'P' || !c.lst.HTTP1) && c.mayBeH2() {
		if rest, done := c.sniff(b); done {
			return rest
		}
	}
	c.inInput = true
	for len(b) > 0 && !c.closing && !c.closeOut {
		switch {
		case c.x == nil && c.out.Full(): // the client asks and does not read the answers
			c.inInput = false
			c.paused = true
			c.recv.Pause(c.l, c.id, c.env.Pool)
			c.arm(waitWrite, c.lst.Body)
			return b
		case c.x == nil:
			n := c.request(b)
			if n == 0 {
				c.inInput = false
				return b
			}
			b = b[n:]
		case !c.reqDone:
			rest, more := c.bodyBytes(b)
			b = rest
			if !more {
				c.inInput = false
				return b
			}
		default: // a pipelined request: its turn comes when this exchange is over
			c.inInput = false
			if !c.paused {
				c.paused = true
				c.recv.Pause(c.l, c.id, c.env.Pool)
			}
			return b
		}
	}
	c.inInput = false
	return b
}

// alwaysParsed is the size in bytes up to which an incomplete head is parsed on every receive, so that garbage is refused at once.
const alwaysParsed = 256

// request parses one head at the front of b and starts its exchange. It returns the length of the head, 0 when it is not complete, and
// all of b when it was refused.
func (c *Conn) request(b []byte) int {
	e := c.env
	if c.scanned > alwaysParsed && len(b) < c.scanned+c.scanned/4 && h1.HeadEnd(b, c.scanned) < 0 {
		// A head that comes in many small pieces is parsed again only when it is complete or has grown by a quarter, so that
		// a dribbling client costs linear time.
		return 0
	}
	n, err := h1.ParseRequest(b, &e.req, &c.lst.Limits)
	if err != nil {
		c.refuse(exchange.FromWire(err))
		return len(b)
	}
	if n == 0 {
		if c.scanned == 0 && c.timer.Kind != waitHead {
			c.arm(waitHead, c.lst.Header)
		}
		c.scanned = len(b)
		return 0
	}
	c.scanned = 0
	c.begin(&e.req)
	return n
}

// begin starts the exchange of a complete head.
func (c *Conn) begin(r *wire.Request) {
	e := c.env
	x := e.exchange()
	c.x = x
	x.Down = c
	x.Method, x.Minor = r.Method, r.Minor
	x.BodyKind, x.BodyLength = r.Body, r.Length
	x.Expect100 = r.Expect100
	x.MaxBody = c.lst.MaxBody
	x.Start = e.Loop.Now()
	c.requests++
	e.Count.RequestsTotal++
	e.Count.RequestsActive++
	c.keepAlive = r.KeepAlive && !c.leaving() && (c.lst.MaxRequests == 0 || c.requests < c.lst.MaxRequests) &&
		(c.lst.MaxAge == 0 || x.Start-c.started < int64(c.lst.MaxAge))
	c.minor = r.Minor
	c.isHead = r.Method == wire.MethodHead
	c.headSent, c.respDone, c.chunked = false, false, false
	c.discarded = 0
	c.reqDone = r.Body == wire.BodyNone || r.Body == wire.BodyLength && r.Length == 0
	if c.reqDone {
		e.Loop.Disarm(&c.timer)
	} else {
		c.x.body.Init(r.Body, r.Length, &c.lst.Limits)
		c.arm(waitBody, c.lst.Body)
		c.x.bodyRate.start(x.Start)
	}
	if c.toHTTPS {
		c.redirect(r)
	} else {
		e.Dispatch.Dispatch(&x.Exchange, r)
	}
	if c.x == x && c.reqDone && x.Up != nil {
		x.Up.Finish(nil)
	}
	c.settle()
}

// bodyBytes passes body bytes on. more tells whether it is worth going on with rest.
func (c *Conn) bodyBytes(b []byte) (rest []byte, more bool) {
	x := c.x
	if x.Tunnel {
		x.BytesIn += int64(len(b))
		if x.Up != nil && !x.Up.Body(b) {
			c.pause()
		}
		return nil, true
	}
	data, n, err := c.x.body.Next(b)
	if err != nil {
		c.brokenBody(exchange.FromWire(err))
		return nil, false
	}
	if n == 0 && len(data) == 0 && !c.x.body.Done() {
		return b, false
	}
	b = b[n:]
	if len(data) > 0 && !c.payload(data) {
		return nil, false
	}
	if c.x != x {
		return b, true
	}
	if c.x.body.Done() {
		c.requestDone(c.x.body.Trailers())
	} else {
		c.bodyProgress()
	}
	return b, true
}

// payload handles decoded body bytes; false when the exchange was ended because of them.
func (c *Conn) payload(data []byte) bool {
	x := c.x
	x.BytesIn += int64(len(data))
	c.x.bodyRate.add(len(data))
	if x.MaxBody > 0 && x.BytesIn > x.MaxBody {
		c.brokenBody(exchange.ErrBodyTooLarge)
		return false
	}
	if x.Up == nil { // answered already: the body is not wanted any more
		if c.discarded += int64(len(data)); c.discarded > maxDiscard {
			c.keepAlive = false
			c.endExchange()
			c.closeOut = true
			return false
		}
		return true
	}
	if !x.Up.Body(data) && c.x == x {
		c.pause()
	}
	return true
}

// requestDone ends the request.
func (c *Conn) requestDone(trailers []wire.Field) {
	x := c.x
	c.reqDone = true
	if c.timer.Kind == waitBody {
		c.env.Loop.Disarm(&c.timer)
	}
	if c.recv.IsLarge() {
		c.recv.Start(c.l, c.id, c.env.Pool)
	}
	if x.Up != nil {
		x.Up.Finish(trailers)
	}
	c.settle()
}

// bodyProgress keeps the time limit of the body, and goes over to large buffers when much is still to come.
func (c *Conn) bodyProgress() {
	if c.paused || c.x == nil {
		return
	}
	if c.x.bodyRate.tooSlow(c.lst.MinRate, c.env.Loop.Now()) {
		c.brokenBody(exchange.ErrBodyTooSlow)
		return
	}
	if !c.srcPaused {
		c.arm(waitBody, c.lst.Body)
	}
	if c.x.BodyKind == wire.BodyLength && c.x.body.Remaining() > largeBody {
		c.recvLarge()
	}
}

// largeBody is the remaining length in bytes from which receiving into large buffers pays for the switch.
const largeBody = 64 << 10

func (c *Conn) recvLarge() {
	c.recv.Large(c.l, c.id, c.env.Pool, c.x.body.Remaining())
}

// large handles buf[:n], received straight into a large buffer that is ours. The receive was limited to what remains of the body.
func (c *Conn) large(buf []byte, n int) {
	e, x := c.env, c.x
	e.Count.DownstreamBytesIn += uint64(n)
	if x == nil || c.reqDone || x.Up == nil || c.in.Len() > 0 || x.Tunnel || int64(n) > c.x.body.Remaining() {
		c.recv.Start(c.l, c.id, e.Pool)
		e.Count.DownstreamBytesIn -= uint64(n)
		c.take(buf[:n])
		e.Pool.Put(buf)
		return
	}
	data, used, err := c.x.body.Next(buf[:n])
	if err != nil || used != n || len(data) != n {
		e.Pool.Put(buf)
		c.gone(exchange.DownstreamProtocol)
		return
	}
	x.BytesIn += int64(n)
	c.x.bodyRate.add(n)
	ok := x.Up.BodyBuffer(buf, n)
	if c.x != x || c.closing {
		return
	}
	if c.x.body.Done() {
		c.requestDone(nil)
		return
	}
	if !ok {
		c.pause()
		return
	}
	c.bodyProgress()
	if c.x == x && !c.paused && !c.closing {
		c.recvLarge() // the rest, however small
	}
}

// pause stops receiving because the upstream has enough.
func (c *Conn) pause() {
	if c.paused {
		return
	}
	c.paused = true
	if c.timer.Kind == waitBody {
		c.env.Loop.Disarm(&c.timer) // the upstream side watches its own pace
	}
	c.recv.Pause(c.l, c.id, c.env.Pool)
}

// Resume implements exchange.Downstream.
func (c *Conn) Resume() {
	if !c.paused || c.closing {
		return
	}
	c.paused = false
	if c.x != nil && !c.reqDone && !c.x.Tunnel {
		c.x.bodyRate.start(c.env.Loop.Now()) // the pause was not the client's fault
		c.bodyProgress()
	}
	if !c.closing && !c.recv.IsLarge() {
		c.recv.Start(c.l, c.id, c.env.Pool)
	}
}

// brokenBody ends an exchange whose request body cannot be forwarded as it is.
func (c *Conn) brokenBody(f *exchange.Failure) {
	if up := c.x.Up; up != nil {
		up.Abort()
	}
	c.keepAlive = false
	c.Fail(f)
}

// refuse answers bytes that never became an exchange.
func (c *Conn) refuse(f *exchange.Failure) {
	e := c.env
	x := e.exchange()
	c.x = x
	x.Down = c
	x.Minor = 1
	x.Start = e.Loop.Now()
	e.Count.RequestsTotal++
	e.Count.RequestsActive++
	c.minor = 1
	c.isHead, c.headSent, c.respDone, c.chunked = false, false, false, false
	c.keepAlive, c.reqDone = false, false
	c.Fail(f)
}
