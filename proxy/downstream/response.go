package downstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/respond"
)

// Informational implements exchange.Downstream.
func (c *Conn) Informational(r *wire.Response) {
	if c.minor == 0 || c.headSent { // RFC 9110 section 15.2: never to an HTTP/1.0 client
		return
	}
	if r.Status == 100 {
		if !c.x.Expect100 {
			return
		}
		c.x.Expect100 = false
	}
	b := c.out.Reserve(respond.HeadSize(r))
	if b == nil {
		c.broke()
		return
	}
	c.out.Commit(respond.AppendHead(b, r, respond.Framing{Minor: 1, KeepAlive: true}, &c.env.Date, c.env.Loop.Wall()))
}

// Continue implements exchange.Downstream: it asks the client for the body it holds back.
func (c *Conn) Continue() {
	if c.x.Expect100 && c.minor > 0 && !c.headSent {
		c.x.Expect100 = false
		if !c.out.Append(respond.Continue) {
			c.broke()
		}
	}
}

// Head implements exchange.Downstream.
func (c *Conn) Head(r *wire.Response) {
	x := c.x
	x.EditResponse(r)
	x.Status = r.Status
	c.headSent = true
	if !c.reqDone && x.Expect100 {
		c.keepAlive = false // whether the body will still come is the client's choice (RFC 9110 section 10.1.1)
	}
	if c.leaving() {
		c.keepAlive = false
	}
	f := respond.Framing{Minor: c.minor, Tunnel: x.Tunnel}
	if x.Tunnel {
		c.keepAlive = false
		c.reqDone = false
		c.env.Loop.Disarm(&c.timer)
	} else if r.Body == wire.BodyNone && r.Length < 0 && !c.isHead && r.Status != 204 && r.Status != 304 {
		r.Body, r.Length = wire.BodyLength, 0 // HTTP/2 ends a message without a body by a flag, HTTP/1.1 by a length
	} else if r.Body == wire.BodyChunked || r.Body == wire.BodyUntilClose {
		if c.minor > 0 {
			f.Chunked, c.chunked = true, true
		} else {
			c.keepAlive = false // the end of the body is the end of the connection
			c.abrupt = true     // until it is known to be whole
		}
	}
	f.KeepAlive = c.keepAlive
	b := c.out.Reserve(respond.HeadSize(r))
	if b == nil {
		c.broke()
		return
	}
	c.out.Commit(respond.AppendHead(b, r, f, &c.env.Date, c.env.Loop.Wall()))
	if x.Tunnel {
		c.openTunnel()
	}
}

// openTunnel lets through what the client sent ahead of the answer.
func (c *Conn) openTunnel() {
	if c.paused {
		c.paused = false
		c.recv.Start(c.l, c.id, c.env.Pool)
	}
	if c.in.Len() > 0 && !c.inInput {
		c.again()
		if x := c.x; x != nil && x.Up != nil {
			x.Up.Flush()
		}
	}
}

// Reply implements exchange.Downstream.
func (c *Conn) Reply(status int, head, body []byte) {
	x := c.x
	x.Status = status
	c.mayKeep()
	l := c.local()
	n := respond.ReplySize(head, l)
	if n+len(body) <= c.env.Pool.LargeSize() {
		n += len(body)
	}
	b := c.out.Reserve(n)
	if b == nil {
		c.broke()
		return
	}
	out, rest := respond.AppendReply(b, status, head, body, l, &c.env.Date, c.env.Loop.Wall())
	c.out.Commit(out)
	if len(rest) > 0 && !c.out.Append(rest) {
		c.broke()
		return
	}
	if !c.isHead {
		x.BytesOut += int64(len(body))
	}
	c.headSent, c.respDone = true, true
	c.env.Count.LocalReplies++
	c.settle()
}

// mayKeep decides whether the connection survives a reply that is given before the request body was read.
func (c *Conn) mayKeep() {
	if c.leaving() {
		c.keepAlive = false
	}
	if !c.reqDone && (c.x.Expect100 || c.x.BodyKind == wire.BodyLength && c.x.body.Remaining() > maxDiscard) {
		c.keepAlive = false
	}
}

func (c *Conn) local() respond.Local {
	return respond.Local{KeepAlive: c.keepAlive, Minor: c.minor, Head: c.isHead, Server: c.lst.ServerName}
}

// Body implements exchange.Downstream.
func (c *Conn) Body(p []byte) bool {
	if c.isHead {
		return true
	}
	x := c.x
	x.BytesOut += int64(len(p))
	ok := true
	if c.chunked {
		if b := c.out.Reserve(20); b != nil {
			c.out.Commit(h1.AppendChunkHeader(b, len(p)))
		} else {
			ok = false
		}
	}
	ok = ok && c.out.Append(p)
	if c.chunked {
		ok = ok && c.out.Append(crlf)
	}
	if !ok {
		c.broke()
		return true
	}
	return c.grown()
}

var crlf = []byte("\r\n")

// BodyBuffer implements exchange.Downstream.
func (c *Conn) BodyBuffer(buf []byte, n int) bool {
	if c.chunked || c.isHead {
		ok := c.Body(buf[:n])
		c.env.Pool.Put(buf)
		return ok
	}
	c.x.BytesOut += int64(n)
	c.out.Push(buf, n)
	return c.grown()
}

// grown tells the source whether to go on.
func (c *Conn) grown() bool {
	if !c.out.Full() {
		return true
	}
	if !c.srcPaused {
		c.srcPaused = true
		c.x.writeRate.start(c.env.Loop.Now())
		c.arm(waitWrite, c.lst.Body)
	}
	c.Flush()
	return false
}

// Finish implements exchange.Downstream.
func (c *Conn) Finish(trailers []wire.Field) {
	if c.chunked && !c.isHead {
		n := 8
		for i := range trailers {
			n += len(trailers[i].Name) + len(trailers[i].Value) + 4
		}
		b := c.out.Reserve(n)
		if b == nil {
			c.broke()
			return
		}
		b = append(b, '0', '\r', '\n')
		for i := range trailers {
			if f := &trailers[i]; !f.Hop {
				b = h1.AppendField(b, f.Name, f.Value)
			}
		}
		c.out.Commit(append(b, '\r', '\n'))
	}
	c.respDone, c.abrupt = true, false
	c.settle()
	c.pipeline()
}

// Fail implements exchange.Downstream.
func (c *Conn) Fail(f *exchange.Failure) {
	x := c.x
	x.Flags |= f.Flags
	c.env.Count.Failed(f)
	x.Code = f.Code
	if x.Detail == "" {
		x.Detail = f.Detail
	}
	if c.respDone {
		// The response is whole, only the rest of the request is not: the client may keep what it got.
		c.keepAlive = false
		c.settle()
		c.Flush()
		return
	}
	if c.headSent {
		// The response cannot be completed: end it so that the client notices.
		c.keepAlive = false
		c.abrupt = !x.Tunnel
		c.closeOut = true
		c.endExchange()
		if c.abrupt && !c.sending {
			c.reset()
			return
		}
		c.Flush()
		return
	}
	x.Status = f.Status
	if f.Source == exchange.FromDownstream {
		c.keepAlive = false
	}
	c.mayKeep()
	b := c.out.Reserve(respond.FailureSize(f, x.Allow))
	if b == nil {
		c.broke()
		return
	}
	c.out.Commit(respond.AppendFailure(b, f, x.Allow, c.local(), &c.env.Date, c.env.Loop.Wall()))
	if !c.isHead {
		x.BytesOut += int64(respond.FailureTextSize(f))
	}
	c.headSent, c.respDone = true, true
	c.env.Count.LocalReplies++
	c.settle()
	c.pipeline()
	c.Flush()
}

// broke ends the connection because there is no memory left to go on.
func (c *Conn) broke() {
	c.env.Count.Shed++
	c.gone(exchange.Overload)
}

// settle ends the exchange when both halves are over.
func (c *Conn) settle() {
	x := c.x
	if x == nil || !c.respDone {
		return
	}
	if !c.reqDone && c.keepAlive {
		c.Resume() // the rest of the body is read and dropped first
		return
	}
	c.endExchange()
	if !c.keepAlive {
		c.closeOut = true
		c.arm(waitWrite, c.lst.Body)
		return
	}
	c.arm(waitNext, c.lst.Idle)
	if c.paused {
		c.paused = false
		c.recv.Start(c.l, c.id, c.env.Pool)
	}
}

// pipeline goes on with requests that came ahead of their turn.
func (c *Conn) pipeline() {
	if c.inInput || c.x != nil || c.closing || c.in.Len() == 0 {
		return
	}
	c.again()
	if x := c.x; x != nil && x.Up != nil {
		x.Up.Flush()
	}
	c.Flush()
}

// endExchange logs, counts and frees the exchange.
func (c *Conn) endExchange() {
	x := c.x
	c.x = nil
	c.srcPaused = false
	c.much = x.BytesOut > fewBytes
	c.env.Count.RequestsActive--
	c.env.Dispatch.Ended(&x.Exchange)
	x.Reset()
	if len(c.env.freeX) == maxFree {
		c.env.dropped++
		return
	}
	c.env.freeX = append(c.env.freeX, x)
}
