package loop

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/clock"
)

// core is what all engines share: sockets' slots, timers, mailbox, time, counters, and the list of local events
// (those that come from the engine itself instead of the kernel, and that must not call back synchronously).
type core struct {
	opts  Options
	clk   clock.Clock
	now   clock.Sample
	slots table
	wheel wheel
	mail  mailbox
	stats Stats
	info  Info

	pending, batch []ID // sockets with local events; batch is the list being worked off
	later          deferredList
	wish           int64 // Now at which OnTurn wants to be called, 0: no wish
	accepted       int   // descriptor that is being handed over by OnAccept, else -1
	yielded        int64 // Now of the last yield
	running        bool
	ended          bool
}

func (c *core) init(o Options, clk clock.Clock) {
	c.opts = o
	c.clk = clk
	c.now = clk.Sample()
	c.accepted = -1
	c.slots.init()
	c.wheel.init(c.now.Mono)
	if o.OnTurn != nil {
		c.wish = c.now.Mono // the first turn must not sleep before OnTurn was asked
	}
}

// maxEntries keeps the completion queue, four times as large, within the kernel's limit of 65536.
const maxEntries = 16384

// withDefaults fills in the sizes.
func (o Options) withDefaults() Options {
	if o.Engine == "" {
		o.Engine = "auto"
	}
	if o.Entries <= 0 {
		o.Entries = 1024
	}
	o.Entries = min(o.Entries, maxEntries)
	if o.Buffers <= 0 {
		o.Buffers = 512
	}
	if o.BufferSize <= 0 {
		o.BufferSize = DefaultBufferSize
	}
	return o
}

// queue puts a socket on the list of local events.
func (c *core) queue(s *slot, id ID) {
	if !s.is(sQueued) {
		s.state |= sQueued
		c.pending = append(c.pending, id)
	}
}

// takePending returns the sockets with local events. What is queued from here on belongs to the next turn.
func (c *core) takePending() []ID {
	c.pending, c.batch = c.batch[:0], c.pending
	return c.batch
}

// budget is how long the loop may sleep, in nanoseconds from the present: -1 for ever, 0 not at all.
func (c *core) budget() int64 {
	if len(c.pending) > 0 || c.later.head != nil {
		return 0
	}
	at := c.wheel.next()
	if c.wish != 0 && (at == 0 || c.wish < at) {
		at = c.wish
	}
	if at == 0 {
		return -1
	}
	return max(at-c.clk.Mono(), 0)
}

// endTurn does what follows the kernel's events in every engine: timers, mail, OnTurn, deferred work.
func (c *core) endTurn() {
	c.wheel.advance(c.now.Mono)
	c.mail.drain()
	if c.opts.OnTurn != nil {
		c.wish = c.opts.OnTurn(c.now.Mono)
	}
	c.later.run()
}

func (c *core) free(s *slot, id ID) {
	if !s.is(sListener) {
		c.stats.Sockets--
	}
	c.slots.release(s, id)
}

// lastEvent ends a closed socket or listener: its slot is free, then its owner hears of it.
func (c *core) lastEvent(s *slot, id ID) {
	h, acc, mute := s.h, s.acc, s.is(sMute)
	c.free(s, id)
	switch {
	case mute:
	case acc != nil:
		acc.OnListenClosed()
	default:
		h.OnClose()
	}
}

// dead tells, after a callback, whether the socket is no longer the one it was, or is being closed.
func (c *core) dead(s *slot, id ID) bool { return c.slots.get(id) != s || s.is(sClosing) }

// socket takes a slot for a socket.
func (c *core) socket(fd int, h Handler) (*slot, ID) {
	s, id := c.slots.take()
	s.h = h
	s.fd = int32(fd)
	c.stats.Sockets++
	return s, id
}

// SetHandler implements Loop.
func (c *core) SetHandler(id ID, h Handler) {
	if s := c.slots.get(id); s != nil && !s.is(sListener) {
		s.h = h
	}
}

// FD implements Loop.
func (c *core) FD(id ID) int {
	if s := c.slots.get(id); s != nil && !s.is(sClosing) {
		return int(s.fd)
	}
	return -1
}

// Now implements Loop.
func (c *core) Now() int64 { return c.now.Mono }

// Wall implements Loop.
func (c *core) Wall() time.Time { return c.now.Wall }

// Arm implements Loop.
func (c *core) Arm(t *Timer, d time.Duration) { c.wheel.arm(t, c.now.Mono, int64(d)) }

// Disarm implements Loop.
func (c *core) Disarm(t *Timer) { c.wheel.disarm(t) }

// Defer implements Loop.
func (c *core) Defer(d *Deferred) { c.later.push(d) }

// Post implements Loop.
func (c *core) Post(f func()) bool { return c.mail.post(f) }

// Stop implements Loop.
func (c *core) Stop() { c.mail.stop() }

// Info implements Loop.
func (c *core) Info() Info { return c.info }

// Stats implements Loop.
func (c *core) Stats() Stats {
	st := c.stats
	st.Timers = c.wheel.armed
	return st
}

// beginSend checks and records a Send. False when there is nothing to do.
func (c *core) beginSend(id ID, p []byte) (*slot, bool) {
	s := c.slots.get(id)
	if s == nil || s.is(sClosing|sListener) {
		return nil, false
	}
	if s.is(sSending) {
		panic("loop: second Send while one is in flight")
	}
	s.state |= sSending
	s.send, s.sent = p, 0
	if s.is(sBroken) || len(p) == 0 {
		s.state |= sSendDone
		c.queue(s, id)
		return nil, false
	}
	return s, true
}

// sendDone tells the handler that its Send is over.
func (c *core) sendDone(s *slot, err error) {
	n := s.sent
	s.state &^= sSending | sSendDone | sFinal
	s.send, s.sent = nil, 0
	s.h.OnSend(n, err)
}

// recvEnd tells the handler that nothing more will be received.
func (c *core) recvEnd(s *slot, err error) {
	s.state = s.state&^(sRecvOn|sRecvStop|sRecvOnce|sReadable) | sRecvEnded
	s.recv, s.src = nil, nil
	s.h.OnRecvEnd(err)
}

// beginRecvInto checks and records a RecvInto, or with src a RecvReady. False when there is nothing to do.
func (c *core) beginRecvInto(id ID, p []byte, src BufferSource) (*slot, bool) {
	s := c.slots.get(id)
	if s == nil || s.is(sClosing|sListener|sRecvEnded) {
		return nil, false
	}
	if s.is(sRecvOn|sRecvStop|sRecvOnce) || len(p) == 0 && src == nil {
		panic("loop: RecvInto with no room, or while a receive is on")
	}
	s.state |= sRecvOnce
	s.recv, s.src = p, src
	if s.is(sBroken) {
		c.queue(s, id)
		return nil, false
	}
	return s, true
}

// noBuffer ends a RecvReady whose source has no buffer.
func (c *core) noBuffer(s *slot) {
	s.state &^= sRecvOnce
	s.src = nil
	s.h.OnRecvStopped()
}
