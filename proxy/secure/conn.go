package secure

import (
	"errors"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// phase is how far a connection is.
type phase uint8

const (
	phaseConnect   phase = iota // a client's transport is not connected yet
	phaseWait                   // a server whose handshake has not begun: no configuration yet, or too many under way
	phaseHandshake              // under way
	phaseOpen                   // established
	phaseFailed                 // an error was reported; the connection above has to Close
	phaseClosing                // Close was called
)

// mode is what the connection above wants to receive.
type mode uint8

const (
	modeOff      mode = iota
	modeMulti         // StartRecv
	modeStopping      // StopRecv, OnRecvStopped is due
	modeInto          // RecvInto
)

// armed is what the real socket is receiving.
type armed uint8

const (
	armedNot      armed = iota
	armedMulti          // the multishot receive
	armedStopping       // it is being stopped
	armedInto           // one receive into held
)

// Conn is one TLS connection. The connection above it calls it with the ID of the socket; calls with another ID go to the real loop.
type Conn struct {
	loop.Loop
	env *Env
	cfg *Config
	h   loop.Handler
	id  loop.ID
	t   *tlsrec.Conn

	// held[r:w] has been received and not been opened: part of a record, or what must wait. It is a buffer of the pool.
	held []byte
	r, w int
	need int // bytes without which opening is useless
	// plain has been opened and not been delivered, since RecvInto had no room for it; it is a part of held before r.
	plain []byte
	dst   []byte // of RecvInto; got is how much of it is filled
	got   int

	out     []byte // in flight on the real socket
	content []byte // of the Send under way: not sealed yet
	// behind is how much of what has been received stands behind the record that is being delivered, in a buffer of the loop.
	// While opening, it is the measure of what held has, too.
	behind int
	total  int // content of the Send under way
	sealed int // how much of it is in out
	left   int // how much of it has left

	phase phase
	mode  mode
	armed armed

	server    bool
	preparing bool // the configuration is being made
	busy      bool // input is being worked on: what the connection above asks for is seen to afterwards
	sending   bool // out is in flight
	upSending bool // the connection above waits for OnSend
	outHeap   bool // out is not of the pool
	shutdown  bool // Shutdown was called
	finSent   bool
	opening   bool // records are being opened
	full      bool // the last receive filled its buffer
	ended     bool // nothing more will be received; endErr says why
	endTold   bool
	queued    bool // in env.pending
	slotted   bool // counted in env.handshakes
	lingering bool
	active    bool // counted as active

	endErr  error
	sendErr error
	dropped int   // bytes thrown away while lingering
	since   int64 // loop time: begin of the handshake, last Send, begin of lingering

	in         *list
	prev, next *Conn
}

// Errors of this package. Others are *tlsrec.Error or come from the loop.
var (
	errNoMemory = &tlsrec.Error{Code: "tls_no_memory", Detail: "the gateway is out of buffer memory"}
	errRefused  = &tlsrec.Error{Code: "tls_handshakes_refused", Detail: "too many TLS handshakes wait already"}
	// errTransport: the transport has ended; whether that was announced is known when all that is held has been opened.
	errTransport = errors.New("secure: the transport has ended")
	errBroken    = errors.New("secure: the connection has failed")
)

// Serve puts a server on a socket whose multishot receive is armed and whose handler is h. From here on h has to use the returned Conn
// in place of the loop. What was received already is to be given to OnRecv; it is opened in place.
func (e *Env) Serve(cfg *Config, id loop.ID, h loop.Handler) *Conn {
	c := e.conn()
	c.cfg, c.h, c.id = cfg, h, id
	c.server = true
	c.phase, c.mode, c.armed = phaseWait, modeMulti, armedMulti
	c.since = e.loop.Now()
	e.loop.SetHandler(id, c)
	return c
}

// Dial connects a client: OnConnect comes after the handshake. peer names the sessions to resume where cfg has no server name.
func (e *Env) Dial(cfg *Config, peer string, addr loop.Addr, h loop.Handler) *Conn {
	c := e.conn()
	c.cfg, c.h = cfg, h
	c.t = tlsrec.Client(cfg.tls.Load(), tlsrec.Options{Peer: peer, Sizer: cfg.Sizer})
	c.since = e.loop.Now()
	c.id = e.loop.Dial(addr, c)
	return c
}

// ID is the socket's.
func (c *Conn) ID() loop.ID { return c.id }

// State is what the handshake settled; nil before OnConnect.
func (c *Conn) State() *tlsrec.State {
	if c.t == nil {
		return nil
	}
	return c.t.State()
}

// Buffered tells whether more has been received than was delivered: content, records behind the one that is being delivered, a part of a
// record. After the end of a response that may be a ticket or a KeyUpdate, or something that nobody asked for.
func (c *Conn) Buffered() bool {
	return c.behind > 0 || len(c.plain) > 0 || !c.opening && c.w > c.r
}

// Full tells whether the last receive filled its buffer, so that there may be more behind it in the kernel.
func (c *Conn) Full() bool { return c.full }

// SetHandler implements loop.Loop.
func (c *Conn) SetHandler(id loop.ID, h loop.Handler) {
	if id == c.id {
		c.h = h
		return
	}
	c.Loop.SetHandler(id, h)
}

// OnConnect implements loop.Handler: a client's transport is connected.
func (c *Conn) OnConnect(err error) {
	switch {
	case c.phase == phaseClosing:
	case err != nil:
		c.phase = phaseFailed
		c.h.OnConnect(err)
	default:
		c.phase = phaseHandshake
		c.armed = armedMulti
		c.Loop.StartRecv(c.id)
		c.busy = true
		c.open(nil) // makes the first flight
		c.busy = false
		c.flush()
	}
}

// report tells the connection above what came up while it was calling.
func (c *Conn) report() {
	if c.phase == phaseClosing {
		return
	}
	if c.upSending && !c.sending && (c.sendErr != nil || c.total == 0) {
		c.sendDone(c.sendErr)
		if c.gone() {
			return
		}
	}
	if c.phase != phaseOpen && c.phase != phaseFailed {
		return
	}
	c.work(nil)
}

// gone tells, after a callback, that the connection above has closed.
func (c *Conn) gone() bool { return c.phase == phaseClosing }
