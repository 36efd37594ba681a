package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
)

// h2Conn is one HTTP/2 connection to an endpoint, which the requests of many clients share: loop.Handler for its socket, h2.Handler
// (h2stream.go) for its codec.
//
// Its life: connecting → ready, when the endpoint's SETTINGS are here → leaving, when it takes no more requests → closing.
// What a turn's callbacks make the codec write gathers in out and leaves at the end of the turn with one Send; while that is under
// way, the next gathers in another buffer. An unused connection holds no buffer.
type h2Conn struct {
	id    loop.ID
	l     loop.Loop
	pool  *pool
	codec h2.Conn

	recv flow.Receiver
	in   flow.Input // the front of a frame
	// base is the pool's buffer under the codec's output, flight the one the kernel reads from; nil: none.
	base, flight []byte
	timer        loop.Timer
	flush        loop.Deferred

	first, last *Request // waiting to be opened
	waiting     int
	streams     int // open
	opened      int // streams so far

	connected, ready, listed, leaving, closing bool
	sending, broken, paused, lastWords, idle   bool
	pumping                                    bool
	born, idleSince                            int64 // loop time, ns
	until                                      int64 // loop time at which it has to be ready
	lastRecv, pinged                           int64 // loop time of the last bytes, and of a PING that waits for its answer; 0: none
	cause                                      *exchange.Failure

	prev, next *h2Conn
}

// Kinds of an h2Conn's timer.
const (
	timeConnect uint8 = iota + 1 // until the endpoint's SETTINGS
	timeTick                     // with streams: budgets, keep-alive
	timeIdle                     // without streams
	timeGrace                    // before the socket is closed
)

const (
	// tick is the interval that h2.Limits are meant for.
	tick = time.Second
	// idleTick is how often an unused connection gets its budgets back.
	idleTick = 10 * time.Second
	// outHigh is how much output may gather before bodies wait, and input too when it is unsent.
	outHigh = 40 << 10
	// turnBytes is how much of one body is written before another stream has its turn.
	turnBytes = 16 << 10
	// maxOpened is how many streams a connection can carry before its identifiers run out (RFC 9113 section 5.1.1).
	maxOpened = 1<<30 - 8
)

func (e *Env) h2Conn() *h2Conn {
	c := e.freeH2
	if c == nil {
		c = new(h2Conn)
		c.timer.Handler, c.flush.Handler = c, c
		return c
	}
	e.freeH2 = c.next
	c.next = nil
	return c
}

func (c *h2Conn) env() *Env { return c.pool.client.env }

// dial opens a connection of p and lists it: requests may wait on it at once. The first one says how long that may take.
func (p *pool) dial() *h2Conn {
	e := p.client.env
	c := e.h2Conn()
	c.pool = p
	c.born = e.Loop.Now()
	p.opened()
	p.list(c)
	e.Count.UpstreamConnects++
	c.l, c.id = p.connect(c, p.tls)
	return c
}

// OnConnect implements loop.Handler.
func (c *h2Conn) OnConnect(err error) {
	if c.closing {
		return
	}
	if err != nil {
		c.env().Count.UpstreamConnectFailures++
		f, detail := connectFailure(err)
		c.loseWaiting(f, detail)
		c.die(f)
		return
	}
	if c.pool.tls != nil && alpn(c.l) != "h2" {
		if c.pool.auto {
			c.becomeH1()
			return
		}
		c.loseWaiting(exchange.ErrNotHTTP2, "alpn_not_h2")
		c.die(exchange.ErrNotHTTP2)
		return
	}
	e := c.env()
	c.connected = true
	c.codec.Init(c.pool.mux, c, &e.scratch)
	c.room(512)
	c.codec.Start()
	c.recv.Start(c.l, c.id, e.Pool)
	c.touch()
}

// OnRecv implements loop.Handler.
func (c *h2Conn) OnRecv(p []byte) {
	e := c.env()
	e.Count.UpstreamBytesIn += uint64(len(p))
	if c.closing || c.lastWords {
		return
	}
	c.lastRecv, c.pinged = e.Loop.Now(), 0
	err := c.feed(p)
	if c.closing {
		e.flushTouched()
		return
	}
	if err == nil && !c.ready && c.codec.Ready() {
		c.becomeReady()
	}
	if err != nil {
		c.faulted(err)
	}
	if c.sending && len(c.codec.Out()) > outHigh && !c.paused && !c.closing {
		c.paused = true // what its frames make us write must not pile up
		c.recv.Pause(c.l, c.id, e.Pool)
	}
	c.touch()
	e.flushTouched()
}

// maxInput is the most that can be left over: one frame and one receive.
const maxInput = h2.MinFrameBytes + h2.HeaderBytes

// feed gives p to the codec, behind what was left over before.
func (c *h2Conn) feed(p []byte) *h2.Error {
	e := c.env()
	c.room(1 << 10) // for what frames answer to frames
	if c.in.Len() == 0 {
		n, err := c.codec.Feed(p)
		if err == nil && n < len(p) && !c.in.Add(e.Pool, p[n:], maxInput) {
			c.die(exchange.ErrOverload)
		}
		return err
	}
	if !c.in.Add(e.Pool, p, maxInput+len(p)) {
		c.die(exchange.ErrOverload)
		return nil
	}
	n, err := c.codec.Feed(c.in.Bytes())
	c.in.Drop(e.Pool, n)
	return err
}

// becomeReady opens the requests that waited for the endpoint's SETTINGS.
func (c *h2Conn) becomeReady() {
	c.ready = true
	c.startTick()
	c.openWaiting()
	c.giveBack()
}

// OnRecvEnd implements loop.Handler.
func (c *h2Conn) OnRecvEnd(err error) {
	e := c.env()
	c.recv.End(e.Pool)
	if c.closing {
		return
	}
	f := exchange.ErrReset
	if c.broken {
		f = exchange.ErrSend
	}
	if detail := refusal(err); detail != "" && !c.ready {
		f = exchange.ErrUpstreamTLS
		c.env().Count.UpstreamConnectFailures++
		c.loseWaiting(f, detail)
	}
	c.die(f)
	e.flushTouched()
}

// OnRecvStopped implements loop.Handler.
func (c *h2Conn) OnRecvStopped() {
	if !c.closing {
		c.recv.Stopped(c.l, c.id, c.env().Pool)
	}
}

// touch has the connection looked after at the end of the turn: see OnDeferred.
func (c *h2Conn) touch() {
	if !c.closing {
		c.env().Loop.Defer(&c.flush)
	}
}

// OnDeferred implements loop.DeferredHandler: it sends what the turn has put together, and sees to requests that wait and to its own
// end.
func (c *h2Conn) OnDeferred() {
	if c.pool == nil || c.closing {
		return
	}
	c.openWaiting()
	c.giveBack()
	c.send()
	if c.closing {
		return
	}
	if c.streams+c.waiting == 0 {
		if c.leaving && !c.sending && !c.lastWords {
			c.shut()
			return
		}
		c.setIdle()
	}
	c.pool.serve()
	c.env().flushTouched()
}

// retire takes the connection out of the pool's list: it gets no more requests, and is closed after the last one.
func (c *h2Conn) retire() {
	c.leaving = true
	if c.listed {
		c.pool.unlist(c)
	}
}

// faulted ends the connection because the endpoint broke a rule: GOAWAY is in the output, and the codec has closed all streams.
func (c *h2Conn) faulted(err *h2.Error) {
	c.retire()
	c.env().Count.UpstreamH2Errors++
	f := errSendNothing
	if !c.ready {
		f = exchange.ErrNotHTTP2
	}
	c.loseWaiting(f, err.Label)
	c.lastWords = true
	c.armGrace()
}

// die ends the connection, whose transport is gone, because of f.
func (c *h2Conn) die(f *exchange.Failure) {
	if c.closing {
		return
	}
	c.retire()
	c.cause = f
	c.closing = true // no output any more
	c.codec.Abort()
	if c.ready {
		f = errSendNothing
	} else if f == exchange.ErrReset {
		f = exchange.ErrConnect
	}
	c.loseWaiting(f, "")
	c.closing = false
	c.shut()
}

// shut closes the socket.
func (c *h2Conn) shut() {
	if c.closing {
		return
	}
	c.retire()
	c.clearIdle()
	c.closing = true
	c.codec.Abort()
	c.env().Loop.Disarm(&c.timer)
	c.l.Close(c.id)
}

// OnClose implements loop.Handler.
func (c *h2Conn) OnClose() {
	e := c.env()
	p := c.pool
	c.recv.End(e.Pool)
	c.in.Release(e.Pool)
	if c.flight != nil {
		e.Pool.Put(c.flight)
	}
	c.dropBase()
	c.codec.SetOut(nil)
	p.gone()
	c.recycle()
	p.client.freed(p)
	e.flushTouched()
}
