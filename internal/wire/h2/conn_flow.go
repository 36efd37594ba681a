package h2

// Flow control (RFC 9113 sections 5.2 and 6.9).

// Consume says that the owner has no more use for n bytes of DATA of a stream, so that the peer may send as many again.
// What was not consumed when a stream is closed is given back to the connection by itself.
func (c *Conn) Consume(s *Stream, n int) {
	if n = int(min(int64(n), s.held)); n <= 0 || s.closed || c.err != nil {
		return
	}
	s.held -= int64(n)
	s.owed += int64(n)
	c.owed += int64(n)
	c.giveBackStream(s)
	c.giveBack()
}

// giveBack sends WINDOW_UPDATE for the connection once half of its window has been used up: rarer would stall the peer,
// more often would cost frames.
func (c *Conn) giveBack() {
	if c.owed > 0 && 2*c.owed >= int64(max(c.cfg.Limits.ConnWindow, DefaultWindow)) && c.err == nil {
		c.out = AppendWindowUpdate(c.out, 0, uint32(c.owed))
		c.recvLeft += c.owed
		c.owed = 0
	}
}

// giveBackStream does the same for a stream, as long as more can come. A stream that has used its window twice over gets
// one of double size. Under Tight none grows, and one that has grown is given less than it used, until it is back at the
// size that streams begin with (a receiver may shrink a window only so, RFC 9113 section 6.9.3).
func (c *Conn) giveBackStream(s *Stream) {
	l := &c.cfg.Limits
	if c.Tight && c.acked {
		if cut := min(s.owed, s.recvMax-int64(l.StreamWindow)); cut > 0 {
			s.recvMax -= cut
			s.owed -= cut
		}
	}
	if s.remoteDone || s.owed == 0 || 2*s.owed < s.recvMax {
		return
	}
	n := s.owed
	if limit := int64(l.MaxStreamWindow); !c.Tight && s.received >= 2*s.recvMax && s.recvMax < limit {
		more := min(s.recvMax, limit-s.recvMax)
		s.recvMax += more
		n += more
	}
	c.out = AppendWindowUpdate(c.out, s.id, uint32(n))
	s.recvLeft += n
	s.owed = 0
}

// windowUpdate: RFC 9113 section 6.9.
func (c *Conn) windowUpdate(f *Frame) *Error {
	if !c.spend(floodWindow) {
		return ErrWindows
	}
	if f.Stream == 0 {
		if c.sendLeft += int64(f.Increment); c.sendLeft > MaxWindow {
			return ErrConnWindowLarge
		}
		return nil
	}
	s := c.streams.get(f.Stream)
	if s == nil {
		if c.idle(f.Stream) {
			return ErrIdle
		}
		return nil // it may have crossed the end of the stream
	}
	if s.sendLeft += int64(f.Increment); s.sendLeft > MaxWindow {
		return ErrWindowLarge
	}
	c.requeue(s)
	return nil
}

// moveSendWindows applies a new initial window to all streams (RFC 9113 section 6.9.2).
func (c *Conn) moveSendWindows(size int64) *Error {
	delta := size - c.peer.window
	c.peer.window = size
	for _, s := range c.streams.slots {
		if s == nil {
			continue
		}
		if s.sendLeft += delta; s.sendLeft > MaxWindow {
			return ErrSettingsWindow
		}
		c.requeue(s)
	}
	return nil
}

// requeue brings a stream back that waited for its window.
func (c *Conn) requeue(s *Stream) {
	if s.parked && s.sendLeft > 0 {
		c.unpark(s)
		c.queue.push(s)
	}
}

func (c *Conn) unpark(s *Stream) {
	if s.parked {
		s.parked = false
		c.parked--
	}
}

// Schedule says that a stream has data to write. Next will return it in its turn, once its window is open.
func (c *Conn) Schedule(s *Stream) {
	if s.closed || s.parked || s.localDone {
		return
	}
	if s.sendLeft <= 0 {
		s.parked = true
		c.parked++
		return
	}
	c.queue.push(s)
}

// Next returns the stream that should write now, nil when there is none or the connection window is closed. It has one
// turn: the owner calls WriteData, and Schedule again when there is more to write.
func (c *Conn) Next() *Stream {
	for c.sendLeft > 0 && c.err == nil {
		s := c.queue.pop()
		if s == nil {
			return nil
		}
		if s.sendLeft > 0 {
			return s
		}
		c.Schedule(s) // a setting has closed its window meanwhile
	}
	return nil
}

// blocked tells whether data waits for the peer's windows.
func (c *Conn) blocked() bool {
	return c.parked > 0 || c.queue.levels != 0 && c.sendLeft <= 0
}
