package secure

import (
	"io"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// OnRecv implements loop.Handler.
func (c *Conn) OnRecv(p []byte) {
	switch {
	case c.phase == phaseClosing:
		c.discard(len(p))
		return
	case c.armed == armedInto:
		c.armed = armedNot
		c.full = c.w+len(p) == len(c.held)
		c.w += len(p)
		p = nil
	default:
		c.full = len(p) >= c.env.BufferSize
	}
	if c.phase == phaseFailed || c.ended {
		return
	}
	c.work(p)
}

// work opens what is held and then p, which is of the loop, delivers it, and sees to what the connection above wants next.
func (c *Conn) work(p []byte) {
	c.busy = true
	c.behind = len(p)
	ok := c.consume(p)
	c.behind = 0
	if ok && c.got > 0 && !c.gone() {
		c.handOver()
	}
	c.busy = false
	if !ok || c.gone() {
		return
	}
	c.flush()
	c.tellEnd()
	c.seeTo()
}

// seeTo does what the connection above wants after it has been told what there was. Not to be called from one of its calls.
func (c *Conn) seeTo() {
	if c.mode == modeStopping && c.armed == armedNot && !c.waits() && !c.gone() {
		c.stopped()
	}
	if !c.gone() {
		c.arm()
	}
}

// consume works off held, and p behind it. False when the connection is not to go on.
func (c *Conn) consume(p []byte) bool {
	if !c.deliver() || !c.opened() {
		if c.phase == phaseOpen && !c.ended && len(p) > 0 {
			c.hold(p)
		}
		return c.phase == phaseOpen
	}
	for len(p) > 0 && (c.w > c.r || c.mode == modeInto || c.phase == phaseOpen && c.mode == modeOff) {
		// The record whose front is held is completed, and nothing more: what follows is opened where it is.
		n := len(p)
		if missing := c.need - (c.w - c.r); c.w > c.r && missing > 0 && c.ready() {
			n = min(n, missing)
		}
		if !c.hold(p[:n]) {
			return c.phase == phaseOpen
		}
		p = p[n:]
		c.behind = len(p)
		if c.w-c.r >= c.need && !c.opened() {
			return c.phase == phaseOpen
		}
	}
	if len(p) == 0 {
		return true
	}
	c.behind = 0
	rest, ok := c.open(p)
	if !ok {
		return c.phase == phaseOpen
	}
	return len(rest) == 0 || c.hold(rest) || c.phase == phaseOpen
}

// ready tells whether records can be opened now.
func (c *Conn) ready() bool {
	switch c.phase {
	case phaseWait, phaseHandshake:
		return true
	case phaseOpen:
		return c.mode != modeOff
	}
	return false
}

// opened opens what is held.
func (c *Conn) opened() bool {
	if c.w == c.r || !c.ready() {
		return true
	}
	rest, ok := c.open(c.held[c.r:c.w])
	if c.held == nil { // the connection was closed meanwhile
		return false
	}
	c.r = c.w - len(rest)
	if c.r == c.w && len(c.plain) == 0 {
		c.unhold()
	}
	return ok
}

// open opens records of b until there is none whole, or nobody wants their content, and returns the rest. False: not to go on.
func (c *Conn) open(b []byte) (rest []byte, ok bool) {
	behind := c.behind
	c.opening = true
	rest, ok = c.records(b, behind)
	c.opening, c.behind = false, behind
	return rest, ok
}

// records is open; behind is how much is known to stand behind b.
func (c *Conn) records(b []byte, behind int) (rest []byte, ok bool) {
	for {
		if c.phase == phaseWait {
			if !c.begin() {
				c.need = 0
				return b, c.phase == phaseWait
			}
		}
		n, ev, err := c.t.Receive(b)
		b = b[n:]
		c.behind = behind + len(b)
		if err != nil {
			c.receiveFailed(err)
			return nil, false
		}
		switch ev.Kind {
		case tlsrec.NeedMore:
			c.need = ev.Need
			return b, true
		case tlsrec.Working:
			if ev.Work != nil {
				c.elsewhere(ev.Work)
			}
			c.need = 0
			return b, true
		case tlsrec.Established:
			c.established()
			if c.mode == modeInto && !c.gone() { // what does not fit must not stay in a buffer of the loop
				c.need = 0
				return b, true
			}
		case tlsrec.Data:
			c.plain = ev.Data
			if !c.deliver() {
				c.need = 0
				return b, !c.gone()
			}
		case tlsrec.Closed:
			c.ended, c.endErr = true, io.EOF
			return nil, true
		}
		if c.gone() {
			return b, false
		}
		if !c.ready() {
			c.need = 0
			return b, true
		}
	}
}

// deliver gives plain to the connection above. False when some of it could not be delivered, or the connection was closed.
func (c *Conn) deliver() bool {
	for len(c.plain) > 0 {
		switch c.mode {
		case modeMulti, modeStopping:
			p := c.plain
			c.plain = nil
			c.h.OnRecv(p)
		case modeInto:
			n := copy(c.dst[c.got:], c.plain)
			c.plain = c.plain[n:]
			if c.got += n; c.got < len(c.dst) {
				return true // more records may fit
			}
			c.handOver()
		default:
			return false
		}
		if c.gone() {
			return false
		}
	}
	return true
}

// handOver ends a RecvInto.
func (c *Conn) handOver() {
	p := c.dst[:c.got]
	c.dst, c.got, c.mode = nil, 0, modeOff
	c.h.OnRecv(p)
}

// hold keeps p until more has come. False when there is no memory for it.
func (c *Conn) hold(p []byte) bool {
	if c.w+len(p) > len(c.held) && !c.makeRoom(c.w-c.r+len(p), false) {
		return false
	}
	c.w += copy(c.held[c.w:], p)
	return true
}

// makeRoom makes room for need bytes in held, from its beginning.
func (c *Conn) makeRoom(need int, large bool) bool {
	kept := len(c.plain) + c.w - c.r
	need += len(c.plain)
	if len(c.plain) == 0 && c.r > 0 && need <= len(c.held) && (!large || len(c.held) == c.env.pool.LargeSize()) {
		c.w = copy(c.held, c.held[c.r:c.w])
		c.r = 0
		return true
	}
	pool := c.env.pool
	var buf []byte
	if !large {
		buf = pool.SmallBuffer()
	}
	if buf == nil || len(buf) < need {
		if buf != nil {
			pool.Put(buf)
		}
		buf = pool.LargeBuffer()
	}
	if len(buf) < need {
		if buf != nil {
			pool.Put(buf)
		}
		c.receiveFailed(errNoMemory)
		return false
	}
	n := copy(buf, c.plain)
	copy(buf[n:], c.held[c.r:c.w])
	c.unhold()
	c.held, c.r, c.w = buf, n, kept
	if n > 0 {
		c.plain = buf[:n:n]
	}
	return true
}

func (c *Conn) unhold() {
	if c.held != nil {
		c.env.pool.Put(c.held)
	}
	c.held, c.plain, c.r, c.w = nil, nil, 0, 0
}

// receiveFailed ends the receive side because of err, which is told when what came before it has been.
func (c *Conn) receiveFailed(err error) {
	if c.phase != phaseOpen {
		c.failed(err)
		return
	}
	c.countFailure(err)
	c.ended, c.endErr = true, err
	c.unhold()
}

// tellEnd reports the end of the receive side.
func (c *Conn) tellEnd() {
	if !c.ended || c.endTold || c.phase != phaseOpen || c.mode == modeOff || c.holdsContent() {
		return
	}
	if c.endErr == errTransport {
		if c.endErr = c.t.EOF(); c.endErr == nil {
			c.endErr = io.EOF
		}
	}
	c.endTold = true
	c.mode, c.dst = modeOff, nil
	c.h.OnRecvEnd(c.endErr)
}

// OnRecvEnd implements loop.Handler.
func (c *Conn) OnRecvEnd(err error) {
	c.armed = armedNot
	switch {
	case c.phase == phaseClosing:
		c.drop()
	case c.ended || c.phase == phaseFailed:
	case c.phase != phaseOpen:
		if err == io.EOF && c.t != nil {
			err = c.t.EOF()
		}
		c.failed(err)
	default:
		if err == io.EOF {
			err = errTransport
		}
		c.ended, c.endErr = true, err
		c.tellEnd()
		c.seeTo()
	}
}

// OnRecvStopped implements loop.Handler.
func (c *Conn) OnRecvStopped() {
	c.armed = armedNot
	if c.phase == phaseClosing {
		return
	}
	c.seeTo()
}

// stopped answers StopRecv.
func (c *Conn) stopped() {
	c.mode = modeOff
	c.busy = true
	c.h.OnRecvStopped()
	c.busy = false
}

// arm makes the real socket receive what the connection above wants, or defers what can be had without it.
func (c *Conn) arm() {
	if c.phase != phaseOpen {
		return
	}
	if c.mode != modeOff && c.waits() {
		c.env.deferred(c)
		return
	}
	if c.ended {
		return
	}
	switch c.mode {
	case modeMulti:
		if c.armed == armedNot || c.armed == armedStopping {
			c.armed = armedMulti
			c.Loop.StartRecv(c.id)
		}
	case modeInto:
		if c.armed != armedNot {
			break // when it has stopped
		}
		if c.r > 0 || len(c.held) != c.env.pool.LargeSize() {
			if !c.makeRoom(tlsrec.MaxRecord, true) {
				c.env.deferred(c)
				break
			}
		}
		c.armed = armedInto
		c.Loop.RecvInto(c.id, c.held[c.w:])
	case modeOff:
		if c.armed == armedMulti {
			c.armed = armedStopping
			c.Loop.StopRecv(c.id)
		}
	}
}

// holdsContent tells whether there may be content in what is held.
func (c *Conn) holdsContent() bool { return len(c.plain) > 0 || c.w > c.r && c.w-c.r >= c.need }

// waits tells whether something can be delivered without receiving anything.
func (c *Conn) waits() bool {
	return c.holdsContent() || c.ended && !c.endTold
}

// StartRecv implements loop.Loop.
func (c *Conn) StartRecv(id loop.ID) {
	if id != c.id {
		c.Loop.StartRecv(id)
		return
	}
	if c.phase == phaseClosing || c.endTold {
		return
	}
	if c.mode == modeInto {
		panic("secure: StartRecv while a RecvInto is in flight")
	}
	c.mode = modeMulti
	c.wanted()
}

// StopRecv implements loop.Loop.
func (c *Conn) StopRecv(id loop.ID) {
	if id != c.id {
		c.Loop.StopRecv(id)
		return
	}
	if c.phase == phaseClosing || c.mode != modeMulti {
		return
	}
	c.mode = modeStopping
	switch {
	case c.armed == armedMulti:
		c.armed = armedStopping
		c.Loop.StopRecv(c.id)
	case !c.busy:
		c.env.deferred(c)
	}
}

// RecvInto implements loop.Loop.
func (c *Conn) RecvInto(id loop.ID, p []byte) {
	if id != c.id {
		c.Loop.RecvInto(id, p)
		return
	}
	if c.phase == phaseClosing || c.endTold {
		return
	}
	if c.mode != modeOff || len(p) == 0 {
		panic("secure: RecvInto with no room, or while a receive is on")
	}
	c.mode, c.dst = modeInto, p
	c.wanted()
}

// wanted sees to a new wish of the connection above, at once or when the work at hand is done.
func (c *Conn) wanted() {
	if !c.busy {
		c.arm()
	}
}
