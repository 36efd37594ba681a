package secure

import (
	"errors"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// Close implements loop.Loop. After close_notify the socket is closed at once. A fatal alert is worth more: without it the peer would
// only see a reset, so what the peer still sends is received and dropped for a while.
func (c *Conn) Close(id loop.ID) {
	if id != c.id {
		c.Loop.Close(id)
		return
	}
	if c.phase == phaseClosing {
		return
	}
	was := c.phase
	alert := c.alerted()
	c.close()
	switch {
	case c.t == nil || c.sendErr != nil:
		c.drop()
	case alert:
		c.lingering = true
		c.since = c.Now()
		c.env.lingering.push(c)
		if !c.env.linger.Armed() {
			c.env.loop.Arm(&c.env.linger, lingerTime)
		}
		if c.armed == armedNot && !c.ended {
			c.armed = armedMulti
			c.Loop.StartRecv(c.id)
		}
		c.endStep()
	default:
		if was == phaseOpen && !c.sending && !c.upSending {
			// The loop tries to send at once and gives up with the close: as much as can be done without waiting.
			c.t.CloseNotify()
			c.flush()
		}
		c.drop()
	}
}

// alerted tells whether a fatal alert of ours is on its way or waits.
func (c *Conn) alerted() bool {
	if c.t == nil || c.t.Pending() == 0 && !c.sending {
		return false
	}
	var e *tlsrec.Error
	return c.phase == phaseFailed || errors.As(c.endErr, &e) && e.HasAlert() && !e.Received
}

// close is what Close and Reset have in common: nothing is reported any more but OnClose.
func (c *Conn) close() {
	c.leaveSlot()
	c.phase = phaseClosing
	c.queued = false
	c.upSending, c.content, c.dst = false, nil, nil
	if c.armed != armedInto && !c.busy { // the real socket may still write to held, or a callback read it
		c.unhold()
	}
}

// endStep goes on with the end of a lingering connection: what is pending, FIN, and then the peer's turn.
func (c *Conn) endStep() {
	if !c.lingering {
		return
	}
	c.shutdown = true
	c.flush()
	if c.ended && !c.sending {
		c.drop()
	}
}

// discard counts what comes while lingering.
func (c *Conn) discard(n int) {
	if c.dropped += n; c.dropped > lingerBytes {
		c.drop()
	}
	if c.armed == armedInto {
		c.armed = armedMulti
		c.Loop.StartRecv(c.id)
	}
}

// drop closes the real socket.
func (c *Conn) drop() {
	if c.lingering {
		c.lingering = false
		c.env.lingering.remove(c)
	}
	c.Loop.Close(c.id)
}

// Reset implements loop.Loop.
func (c *Conn) Reset(id loop.ID) {
	if id != c.id {
		c.Loop.Reset(id)
		return
	}
	if c.phase != phaseClosing {
		c.close()
		c.Loop.Reset(c.id)
	}
}

// OnClose implements loop.Handler.
func (c *Conn) OnClose() {
	e := c.env
	c.unhold()
	c.putOut()
	if c.active {
		e.of(c).Active--
	}
	if c.t != nil {
		c.t.Close()
	}
	h := c.h
	e.release(c)
	h.OnClose()
}
