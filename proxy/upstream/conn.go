package upstream

import (
	"github.com/blitz-gateway/blitz/internal/loop"
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
	bulk      bool   // the last response was a large one, or there was none
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
	c.bulk = true // unless the first response tells otherwise: many may begin at once
	c.await()
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
