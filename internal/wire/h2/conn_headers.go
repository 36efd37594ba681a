package h2

import "github.com/blitz-gateway/blitz/internal/wire"

// pendingBlock is a header block that CONTINUATION frames are to complete (RFC 9113 section 4.3).
type pendingBlock struct {
	buf    []byte
	stream uint32
	frames int
	open   bool
	end    bool
	fault  *Error // of the HEADERS frame, answered when the block is decoded
}

// keptBlock is how much memory of an assembled block is kept for the next one.
const keptBlock = 4 << 10

// headers takes a HEADERS frame. A block in one frame, which is the rule, is decoded where it stands.
func (c *Conn) headers(f *Frame) *Error {
	b := &c.block
	b.stream, b.end = f.Stream, f.Has(FlagEndStream)
	if f.Stream&1 == 0 { // streams of a server could only come from push; a client uses odd ones (section 5.1.1)
		return ErrStreamID
	}
	if f.Has(FlagEndHeaders) {
		return c.headerBlock(f.Payload)
	}
	if len(f.Payload) == 0 && !c.spend(floodEmpty) {
		return ErrEmpty
	}
	if len(f.Payload) > c.cfg.Limits.BlockBytes {
		return ErrBlockLarge
	}
	b.open, b.frames = true, 0
	b.buf = append(b.buf[:0], f.Payload...)
	return nil
}

// continuation takes a CONTINUATION frame, of which there may not be many, nor much in them.
func (c *Conn) continuation(f *Frame) *Error {
	b := &c.block
	b.frames++
	if b.frames > c.cfg.Limits.Continuations || len(b.buf)+len(f.Payload) > c.cfg.Limits.BlockBytes {
		return ErrBlockLarge
	}
	if len(f.Payload) == 0 && !c.spend(floodEmpty) {
		return ErrEmpty
	}
	b.buf = append(b.buf, f.Payload...)
	if !f.Has(FlagEndHeaders) {
		return nil
	}
	b.open = false
	err := c.headerBlock(b.buf)
	if cap(b.buf) > keptBlock {
		b.buf = nil
	}
	return err
}

// headerBlock decodes a complete block, always, so that the tables stay in step; then it is decided what it is.
func (c *Conn) headerBlock(block []byte) *Error {
	id, end, fault := c.block.stream, c.block.end, c.block.fault
	c.block.fault = nil
	if len(block) > c.cfg.Limits.BlockBytes {
		return ErrBlockLarge
	}
	if c.dec.Decode(block, &c.scratch.list) != nil {
		return ErrBlock
	}
	s := c.streams.get(id)
	var err *Error
	switch {
	case s != nil:
		if err = fault; err == nil {
			err = c.nextHead(s, end)
		}
	case c.cfg.Client:
		if c.idle(id) {
			return ErrIdle
		}
		return nil
	case !c.idle(id):
		if c.wasReset(id) {
			return nil
		}
		return ErrClosedHeaders
	default:
		err = c.newRequest(id, end, fault)
	}
	if err != nil && !err.Conn {
		return c.streamFault(id, err)
	}
	return err
}

// newRequest opens a stream (RFC 9113 section 5.1.1).
func (c *Conn) newRequest(id uint32, end bool, fault *Error) *Error {
	c.lastPeer = id
	if c.refusing {
		return nil // above the last stream of our GOAWAY: the client knows, or will (section 6.8)
	}
	if fault != nil {
		return fault
	}
	if c.streams.count >= c.cfg.Limits.Streams {
		return ErrRefused
	}
	prio, early := c.early.take(id)
	if !early {
		prio = DefaultPriority
	}
	if c.scratch.list.Large {
		return c.tooLarge(id, end)
	}
	r := &c.scratch.request
	h := head{list: &c.scratch.list, connect: c.cfg.ExtendedConnect, underscore: c.cfg.Limits.Message.AllowUnderscore,
		maxPath: c.cfg.Limits.Message.LineBytes, length: -1}
	if err := h.request(r, end); err != nil {
		return err
	}
	if end && h.length > 0 {
		return ErrContentLength
	}
	s := c.open(id)
	s.expect = h.length
	s.prio = prio
	if h.priority != nil && !early {
		s.prio = ParsePriority(h.priority)
	}
	s.headIn, s.remoteDone = true, end
	c.handler.Request(s, r, end)
	c.scratch.makeRoom(&h, r.Fields)
	return nil
}

// tooLarge answers a request whose head is over the limit. The owner never sees it.
func (c *Conn) tooLarge(id uint32, end bool) *Error {
	block := c.enc.Begin(nil)
	block = append(block, headTooLarge...)
	c.out = AppendFrame(c.out, FrameHeaders, FlagEndHeaders|FlagEndStream, id, block)
	if c.cfg.Fault != nil {
		c.cfg.Fault(c, ErrHeadLarge, false)
	}
	if !end {
		c.sendReset(id, NoError)
	}
	if !c.spend(floodReset) {
		return ErrResets
	}
	return nil
}

// nextHead takes what comes on an open stream: the response of a client's request, or trailers.
func (c *Conn) nextHead(s *Stream, end bool) *Error {
	list := &c.scratch.list
	switch {
	case s.remoteDone:
		return ErrClosed // RFC 9113 section 5.1, half-closed (remote)
	case list.Large:
		return ErrHeadLarge
	case s.headIn:
		return c.trailers(s, end)
	}
	r := &c.scratch.response
	h := head{list: list, length: -1}
	if err := h.response(r, s, end); err != nil {
		return err
	}
	if r.Status >= 200 {
		s.headIn = true
		s.expect = h.length
		if end && s.expect > 0 {
			return ErrContentLength
		}
	}
	id := s.id
	s.remoteDone = end
	c.handler.Response(s, r, end)
	c.scratch.makeRoom(&h, r.Fields)
	if end && c.alive(s, id) {
		c.finish(s)
	}
	return nil
}

// makeRoom has the next list begin with enough memory for the fields that the owner added to the head h, so that adding them allocates only once.
func (s *Scratch) makeRoom(h *head, fields []wire.Field) {
	if n := len(s.list.Fields) - len(h.fields) + len(fields); n > cap(s.list.Fields) {
		s.list.Fields = make([]wire.Field, 0, 2*n)
	}
}

// trailers: RFC 9113 section 8.1.
func (c *Conn) trailers(s *Stream, end bool) *Error {
	if !end {
		return ErrTrailersEnd
	}
	if s.expect > 0 {
		return ErrContentLength
	}
	h := head{list: &c.scratch.list, trailer: true, length: -1, underscore: c.cfg.Client || c.cfg.Limits.Message.AllowUnderscore}
	if err := h.trailers(); err != nil {
		return err
	}
	id := s.id
	s.remoteDone = true
	c.handler.Trailers(s, h.fields)
	if c.alive(s, id) {
		c.finish(s)
	}
	return nil
}

// open enters a stream with the windows that both sides know of.
func (c *Conn) open(id uint32) *Stream {
	s := c.streams.add(id)
	s.sendLeft = c.peer.window
	s.recvLeft = DefaultWindow
	if c.acked {
		s.recvLeft = int64(c.cfg.Limits.StreamWindow)
	}
	s.recvMax = s.recvLeft
	s.expect = -1
	s.prio = DefaultPriority
	return s
}
