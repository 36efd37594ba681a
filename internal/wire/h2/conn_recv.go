package h2

import "encoding/binary"

// Feed takes in bytes of the transport and returns how many it has used; the rest, always less than a frame, must be
// given again with more behind it. After an error, a GOAWAY frame stands in Out, all streams are closed, and the
// connection must be closed once Out is sent. An error is always the connection's; those of streams are dealt with here.
func (c *Conn) Feed(in []byte) (int, *Error) {
	if c.err != nil {
		return 0, c.err
	}
	n := 0
	if int(c.prefaceSeen) < len(Preface) {
		for n < len(in) && int(c.prefaceSeen) < len(Preface) {
			if in[n] != Preface[c.prefaceSeen] {
				return n, c.fail(ErrPreface)
			}
			c.prefaceSeen++
			n++
		}
	}
	for {
		used, err := c.step(in[n:])
		n += used
		if err == nil {
			err = c.err // the owner may have aborted
		}
		if err != nil {
			return n, c.fail(err)
		}
		if used == 0 {
			return n, nil
		}
	}
}

// step takes one frame, or a piece of DATA, from the front of in; 0: more bytes are needed.
func (c *Conn) step(in []byte) (int, *Error) {
	if c.data.left > 0 {
		return c.dataPiece(in)
	}
	if len(in) < HeaderBytes {
		return 0, nil
	}
	h := ParseHeader(in)
	if int(h.Length) > c.cfg.Limits.FrameBytes {
		return 0, ErrFrameLarge // RFC 9113 section 4.2
	}
	if !c.peer.seen && (h.Type != FrameSettings || h.Has(FlagAck)) {
		return 0, ErrFirstFrame // section 3.4
	}
	// Section 6.10: nothing may come between HEADERS and its CONTINUATIONs.
	if c.block.open != (h.Type == FrameContinuation) || c.block.open && c.block.stream != h.Stream {
		return 0, ErrContinuation
	}
	if h.Type == FrameData {
		return c.beginData(h, in)
	}
	end := HeaderBytes + int(h.Length)
	if len(in) < end {
		return 0, nil
	}
	f := &c.frame
	err := ParseFrame(h, in[HeaderBytes:end], f)
	switch {
	case err == nil:
		err = c.dispatch(f)
	case err == ErrSelfDependency && h.Type == FrameHeaders:
		c.block.fault = err // the block must be decoded all the same
		err = c.headers(f)
	}
	if err != nil && !err.Conn {
		err = c.frameFault(h, err)
	}
	return end, err
}

// frameFault answers the stream error of a single frame. On a stream that is not open it is the connection's, or
// nothing: RST_STREAM for an idle stream is forbidden (RFC 9113 section 6.4).
func (c *Conn) frameFault(h FrameHeader, e *Error) *Error {
	if c.streams.get(h.Stream) == nil {
		if !c.idle(h.Stream) {
			return nil
		}
		if e == ErrPrioritySize {
			return ErrFrameSize
		}
		return ErrIdle
	}
	return c.streamFault(h.Stream, e)
}

func (c *Conn) dispatch(f *Frame) *Error {
	switch f.Type {
	case FrameHeaders:
		return c.headers(f)
	case FrameContinuation:
		return c.continuation(f)
	case FrameRSTStream:
		return c.rstStream(f)
	case FrameSettings:
		return c.settings(f)
	case FramePushPromise:
		return ErrPush
	case FramePing:
		return c.ping(f)
	case FrameGoAway:
		return c.goAway(f)
	case FrameWindowUpdate:
		return c.windowUpdate(f)
	case FramePriorityUpdate:
		return c.priorityUpdate(f)
	}
	// PRIORITY, and unknown types, which are ignored (RFC 9113 section 5.5).
	if !c.spend(floodControl) {
		return ErrControl
	}
	return nil
}

// idle tells whether a stream has not been opened yet, by either side.
func (c *Conn) idle(id uint32) bool {
	if id&1 == c.nextOwn&1 {
		return id >= c.nextOwn
	}
	return id > c.lastPeer
}

// rstStream: RFC 9113 section 6.4. A stream that ends so before its end costs its sender (rapid reset).
func (c *Conn) rstStream(f *Frame) *Error {
	s := c.streams.get(f.Stream)
	if s == nil {
		if c.idle(f.Stream) {
			return ErrIdle
		}
		if !c.spend(floodControl) {
			return ErrControl
		}
		return nil
	}
	// A server may end an upload it does not need with NO_ERROR behind its whole response (section 8.1): for the client
	// that is a good end.
	c.closeStream(s, f.Code, ByPeer)
	if !c.cfg.Client && !c.spend(floodReset) {
		return ErrResets
	}
	return nil
}

// ping: RFC 9113 section 6.7.
func (c *Conn) ping(f *Frame) *Error {
	data := binary.BigEndian.Uint64(f.Payload)
	if f.Has(FlagAck) {
		if data == drainPing && c.draining && !c.cfg.Client {
			c.DrainNow()
			return nil
		}
		if !c.spend(floodControl) {
			return ErrControl
		}
		c.handler.Pong(data)
		return nil
	}
	if !c.spend(floodControl) {
		return ErrControl
	}
	c.out = AppendPing(c.out, FlagAck, data)
	return nil
}

// goAway: RFC 9113 section 6.8.
func (c *Conn) goAway(f *Frame) *Error {
	if !c.spend(floodControl) {
		return ErrControl
	}
	c.goingAway = true
	c.handler.GoAway(f.Ref, f.Code)
	// What we opened above the last one was not looked at.
	for i := 0; i < len(c.streams.slots) && c.err == nil; i++ {
		if s := c.streams.slots[i]; s != nil && s.id&1 == c.nextOwn&1 && s.id > f.Ref {
			c.closeStream(s, RefusedStream, ByGoAway)
			i = -1 // the table has changed
		}
	}
	return nil
}

// priorityUpdate: RFC 9218 section 7.1.
func (c *Conn) priorityUpdate(f *Frame) *Error {
	if c.cfg.Client {
		return ErrPriorityUpdate
	}
	if f.Ref&1 == 0 {
		return ErrStreamID
	}
	if !c.spend(floodControl) {
		return ErrControl
	}
	p := ParsePriority(f.Payload)
	if s := c.streams.get(f.Ref); s != nil {
		c.queue.reprioritize(s, p)
	} else if c.idle(f.Ref) {
		c.early.put(f.Ref, p)
	}
	return nil
}
