package client

import "time"

// graceAfterInterrupt is how long outstanding requests may take after an interrupt.
const graceAfterInterrupt = int64(time.Second)

// lingerLimit is how long a connection that the server said it would close may stay open before we close it ourselves.
const lingerLimit = int64(time.Second)

func (c *Client) sweepEvery() int64 {
	return max(min(int64(c.cfg.Timeout)/20, int64(250*time.Millisecond)), int64(time.Millisecond))
}

// turn is called by the loop once per turn and returns when it wants to be called again at the latest.
func (c *Client) turn(now int64) int64 {
	next := c.advance(now)
	c.flush()
	c.recordLateness()
	return next
}

func (c *Client) advance(now int64) int64 {
	switch c.phase {
	case connecting:
		if now >= c.giveUp {
			c.toDial, c.dialing = 0, 0
			c.ready(nil)
			return 0
		}
		return c.giveUp
	case standing, finished:
		return 0
	}
	c.window(now)
	next := c.nextSweep
	if now >= c.nextSweep {
		c.sweep(now)
		c.nextSweep = now + c.sweepEvery()
		next = c.nextSweep
	}
	if c.windowOpen && now >= c.nextRotate {
		c.rec.Rotate(now)
		for c.nextRotate <= now {
			c.nextRotate += int64(c.cfg.Interval)
		}
	}
	if at := c.start(now); at != 0 {
		next = min(next, at)
	}
	if c.over(now) {
		c.finish()
		return 0
	}
	if !c.windowOpen && !c.windowDone {
		next = min(next, c.plan.From)
	} else if c.windowOpen {
		next = min(next, c.plan.To, c.nextRotate)
	}
	return next
}

// flush sends what the turn has written: for HTTP/2 one send for each connection, however many requests.
func (c *Client) flush() {
	for _, m := range c.dirty {
		m.flush()
	}
	c.dirty = c.dirty[:0]
}

// window notices that the measured window begins or ends.
func (c *Client) window(now int64) {
	if !c.windowOpen && !c.windowDone && now >= c.plan.From {
		c.windowOpen = true
		c.cfg.Window(true)
	}
	if c.windowOpen && now >= c.plan.To {
		c.windowOpen, c.windowDone = false, true
		c.cfg.Window(false)
	}
}

// measured tells whether a request with this intended start counts.
func (c *Client) measured(intended int64) bool {
	return intended >= c.plan.From && intended < c.plan.To
}

// start begins all requests that can begin now. It returns when the next one is due, 0 if that is not a matter of time.
func (c *Client) start(now int64) int64 {
	if c.cfg.Open {
		return c.startDue(now)
	}
	if now < c.plan.Start {
		return c.plan.Start
	}
	for now < c.plan.To {
		k := c.free()
		if k == nil {
			break
		}
		c.startClosed(k, now)
	}
	return 0
}

// startClosed begins the next request of a connection in closed mode.
func (c *Client) startClosed(k *conn, now int64) {
	req := &c.cfg.Requests[c.turnN%uint64(len(c.cfg.Requests))]
	c.turnN += uint64(c.cfg.Shards)
	k.begin(req, now, now)
}

// startDue begins the requests whose intended start has come, as long as connections are free.
func (c *Client) startDue(now int64) int64 {
	if c.interrupted {
		return 0
	}
	for {
		at, ok := c.sched.Peek()
		if !ok {
			return 0
		}
		due := c.plan.Start + int64(at)
		if due > now {
			return due
		}
		if now >= c.plan.To && now >= c.plan.SendUntil {
			return 0
		}
		k := c.free()
		if k == nil {
			c.backlog(now)
			return 0
		}
		req := &c.cfg.Requests[c.sched.Hit()%uint64(len(c.cfg.Requests))]
		c.sched.Advance()
		c.begun++
		if c.measured(due) {
			c.batch = append(c.batch, max(due, k.freeSince))
		}
		k.begin(req, due, now)
	}
}

// free returns a free connection: the one that has been idle longest, or one that has to be opened, or nil.
func (c *Client) free() *conn {
	if k := c.idle.pop(); k != nil {
		return k
	}
	return c.down.pop()
}

// backlog counts the requests that are due and wait for a connection.
func (c *Client) backlog(now int64) {
	if c.due < c.begun {
		c.ahead, c.due = c.sched, c.begun
	}
	for {
		at, ok := c.ahead.Peek()
		if !ok || c.plan.Start+int64(at) > now {
			break
		}
		c.ahead.Advance()
		c.due++
	}
	if now >= c.plan.From {
		c.rec.MaxBacklog = max(c.rec.MaxBacklog, c.due-c.begun)
	}
}

// recordLateness asks the clock how late the batch of this turn went out.
func (c *Client) recordLateness() {
	if len(c.batch) == 0 {
		return
	}
	sent := c.clock.Mono()
	for _, could := range c.batch {
		c.rec.Lateness.Record(sent - could)
	}
	c.batch = c.batch[:0]
}

// sweep gives up on what has taken too long.
func (c *Client) sweep(now int64) {
	for i := range c.conns {
		c.conns[i].expire(now)
	}
}

// over tells whether the run has ended: nothing is outstanding and nothing more will start.
func (c *Client) over(now int64) bool {
	if now < c.plan.To {
		return false
	}
	if c.interrupted && now >= c.plan.SendUntil {
		return true
	}
	if c.inflight > 0 {
		return false
	}
	if !c.cfg.Open || c.interrupted || now >= c.plan.SendUntil {
		return true
	}
	_, more := c.sched.Peek()
	return !more
}

// finish counts what never got an outcome and stops the loop.
func (c *Client) finish() {
	c.phase = finished
	for i := range c.conns {
		c.conns[i].abandon()
	}
	if c.cfg.Open {
		for at, ok := c.sched.Peek(); ok; at, ok = c.sched.Peek() {
			if c.measured(c.plan.Start + int64(at)) {
				c.rec.Requests++
				c.rec.Unsent++
			} else if c.plan.Start+int64(at) >= c.plan.To {
				break
			}
			c.sched.Advance()
		}
	}
	c.loop.Stop()
}

// interrupt moves the end of the window to at.
func (c *Client) interrupt(at int64) {
	if c.interrupted {
		return
	}
	c.interrupted = true
	c.plan.To = min(c.plan.To, at)
	c.plan.From = min(c.plan.From, c.plan.To)
	c.plan.SendUntil = at + graceAfterInterrupt
}
