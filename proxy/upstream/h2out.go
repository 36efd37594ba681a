package upstream

import "unsafe"

// The output of an h2Conn: it gathers in a buffer of the pool while the one before is in flight.

// send sends what there is.
func (c *h2Conn) send() {
	if c.sending || !c.connected || c.broken || c.closing {
		return
	}
	c.pump()
	out := c.codec.Out()
	if len(out) == 0 {
		c.dropBase()
		if c.lastWords {
			c.shut()
		}
		return
	}
	if c.onBase(out) {
		c.flight = c.base
		c.base = nil
	} else {
		c.dropBase()
	}
	c.codec.SetOut(nil)
	c.sending = true
	c.l.Send(c.id, out)
}

// OnSend implements loop.Handler.
func (c *h2Conn) OnSend(n int, err error) {
	e := c.env()
	c.sending = false
	if c.flight != nil {
		e.Pool.Put(c.flight)
		c.flight = nil
	}
	if c.closing {
		return
	}
	e.Count.UpstreamBytesOut += uint64(n)
	if err != nil {
		// What the endpoint sent before it stopped reading may still be on its way in: answers, or a GOAWAY.
		c.broken = true
		c.retire()
		if c.lastWords {
			c.shut()
			return
		}
		c.armGrace()
		return
	}
	if c.paused && len(c.codec.Out()) <= outHigh {
		c.paused = false
		c.recv.Start(c.l, c.id, e.Pool)
	}
	c.touch()
}

// room makes sure that n more bytes of output fit into a buffer of the pool. False: they would not, and the codec would allocate.
func (c *h2Conn) room(n int) bool {
	out := c.codec.Out()
	if cap(out)-len(out) >= n {
		return true
	}
	p := c.env().Pool
	buf := p.SmallBuffer()
	if buf != nil && cap(buf) < len(out)+n {
		p.Put(buf)
		if buf = p.LargeBuffer(); buf != nil && cap(buf) < len(out)+n {
			p.Put(buf)
			buf = nil
		}
	}
	if buf == nil {
		return false
	}
	moved := append(buf[:0], out...)
	c.dropBase()
	c.base = buf
	c.codec.SetOut(moved)
	return true
}

// onBase tells whether the output still is in the pool's buffer and did not outgrow it.
func (c *h2Conn) onBase(out []byte) bool {
	return c.base != nil && unsafe.SliceData(out) == unsafe.SliceData(c.base)
}

// dropBase gives the buffer under the output back, whose content has been moved or is empty.
func (c *h2Conn) dropBase() {
	if c.base == nil {
		return
	}
	c.env().Pool.Put(c.base)
	c.base = nil
	c.codec.SetOut(nil)
}
