package h2

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// RequestHead is what the pseudo-headers of a request say. Path is empty for CONNECT, Scheme too; Protocol is set for
// extended CONNECT (RFC 8441), which has both.
type RequestHead struct {
	Method                                        wire.Method
	MethodName, Scheme, Authority, Path, Protocol []byte
}

// CanOpen tells whether the peer would accept one more stream of ours.
func (c *Conn) CanOpen() bool {
	return c.cfg.Client && c.err == nil && !c.goingAway && c.nextOwn < maxStreamID &&
		c.streams.count < c.cfg.Limits.Streams && uint32(c.streams.count) < c.peer.maxStreams
}

// BeginRequest opens a stream and begins its head; fields follow by AddField, and EndHead. It returns nil when CanOpen
// does not hold.
func (c *Conn) BeginRequest(r *RequestHead) *Stream {
	if !c.CanOpen() {
		return nil
	}
	s := c.open(c.nextOwn)
	c.nextOwn += 2
	s.noBody = r.Method == wire.MethodHead
	s.connect = r.Method == wire.MethodConnect
	c.beginHead()
	c.out = c.enc.AppendMethod(c.out, r.Method, r.MethodName)
	if len(r.Scheme) > 0 {
		c.out = c.enc.AppendScheme(c.out, r.Scheme)
	}
	if len(r.Authority) > 0 {
		c.out = c.enc.AppendAuthority(c.out, r.Authority)
	}
	if len(r.Path) > 0 {
		c.out = c.enc.AppendPath(c.out, r.Path)
	}
	if len(r.Protocol) > 0 {
		c.out = c.enc.AppendProtocol(c.out, r.Protocol)
	}
	return s
}

// OpenBlock opens a stream with a head that was encoded before, by the stateless functions of hpack. It returns nil when
// CanOpen does not hold.
func (c *Conn) OpenBlock(method wire.Method, block []byte, end bool) *Stream {
	if !c.CanOpen() {
		return nil
	}
	s := c.open(c.nextOwn)
	c.nextOwn += 2
	s.noBody, s.connect = method == wire.MethodHead, method == wire.MethodConnect
	c.beginHead()
	c.out = append(c.out, block...)
	c.EndHead(s, end)
	return s
}

// BeginResponse begins the head of a response, or of an interim one. It must not be called twice for a final one.
func (c *Conn) BeginResponse(s *Stream, status int) {
	s.headOut = status >= 200
	c.beginHead()
	c.out = c.enc.AppendStatus(c.out, status)
}

// WriteBlock writes the head of a final response that was encoded before, by the stateless functions of hpack.
func (c *Conn) WriteBlock(s *Stream, block []byte, end bool) {
	s.headOut = true
	c.beginHead()
	c.out = append(c.out, block...)
	c.EndHead(s, end)
}

// WriteResponse writes the head of a response with all fields that are not marked Hop.
func (c *Conn) WriteResponse(s *Stream, status int, fields []wire.Field, end bool) {
	c.BeginResponse(s, status)
	c.AddFields(fields)
	c.EndHead(s, end)
}

// WriteTrailers ends the message of a stream with trailers, those that are not marked Hop.
func (c *Conn) WriteTrailers(s *Stream, fields []wire.Field) {
	c.beginHead()
	c.AddFields(fields)
	c.EndHead(s, true)
}

// AddField adds a field to the head that has been begun. The owner leaves out what HTTP/2 forbids (RFC 9113 section
// 8.2.2); names are put into lower case.
func (c *Conn) AddField(id wire.FieldID, name, value []byte) {
	c.out = c.enc.AppendField(c.out, id, name, value)
}

// AddFields adds all fields that are not marked Hop.
func (c *Conn) AddFields(fields []wire.Field) {
	for i := range fields {
		if f := &fields[i]; !f.Hop {
			c.out = c.enc.AppendField(c.out, f.ID, f.Name, f.Value)
		}
	}
}

// beginHead leaves room for the frame header, whose length is known at the end.
func (c *Conn) beginHead() {
	c.headAt = len(c.out)
	var room [HeaderBytes]byte
	c.out = c.enc.Begin(append(c.out, room[:]...))
}

// EndHead completes the head that has been begun. end: the message has no body, or these were its trailers. Closed is
// called when that ends the stream. A server that has answered in full before the request's end still has the stream; if
// it wants no more of it, Reset with NoError says so (RFC 9113 section 8.1).
func (c *Conn) EndHead(s *Stream, end bool) {
	h := FrameHeader{uint32(len(c.out) - c.headAt - HeaderBytes), FrameHeaders, FlagEndHeaders, s.id}
	if end {
		h.Flags |= FlagEndStream
	}
	if int(h.Length) > c.peer.maxFrame {
		c.splitHead(h)
	} else {
		putHeader(c.out[c.headAt:], h)
	}
	c.lastAt, c.lastID = c.headAt, s.id
	if end {
		c.endLocal(s)
	}
}

// splitHead spreads a block that is larger than a frame over CONTINUATIONs (RFC 9113 section 6.10). It is rare enough to
// allocate.
func (c *Conn) splitHead(h FrameHeader) {
	rest := append([]byte(nil), c.out[c.headAt+HeaderBytes:]...)
	c.out = c.out[:c.headAt]
	t, flags := FrameHeaders, h.Flags&^FlagEndHeaders
	for len(rest) > c.peer.maxFrame {
		c.out = AppendFrame(c.out, t, flags, h.Stream, rest[:c.peer.maxFrame])
		rest = rest[c.peer.maxFrame:]
		t, flags = FrameContinuation, 0
	}
	c.out = AppendFrame(c.out, t, flags|FlagEndHeaders, h.Stream, rest)
}

func (c *Conn) endLocal(s *Stream) {
	s.localDone = true
	c.queue.remove(s)
	c.unpark(s)
	c.finish(s)
}

// Writable is how many bytes of DATA the windows of stream and connection allow now.
func (c *Conn) Writable(s *Stream) int { return int(max(0, min(c.sendLeft, s.sendLeft))) }

// WriteData writes as much of p as the windows allow and returns how much that was. With end, the message is ended when
// all of p went out, which for an empty p needs no window; then Closed may be called. The end of a message that is still
// in Out is marked there, which saves an empty frame.
func (c *Conn) WriteData(s *Stream, p []byte, end bool) int {
	if s.closed || c.err != nil || s.localDone {
		return 0
	}
	if end && len(p) == 0 && c.lastID == s.id && (s.headOut || c.cfg.Client) {
		c.out[c.lastAt+flagsAt] |= byte(FlagEndStream)
		c.endLocal(s)
		return 0
	}
	n := min(len(p), c.Writable(s))
	all := n == len(p)
	for rest := p[:n]; ; {
		k := min(len(rest), c.peer.maxFrame)
		if k == 0 && !(all && end) {
			break
		}
		last := k == len(rest)
		h := FrameHeader{uint32(k), FrameData, 0, s.id}
		if last && all && end {
			h.Flags = FlagEndStream
		}
		c.lastAt, c.lastID = len(c.out), s.id
		c.out = append(AppendHeader(c.out, h), rest[:k]...)
		c.earn(floodWindow, 2)
		rest = rest[k:]
		if last {
			break
		}
	}
	c.sendLeft -= int64(n)
	s.sendLeft -= int64(n)
	c.sentThisTick += n
	if all && end {
		c.endLocal(s)
	}
	return n
}

// headTooLarge is the block of the answer to a request whose head is over the limit.
var headTooLarge = hpack.AppendStateless(hpack.AppendStatelessStatus(nil, 431), []byte("content-length"), []byte("0"))
