package h2

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// Config is what connections have in common. It must not be changed while they live.
type Config struct {
	// Client is the role.
	Client bool
	// ExtendedConnect: a server accepts CONNECT with :protocol (RFC 8441).
	ExtendedConnect bool
	Limits          Limits
	// Fault, if set, hears of every stream error that is answered, by RST_STREAM or a 431. seen: the owner knows the stream, and Closed follows;
	// otherwise the request was refused before it got there. It must not call c.
	Fault func(c *Conn, e *Error, seen bool)
}

// Scratch is memory for the decoding of one header block at a time. All connections of a worker share one.
type Scratch struct {
	list     hpack.List
	request  wire.Request
	response wire.Response
}

// Cause says why a stream was closed.
type Cause uint8

// The causes.
const (
	// ByEnd: both sides ended their messages.
	ByEnd Cause = iota
	// ByPeer: RST_STREAM came.
	ByPeer
	// ByFault: the peer broke a rule of the stream, and we sent RST_STREAM.
	ByFault
	// ByOwner: Conn.Reset.
	ByOwner
	// ByGoAway: the peer's GOAWAY says that it has not looked at this stream. A request can be sent again.
	ByGoAway
	// ByConnection: the connection ended, by a fault, or by Conn.Abort.
	ByConnection
)

// Handler is the owner of a connection. Its methods are called from Feed, and Closed also from the writing methods,
// Reset and Abort. They may call all methods of the Conn but Feed and Tick. Slices are borrowed until they return.
type Handler interface {
	// Request is the head of a request; server only. end: there is no body.
	Request(s *Stream, r *wire.Request, end bool)
	// Response is the head of a response, interim ones included; client only.
	Response(s *Stream, r *wire.Response, end bool)
	// Data is a piece of a body. Conn.Consume gives the room for it back to the peer. end: it was the last, and may be
	// empty.
	Data(s *Stream, p []byte, end bool)
	// Trailers end a message.
	Trailers(s *Stream, fields []wire.Field)
	// Closed is the last call for a stream. code is that of RST_STREAM or GOAWAY.
	Closed(s *Stream, code ErrCode, cause Cause)
	// GoAway: the peer accepts no more streams.
	GoAway(last uint32, code ErrCode)
	// Pong answers Conn.Ping.
	Pong(data uint64)
}

// Conn is one HTTP/2 connection. Call Init, then Start.
type Conn struct {
	// User is the owner's.
	User any
	// Tight: memory is short, and windows of streams do not grow but shrink to the size that they began with.
	Tight bool

	cfg     *Config
	handler Handler
	scratch *Scratch
	out     []byte
	err     *Error
	fault   *Error // the last stream error

	enc  hpack.Encoder
	dec  hpack.Decoder
	peer peerSettings

	streams streamTable
	queue   scheduler
	parked  int // streams that wait for a window of their own

	// lastPeer is the highest identifier that the peer used, nextOwn the next one of ours.
	lastPeer, nextOwn uint32
	// resets are the streams that we reset lately.
	resets  [32]uint32
	resetAt uint8

	sendLeft, recvLeft, owed int64

	prefaceSeen  uint8
	acked        bool // our SETTINGS
	goingAway    bool // the peer sent GOAWAY, or we did
	draining     bool // Drain was called
	refusing     bool // we sent the last GOAWAY: streams above refuseAbove are ignored
	refuseAbove  uint32
	block        pendingBlock
	data         pendingData
	early        earlyPriorities
	headAt       int // where the head being written begins in out
	lastAt       int // where in out the last HEADERS or DATA frame of lastID begins, so that its end can be marked there
	lastID       uint32
	budget       [floodKinds]int32
	sentThisTick int
	stalled      int
	frame        Frame
}

// Init makes c ready for a new connection, keeping its memory. Streams of a connection before must be closed (Abort).
func (c *Conn) Init(cfg *Config, h Handler, scratch *Scratch) {
	enc, dec, table, fragment := c.enc, c.dec, c.streams, c.block.buf[:0]
	*c = Conn{cfg: cfg, handler: h, scratch: scratch, enc: enc, dec: dec, streams: table}
	c.block.buf = fragment
	c.enc.Init(cfg.Limits.EncoderTable)
	// Pseudo-headers count as fields.
	c.dec.Init(cfg.Limits.Message.HeadBytes, cfg.Limits.Message.Fields+maxPseudo)
	c.peer.init()
	c.nextOwn = 2
	if cfg.Client {
		c.nextOwn = 1
	}
	c.sendLeft, c.recvLeft = DefaultWindow, DefaultWindow
	c.fill()
}

// Start appends what each side sends first (RFC 9113 section 3.4): the preface of a client, SETTINGS, and the rest of
// the connection window.
func (c *Conn) Start() {
	if c.cfg.Client {
		c.out = append(c.out, Preface...)
		c.prefaceSeen = uint8(len(Preface))
	}
	c.out = c.ourSettings(c.out)
	if more := int64(c.cfg.Limits.ConnWindow) - DefaultWindow; more > 0 {
		c.out = AppendWindowUpdate(c.out, 0, uint32(more))
		c.recvLeft += more
	}
}

// SetOut gives the buffer to which frames are appended. What is in it stays; it grows by allocation when it is full.
func (c *Conn) SetOut(buf []byte) { c.out, c.lastID = buf, 0 }

// Out returns the buffer with what was appended.
func (c *Conn) Out() []byte { return c.out }

// Err returns what ended the connection, nil while it lives.
func (c *Conn) Err() *Error { return c.err }

// Fault returns the last stream error that was answered, nil when there was none. In Handler.Closed with ByFault it is
// the cause; after Feed it also tells of requests that were refused before the owner saw them.
func (c *Conn) Fault() *Error { return c.fault }

// Open is the number of open streams.
func (c *Conn) Open() int { return c.streams.count }

// Ready tells whether the peer's SETTINGS have come.
func (c *Conn) Ready() bool { return c.peer.seen }

// Closing tells whether no new streams will appear: GOAWAY was sent or received. With Open() == 0 the connection can
// be closed.
func (c *Conn) Closing() bool { return c.goingAway }

// PeerConnect tells whether the server accepts extended CONNECT (RFC 8441).
func (c *Conn) PeerConnect() bool { return c.peer.connect }

// PeerHeadBytes is the largest header list that the peer says it accepts, as RFC 9113 section 6.5.2 counts it. It is
// advice: a larger one may be refused.
func (c *Conn) PeerHeadBytes() uint32 { return c.peer.maxList }

// closeStream takes a stream out of the table and tells the owner.
func (c *Conn) closeStream(s *Stream, code ErrCode, cause Cause) {
	c.queue.remove(s)
	c.unpark(s)
	if s.held > 0 { // delivered, and nobody will consume it now
		c.owed += s.held
		s.held = 0
		c.giveBack()
	}
	if cause == ByEnd {
		c.earn(floodReset, 1)
		c.earn(floodWindow, 1)
	}
	s.localDone, s.remoteDone, s.closed = true, true, true
	c.streams.remove(s)
	c.handler.Closed(s, code, cause)
	c.streams.release(s)
}

// finish closes a stream when both sides are done.
func (c *Conn) finish(s *Stream) {
	if s.localDone && s.remoteDone {
		c.closeStream(s, NoError, ByEnd)
	}
}

// alive tells whether s still is the stream with this identifier after the owner was called.
func (c *Conn) alive(s *Stream, id uint32) bool { return s.id == id && c.err == nil }

// Reset ends a stream with RST_STREAM. Closed is called.
func (c *Conn) Reset(s *Stream, code ErrCode) {
	if s.closed || c.err != nil {
		return
	}
	c.sendReset(s.id, code)
	c.closeStream(s, code, ByOwner)
}

func (c *Conn) sendReset(id uint32, code ErrCode) {
	c.out = AppendRSTStream(c.out, id, code)
	c.resets[c.resetAt] = id
	c.resetAt = (c.resetAt + 1) % uint8(len(c.resets))
}

// wasReset tells whether frames for this closed stream are to be ignored.
func (c *Conn) wasReset(id uint32) bool {
	if c.cfg.Client || c.refusing && id > c.refuseAbove {
		return true
	}
	for _, r := range c.resets {
		if r == id {
			return true
		}
	}
	return false
}

// streamFault answers a stream error (RFC 9113 section 5.4.2). Making us send RST_STREAM costs the peer as much as
// sending one does: the request may be on its way to an upstream (MadeYouReset).
func (c *Conn) streamFault(id uint32, e *Error) *Error {
	c.fault = e
	c.sendReset(id, e.Code)
	s := c.streams.get(id)
	if c.cfg.Fault != nil {
		c.cfg.Fault(c, e, s != nil)
	}
	if s != nil {
		c.closeStream(s, e.Code, ByFault)
	}
	if !c.spend(floodReset) {
		return ErrResets
	}
	return nil
}

// fail ends the connection: GOAWAY, and all streams are closed (RFC 9113 section 5.4.1).
func (c *Conn) fail(e *Error) *Error {
	if c.err == nil {
		c.err = e
		last := c.lastPeer
		if c.refusing {
			last = min(last, c.refuseAbove) // it must not rise (section 6.8)
		}
		c.out = AppendGoAway(c.out, last, e.Code, e.Label)
		c.closeAll(e.Code)
	}
	return c.err
}

func (c *Conn) closeAll(code ErrCode) {
	c.goingAway = true
	for c.streams.count > 0 {
		for _, s := range c.streams.slots {
			if s != nil {
				c.closeStream(s, code, ByConnection)
				break // the table has changed
			}
		}
	}
}

// ErrAborted is the error of a connection after Abort.
var ErrAborted = connError(NoError, "h2_aborted", "the transport ended, or the owner ended the connection")

// Abort closes all streams because the transport is gone, or will be. It writes nothing.
func (c *Conn) Abort() {
	if c.err == nil {
		c.err = ErrAborted
	}
	c.closeAll(c.err.Code)
}

// drainPing is the payload of the PING that follows the first GOAWAY of Drain.
const drainPing = 0x626c69747a647261

// Drain begins the graceful end (RFC 9113 section 6.8): GOAWAY that refuses nothing yet, and a PING, whose answer shows
// that the client has seen it; then follows GOAWAY with the last stream that came. A client just opens no more streams.
func (c *Conn) Drain() {
	if c.err != nil || c.draining {
		return
	}
	c.goingAway, c.draining = true, true
	if c.cfg.Client {
		c.out = AppendGoAway(c.out, 0, NoError, "")
		return
	}
	c.out = AppendGoAway(c.out, maxStreamID, NoError, "")
	c.out = AppendPing(c.out, 0, drainPing)
}

// Refusing tells whether the second step of Drain has been taken: what has not come by now is not answered any more.
func (c *Conn) Refusing() bool { return c.refusing }

// InHead tells whether a header block has begun that CONTINUATION frames are still to complete.
func (c *Conn) InHead() bool { return c.block.open }

// DrainNow is the second step of Drain without waiting for the answer.
func (c *Conn) DrainNow() {
	if c.err != nil || c.refusing {
		return
	}
	c.goingAway, c.draining, c.refusing, c.refuseAbove = true, true, true, c.lastPeer
	c.out = AppendGoAway(c.out, c.lastPeer, NoError, "")
}

// Ping sends PING; Handler.Pong is called with the same data.
func (c *Conn) Ping(data uint64) {
	if c.err == nil {
		c.out = AppendPing(c.out, 0, data)
	}
}
