package h2

// pendingData is a DATA frame of which not all has come. It is handed on in pieces.
type pendingData struct {
	s    *Stream // nil: dropped
	id   uint32
	left int // bytes still to come, padding included
	pad  int // how many of them are padding, at the end
	end  bool
}

// beginData checks a DATA frame by its header, and the padding's length (RFC 9113 section 6.1). All of the frame counts
// against the windows, whatever becomes of it (section 6.9.1).
func (c *Conn) beginData(h FrameHeader, in []byte) (int, *Error) {
	if h.Stream == 0 {
		return 0, ErrStreamZero
	}
	n, size, pad := HeaderBytes, int(h.Length), 0
	if h.Has(FlagPadded) {
		if size == 0 {
			return 0, ErrFrameSize
		}
		if len(in) == n {
			return 0, nil
		}
		pad = int(in[n])
		if pad >= size {
			return 0, ErrPadding
		}
		n++
		size--
	}
	if int64(h.Length) > c.recvLeft {
		return 0, ErrConnWindow
	}
	c.recvLeft -= int64(h.Length)
	s := c.streams.get(h.Stream)
	if s == nil && c.idle(h.Stream) {
		return 0, ErrIdle
	}
	end := h.Has(FlagEndStream)
	fault := c.checkData(s, h, size-pad, end)
	if fault != nil && fault.Conn {
		return 0, fault
	}
	if fault != nil {
		if fault = c.streamFault(h.Stream, fault); fault != nil {
			return 0, fault
		}
		s = nil
	}
	c.data = pendingData{s: s, id: h.Stream, left: size, pad: pad, end: end}
	c.creditFrame(s, int(h.Length), size-pad)
	if size == pad && end && s != nil {
		c.endData(s, nil)
	}
	return n, nil
}

// checkData checks a DATA frame against its stream; s is nil when that is closed.
func (c *Conn) checkData(s *Stream, h FrameHeader, size int, end bool) *Error {
	if !end && size < c.cfg.Limits.SmallBytes {
		if size == 0 && !c.spend(floodEmpty) {
			return ErrEmpty
		}
		if !c.spend(floodSmall) {
			return ErrSmallData
		}
	} else {
		c.earn(floodSmall, 1)
	}
	switch {
	case s == nil:
		if c.wasReset(h.Stream) {
			return nil
		}
		return ErrClosed
	case s.remoteDone:
		return ErrClosed
	case !s.headIn:
		return ErrDataFirst
	case int64(h.Length) > s.recvLeft:
		return ErrStreamWindow
	}
	s.recvLeft -= int64(h.Length)
	if s.expect >= 0 {
		if s.expect -= int64(size); s.expect < 0 || end && s.expect > 0 {
			return ErrContentLength // section 8.1.1
		}
	}
	return nil
}

// creditFrame gives back at once what nobody has to consume: padding, and all of a frame that is dropped.
func (c *Conn) creditFrame(s *Stream, all, size int) {
	if s == nil {
		c.owed += int64(all)
		c.giveBack()
		return
	}
	s.held += int64(size)
	s.received += int64(size)
	if more := int64(all - size); more > 0 {
		c.owed += more
		s.owed += more
		c.giveBack()
		c.giveBackStream(s)
	}
}

// dataPiece hands on what has come of the frame.
func (c *Conn) dataPiece(in []byte) (int, *Error) {
	d := &c.data
	n := min(len(in), d.left)
	if n == 0 {
		return 0, nil
	}
	size := min(n, max(0, d.left-d.pad))
	d.left -= n
	if s := d.s; s != nil && size > 0 && s.id == d.id {
		if d.end && d.left <= d.pad {
			c.endData(s, in[:size])
		} else {
			c.handler.Data(s, in[:size], false)
		}
	}
	return n, nil
}

// endData hands on the last piece of a body.
func (c *Conn) endData(s *Stream, p []byte) {
	id := s.id
	s.remoteDone = true
	c.handler.Data(s, p, true)
	if c.alive(s, id) {
		c.finish(s)
	}
}
