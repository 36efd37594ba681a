package secure

import (
	"github.com/blitz-gateway/blitz/internal/loop"
)

// Send implements loop.Loop.
func (c *Conn) Send(id loop.ID, p []byte) {
	if id != c.id {
		c.Loop.Send(id, p)
		return
	}
	if c.phase == phaseClosing {
		return
	}
	if c.upSending {
		panic("secure: second Send while one is in flight")
	}
	c.upSending = true
	c.content, c.total, c.left, c.sealed = p, len(p), 0, 0
	if c.phase != phaseOpen || c.shutdown {
		c.sendErr = errBroken
	}
	if len(p) == 0 || c.sendErr != nil {
		c.env.deferred(c)
		return
	}
	now := c.Now()
	if now-c.since > idleTime {
		c.t.Sizer().Idle()
	}
	c.since = now
	if !c.sending {
		c.seal()
	}
}

// flush sends what TLS has to say by itself: flights, answers to KeyUpdate, alerts. While something is in flight it waits for that.
func (c *Conn) flush() {
	if c.sending || c.t == nil || c.finSent {
		return
	}
	n := c.t.Pending()
	if n == 0 {
		if c.shutdown && !c.upSending {
			c.finSent = true
			c.Loop.Shutdown(c.id)
		}
		return
	}
	c.room(n)
	c.transmit(c.t.AppendPending(c.out[:0]))
}

// room readies out for n bytes.
func (c *Conn) room(n int) {
	pool := c.env.pool
	var buf []byte
	if n <= pool.SmallSize() {
		buf = pool.SmallBuffer()
	} else if n <= pool.SealSize() {
		buf = pool.SealBuffer()
	}
	if c.outHeap = buf == nil; c.outHeap {
		buf = make([]byte, n) // seldom: a long chain of certificates, or a pool that is used up
	}
	c.out = buf
}

func (c *Conn) transmit(b []byte) {
	c.sending = true
	c.out = b
	c.Loop.Send(c.id, b)
}

// seal sends the next part of the content.
func (c *Conn) seal() {
	pool := c.env.pool
	n := len(c.content)
	size := c.t.SealedLen(n)
	if size > pool.SealSize() {
		n = min(n, pool.LargeSize())
		if size = c.t.SealedLen(n); size > pool.SealSize() { // much is pending: that first
			c.flush()
			return
		}
	}
	c.room(size)
	b, err := c.t.Seal(c.out[:0], c.content[:n])
	if err != nil {
		c.putOut()
		c.sendErr = err
		c.env.deferred(c)
		return
	}
	c.content = c.content[n:]
	c.sealed = n
	c.transmit(b)
}

func (c *Conn) putOut() {
	if c.out != nil && !c.outHeap {
		c.env.pool.Put(c.out)
	}
	c.out = nil
}

// OnSend implements loop.Handler.
func (c *Conn) OnSend(n int, err error) {
	c.sending = false
	c.putOut()
	if err != nil {
		if n > 0 && c.sealed > 0 {
			c.left += max(1, min(n, c.sealed)-1) // something has left; how much of the content cannot be told
		}
		c.sendErr = err
		c.sealed = 0
		switch {
		case c.phase == phaseClosing:
			c.drop()
		case c.upSending:
			c.sendDone(err)
		}
		return
	}
	c.left += c.sealed
	c.sealed = 0
	switch {
	case c.phase == phaseClosing:
		c.endStep()
		return
	case c.upSending && len(c.content) > 0:
		c.seal()
		return
	case c.upSending:
		c.sendDone(nil)
		if c.gone() || c.sending {
			return
		}
	}
	c.flush()
}

func (c *Conn) sendDone(err error) {
	n := c.left
	c.upSending, c.content = false, nil
	if err == nil {
		n = c.total
	}
	c.h.OnSend(n, err)
}

// Shutdown implements loop.Loop: close_notify, then FIN.
func (c *Conn) Shutdown(id loop.ID) {
	if id != c.id {
		c.Loop.Shutdown(id)
		return
	}
	if c.phase == phaseClosing || c.shutdown {
		return
	}
	c.shutdown = true
	if c.t != nil {
		c.t.CloseNotify()
	}
	c.flush()
}
