package client

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/secure"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// state of a connection.
type state uint8

const (
	down      state = iota // no socket
	dialing                // being opened, with or without a request that waits for it
	idle                   // open and free
	busy                   // a request is out
	flushing               // the response is whole, but the loop still holds the request's bytes
	lingering              // the response is whole, and the server is about to close
	closing                // Close was called, OnClose is awaited
	resting                // no socket, and not to be opened for a moment
	priming                // the handshake is done, and the session ticket awaited
)

// rest is the pause after a failed connect in closed mode: without it, a server that refuses would be dialled as fast as the
// kernel can.
const rest = 10 * time.Millisecond

var (
	errConnectTimeout  = errors.New("no connection in time")
	errResponseTimeout = errors.New("no whole response in time")
	errEarlyEnd        = errors.New("the connection ended before the response was whole")
	errNoTicket        = errors.New("the server gave no session ticket")
	errShakeTimeout    = errors.New("no TLS handshake in time")
)

// conn is one connection with at most one request. It outlives its sockets: after one is closed, the next request opens another.
type conn struct {
	c          *Client
	link       secure.Link
	mux        *mux // HTTP/2: many requests at once, see mux.go
	in         *queue
	prev, next *conn

	state state
	// sending: the loop holds the request's bytes.
	sending bool
	// active: a request was begun and has no outcome yet. measured: it counts.
	active, measured bool
	// sent: it was handed to a connection that stood.
	sent      bool
	connectKO bool // the last attempt to open failed

	freeSince         int64
	intended, started int64
	req               *workload.Request
	rx                reader
	timer             loop.Timer
}

// begin starts a request on a free connection. now is the loop's time, intended when the request was meant to start.
func (k *conn) begin(req *workload.Request, intended, now int64) {
	c := k.c
	if k.mux != nil {
		k.mux.begin(req, intended, now)
		return
	}
	k.req, k.intended, k.started = req, intended, now
	k.active, k.sent = true, false
	k.measured = c.measured(intended)
	c.inflight++
	if k.measured {
		c.rec.Requests++
	}
	if k.state == idle {
		k.transmit()
		return
	}
	k.dial()
}

func (k *conn) dial() {
	k.state = dialing
	if !k.active {
		k.started = k.c.loop.Now()
	}
	k.link.Dial(k.c.cfg.Addr)
}

func (k *conn) transmit() {
	k.state, k.sending, k.sent = busy, true, true
	k.rx.reset()
	if k.measured {
		k.c.rec.Sent++
		k.c.rec.BytesSent += int64(len(k.req.Bytes))
	}
	k.link.Send(k.req.Bytes)
}

// OnConnect implements loop.Handler.
func (k *conn) OnConnect(err error) {
	c := k.c
	if k.state != dialing {
		return
	}
	before := c.phase == connecting && !k.active
	if err != nil {
		c.rec.ConnectFailures++
		k.connectKO = true
		k.failed(connectKind(err), err)
	} else {
		c.rec.Opened++
		k.connectKO = false
		k.link.StartRecv()
		switch {
		case k.mux != nil:
			k.mux.connected()
			return
		case k.active && c.cfg.Handshakes:
			k.shaken()
		case k.active:
			k.transmit()
		case c.cfg.PerRequest && c.sessions != nil && c.sessions.last == nil:
			k.state, k.started = priming, c.loop.Now()
			c.primed = k.primed
			return
		case c.cfg.PerRequest:
			k.close() // it only had to show that the server is there
		default:
			k.release()
		}
	}
	if before {
		c.firstDialed(err)
	}
}

// connectKind tells a connection that could not be made from a TLS handshake that failed on it.
func connectKind(err error) recorder.Kind {
	if _, ok := err.(*secure.HandshakeError); ok {
		return recorder.TLS
	}
	return recorder.Connect
}

// shaken ends a request that asked for a TLS handshake and nothing else.
func (k *conn) shaken() {
	k.sent = true
	if k.measured {
		k.c.rec.Sent++
	}
	k.rx = reader{}
	k.completed(false)
}

// primed goes on once the connection that was opened for a session ticket has got it.
func (k *conn) primed() {
	c := k.c
	if c.sessions.last == nil || k.state != priming {
		return
	}
	c.primed = nil
	k.close()
	c.firstDialed(nil)
}

// OnSend implements loop.Handler. A broken send is not yet an outcome: the server may have answered before it closed, and
// the receive side tells.
func (k *conn) OnSend(int, error) {
	k.sending = false
	if k.mux != nil {
		k.mux.sent()
	} else if k.state == flushing {
		k.proceed()
	}
}

// OnRecv implements loop.Handler.
func (k *conn) OnRecv(p []byte) {
	if k.mux != nil {
		k.mux.received(p)
		return
	}
	switch k.state {
	case busy:
	case idle, flushing:
		k.unsolicited()
		return
	default:
		return
	}
	rest, done, err := k.rx.feed(&k.c.parser, p, k.req.Method)
	switch {
	case err != nil:
		k.failed(recorder.Protocol, err)
	case done:
		k.completed(len(rest) > 0)
	}
}

// OnRecvEnd implements loop.Handler.
func (k *conn) OnRecvEnd(err error) {
	if k.mux != nil {
		k.mux.ended(err)
		return
	}
	switch k.state {
	case priming:
		k.c.primed = nil
		k.close()
		k.c.firstDialed(errNoTicket)
	case busy:
		if err == io.EOF && k.rx.endsWithConnection() {
			k.completed(false)
			return
		}
		if err == io.EOF {
			err = errEarlyEnd
		}
		k.failed(endKind(err), err)
	case idle, flushing:
		k.c.rec.ClosedByServer++
		k.close()
	case lingering:
		k.close()
	}
}

// OnRecvStopped implements loop.Handler; the receive is never stopped.
func (k *conn) OnRecvStopped() {}

// OnClose implements loop.Handler.
func (k *conn) OnClose() {
	c := k.c
	k.sending = false
	if k.mux != nil {
		k.mux.clear()
	}
	if k.connectKO && !c.cfg.Open {
		k.state = resting
		c.loop.Arm(&k.timer, rest)
		return
	}
	k.becomeDown()
}

// OnTimer implements loop.TimerHandler: the rest after a failed connect is over.
func (k *conn) OnTimer(*loop.Timer) { k.becomeDown() }

func (k *conn) becomeDown() {
	k.state = down
	k.freeSince = k.c.loop.Now()
	if k.mux != nil && k.mux.waiting > 0 {
		k.dial()
		k.mux.requeue()
		return
	}
	k.c.down.push(k)
}

// completed is the good outcome. surplus tells that more bytes followed the response.
func (k *conn) completed(surplus bool) {
	c := k.c
	now := c.loop.Now()
	k.settle()
	if now >= c.plan.From && now < c.plan.To {
		c.rec.InWindow++
	}
	if k.measured {
		c.rec.Complete(now-k.intended, now-k.started, k.rx.status, k.rx.received, k.rx.body)
		k.judge()
	}
	switch {
	case surplus:
		k.unsolicited()
	case k.rx.endsWithConnection():
		k.close()
	case !k.rx.keepAlive || c.cfg.PerRequest:
		k.state = lingering
		k.started = now
		if c.cfg.Handshakes {
			k.link.Goodbye()
		}
	case k.sending:
		k.state = flushing
	default:
		k.proceed()
	}
}

// judge compares the response with what was expected.
func (k *conn) judge() {
	cfg, rx := &k.c.cfg, &k.rx
	switch {
	case cfg.Handshakes:
	case cfg.ExpectStatus == 0 && rx.status >= 400:
		k.c.rec.Unexpected(func() string { return fmt.Sprintf("got %d, expected one below 400", rx.status) })
	case cfg.ExpectStatus != 0 && rx.status != cfg.ExpectStatus:
		k.c.rec.Unexpected(func() string { return fmt.Sprintf("got %d, expected %d", rx.status, cfg.ExpectStatus) })
	case cfg.ExpectBody >= 0 && rx.body != cfg.ExpectBody:
		k.c.rec.Unexpected(func() string { return fmt.Sprintf("body has %d bytes, expected %d", rx.body, cfg.ExpectBody) })
	}
}

// proceed goes on with a connection whose request is done: in closed mode with the next request, else it becomes free.
func (k *conn) proceed() {
	c := k.c
	if now := c.loop.Now(); !c.cfg.Open && c.phase == running && now < c.plan.To {
		k.state = idle
		c.startClosed(k, now)
		return
	}
	k.release()
}

func (k *conn) release() {
	k.state = idle
	k.freeSince = k.c.loop.Now()
	k.c.idle.push(k)
}

// failed is the bad outcome. The connection is closed whatever it was.
func (k *conn) failed(kind recorder.Kind, err error) {
	if k.mux != nil {
		k.mux.fail(kind, err)
	} else if k.active {
		k.settle()
		if k.measured {
			k.c.rec.Fail(kind, err)
		}
	}
	k.close()
}

// endKind is the kind of what ended a connection in the middle of a response.
func endKind(err error) recorder.Kind {
	if e, ok := err.(*tlsrec.Error); ok && !e.Received {
		return recorder.Protocol // the records were wrong, and not only cut off
	}
	return recorder.Reset
}

// settle marks that the request has its outcome.
func (k *conn) settle() {
	k.active = false
	k.c.inflight--
}

func (k *conn) unsolicited() {
	k.c.rec.Unsolicited++
	k.close()
}

func (k *conn) close() {
	if k.state == closing {
		return
	}
	k.unlink()
	k.state = closing
	k.link.Close()
}

// expire gives up on what has taken too long.
func (k *conn) expire(now int64) {
	age := now - k.started
	if k.mux != nil {
		k.mux.expire(now)
	}
	switch k.state {
	case dialing:
		if age >= int64(k.c.cfg.Timeout) {
			k.c.rec.ConnectFailures++
			k.connectKO = true
			if k.link.TLS() {
				k.failed(recorder.TLS, errShakeTimeout)
			} else {
				k.failed(recorder.Connect, errConnectTimeout)
			}
		}
	case busy:
		if age >= int64(k.c.cfg.Timeout) {
			k.failed(recorder.Timeout, errResponseTimeout)
		}
	case flushing: // answered early, and then it never read the rest of the request
		if age >= int64(k.c.cfg.Timeout) {
			k.close()
		}
	case lingering:
		if age >= lingerLimit {
			k.close()
		}
	}
}

// abandon counts a request that is outstanding when the run ends.
func (k *conn) abandon() {
	if k.mux != nil {
		k.mux.abandon()
	}
	if !k.active {
		return
	}
	k.settle()
	if !k.measured {
		return
	}
	if k.sent {
		k.c.rec.Unanswered++
	} else {
		k.c.rec.Unsent++
	}
}
