package downstream

import "time"

// freshTime is the least that a connection which was only just accepted gets for its first request during a drain: it came from the
// kernel's queue, and its client knows of no drain.
const freshTime = time.Second

// Drain ends every connection gracefully: one with a request after its response, which says so when its head is still to be written; an
// unused one when nothing comes within grace. A client may be sending at this very moment, and closing would break that request, so
// only a grace of 0 closes at once.
func (e *Env) Drain(grace time.Duration) {
	e.draining, e.grace = true, grace
	for c := e.live; c != nil; c = c.next {
		c.leave()
	}
}

// Retire does the same for the connections of one listening address, of all the Listeners that share its Leaving.
func (e *Env) Retire(leaving *bool, grace time.Duration) {
	*leaving = true
	e.grace = grace
	for c := e.live; c != nil; c = c.next {
		if c.lst.Leaving == leaving {
			c.leave()
		}
	}
}

// leaving tells whether the connection shall end soon.
func (c *Conn) leaving() bool { return c.env.draining || c.lst.Leaving != nil && *c.lst.Leaving }

// leave ends an unused connection after the grace.
func (c *Conn) leave() {
	if c.h2 != nil {
		c.h2.drain()
		return
	}
	if c.x != nil || c.in.Len() > 0 || c.sending || c.closing || c.lingering {
		return
	}
	if c.env.grace <= 0 {
		c.shut()
		return
	}
	c.env.Loop.Arm(&c.timer, c.env.grace)
}

// leaveNow tells, at the end of a response, whether the connection ends here. One whose response promised to keep it is an unused one
// from now on.
func (c *Conn) leaveNow() bool {
	if !c.leaving() || c.in.Len() > 0 {
		return false
	}
	if c.env.grace <= 0 || !c.keepAlive {
		return true
	}
	if c.timer.Kind == waitNext && !c.last {
		c.last = true
		c.env.Loop.Arm(&c.timer, c.env.grace)
	}
	return false
}

// firstWait is how long a new connection may take for its first request.
func (c *Conn) firstWait() time.Duration {
	if c.leaving() {
		return min(c.lst.Header, max(c.env.grace, freshTime))
	}
	return c.lst.Header
}

// Inherit takes over what a Listener knows about its clients, when l replaces it for new connections.
func (l *Listener) Inherit(old *Listener) { l.sources = old.sources }
