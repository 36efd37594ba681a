package tlsrec

import (
	"crypto"
	"crypto/tls"
	"errors"
)

// DefaultMaxHandshakeBytes is how much a peer may send before a handshake is complete: room for a long chain of
// certificates, an order of magnitude above what an honest peer needs.
const DefaultMaxHandshakeBytes = 64 << 10

// Options are what a Conn needs to know beside the tls.Config.
type Options struct {
	// MaxHandshakeBytes bounds what a handshake may read; 0 means DefaultMaxHandshakeBytes.
	MaxHandshakeBytes int
	// Peer names the peer. A client whose configuration has no ServerName keeps its sessions under this name.
	Peer string
	// Offload names the keys for whose signature a server's handshake stops: Receive answers Working, and the caller makes
	// the signature on another goroutine, so that a slow key (RSA) does not stall the other connections of its thread. It
	// holds for certificates that come from GetCertificate; nil means no key.
	Offload func(key crypto.Signer) bool
	// Sizer is the policy for record sizes; the zero value always fills records.
	Sizer Sizer
}

// Kind says what an Event is.
type Kind uint8

const (
	// NeedMore: what is left of the input is not a whole record; Event.Need bytes are needed from there on.
	NeedMore Kind = iota
	// Established: the handshake has ended well, State tells how. Input may be left: ask again.
	Established
	// Data: Event.Data is content. Input may be left: ask again.
	Data
	// Closed: the peer sent close_notify and will send nothing more. What was received after it is ignored. Sending
	// is still allowed (RFC 8446, 6.1).
	Closed
	// Working, with Options.Offload: call Event.Work on any goroutine, once, and Receive again on this one after it has
	// returned. Until then Receive consumes nothing and answers Working without Work.
	Working
)

// Event is what Receive found.
type Event struct {
	Kind Kind
	// Need, for NeedMore, is the number of bytes, counted from the first that was not consumed, without which asking
	// again is useless: HeaderLen, or the size of the record, at most MaxRecord.
	Need int
	// Data points into the input.
	Data []byte
	// Work is what a handshake waits for. It touches nothing of the Conn, which may be closed meanwhile.
	Work func()
}

// Conn is one TLS connection. The life of it:
//
//	c := tlsrec.Server(cfg, opt)      // or Client, and then Receive(nil) once to make the first flight
//	n, ev, err := c.Receive(input)    // until NeedMore; drop the n bytes consumed after having used ev.Data
//	out = c.AppendPending(out)        // after every Receive, on errors too: flights, KeyUpdates, alerts
//	out, err = c.Seal(out, content)   // after Established; sends what is pending first
//	c.CloseNotify(); c.Close()
//
// Close must be called in the end: until a handshake is over, it is a coroutine that nothing else ends.
type Conn struct {
	in, out half
	sizer   Sizer
	// pending are bytes for the peer that nobody asked for by Seal.
	pending []byte
	// message is a post-handshake message of which the end is missing.
	message []byte
	state   *State
	// hs is the handshake; nil once TLS 1.3 is established, but for clients that wait for session tickets. With TLS 1.2
	// it stays, for its tls.Conn is the connection.
	hs      *handshake
	err     error
	phase   phase
	server  bool
	tickets bool // a client that keeps sessions
	useless int  // records in a row without content
	heard   bool // a record has come after the handshake (TLS 1.3)
	// answered: what is pending contains the answer to a KeyUpdate.
	answered bool
	// sentClose and gotClose: close_notify has been queued, was received.
	sentClose, gotClose bool
}

type phase uint8

const (
	phaseHandshake phase = iota
	phaseRecords         // TLS 1.3, by this package
	phaseSlow            // TLS 1.2, by crypto/tls
	phaseFailed
	phaseReleased // Close was called
)

// maxUseless is how many records without content may follow each other: empty ones, tickets, KeyUpdates. Each costs us
// more than it costs the peer.
const maxUseless = 32

var (
	errClosed  = errors.New("tlsrec: the connection is closed")
	errEarly   = errors.New("tlsrec: nothing can be sealed before the handshake has ended")
	errNoRoom  = errors.New("tlsrec: close_notify has been sent, nothing may follow it")
	errNilConf = errors.New("tlsrec: no configuration")
)

// Server returns a Conn that waits for a ClientHello. cfg is not changed and may serve many connections; it must have
// session ticket keys set (tls.Config.SetSessionTicketKeys) or tickets disabled, for keys that crypto/tls makes by
// itself would be made anew for every connection and no session could be resumed. Its KeyLogWriter is not used.
func Server(cfg *tls.Config, o Options) *Conn { return newConn(cfg, true, o) }

// Client returns a Conn that begins a handshake at its first Receive. If cfg has a ClientSessionCache, tickets that come
// before the first content are kept there.
func Client(cfg *tls.Config, o Options) *Conn { return newConn(cfg, false, o) }

func newConn(cfg *tls.Config, server bool, o Options) *Conn {
	if cfg == nil {
		return &Conn{phase: phaseFailed, err: errNilConf}
	}
	return &Conn{
		server: server, sizer: o.Sizer, hs: newHandshake(cfg, server, o),
		tickets: !server && cfg.ClientSessionCache != nil && !cfg.SessionTicketsDisabled,
	}
}

// State is what the handshake settled; nil before Established.
func (c *Conn) State() *State { return c.state }

// Sizer is the connection's policy for record sizes, to be told of idle times.
func (c *Conn) Sizer() *Sizer { return &c.sizer }

// Receive works on input until something has happened that concerns the caller, and returns how many bytes of it are used
// up. It decrypts in place: input is scratch afterwards but for the bytes that were not consumed. Errors end the
// connection and come again; but for calls after Close they are *Error.
func (c *Conn) Receive(input []byte) (consumed int, ev Event, err error) {
	switch c.phase {
	case phaseHandshake:
		return c.shake(input)
	case phaseRecords:
		return c.records(input)
	case phaseSlow:
		return c.slowReceive(input)
	}
	return 0, Event{}, c.err
}

// shake gives input to the handshake.
func (c *Conn) shake(input []byte) (int, Event, error) {
	h := c.hs
	n := h.step(input)
	c.takeOutput()
	if h.work != nil && !h.done {
		ev := Event{Kind: Working}
		if !h.handed {
			h.handed, ev.Work = true, h.work.make
		}
		return n, ev, nil
	}
	if !h.done {
		_, need := wholeRecord(input[n:])
		if h.pipe.left > 0 {
			need = 1 // crypto/tls is in the middle of a record that it will refuse
		}
		return n, Event{Need: need}, nil
	}
	if h.err != nil {
		return n, Event{}, c.fail(handshakeError(h.err, c.pending, h.pipe.alert))
	}
	cs := h.tls.ConnectionState()
	if cs.Version != tls.VersionTLS13 {
		c.phase = phaseSlow
		c.state = stateOf(&cs, h)
		h.secrets.wipe()
		return n, Event{Kind: Established}, nil
	}
	if err := h.keys(&c.in, &c.out, cs.CipherSuite); err != nil {
		return n, Event{}, c.fail(&Error{Code: "internal_error", Detail: err.Error(), Alert: alertNone, Cause: err})
	}
	c.phase = phaseRecords
	c.state = stateOf(&cs, h)
	if c.tickets {
		h.secrets.wipe()
	} else {
		c.release()
	}
	return n, Event{Kind: Established}, nil
}

// takeOutput moves what crypto/tls wrote to what is pending.
func (c *Conn) takeOutput() {
	if len(c.pending) == 0 {
		c.pending, c.hs.pipe.out = c.hs.pipe.out, nil
		return
	}
	c.pending = append(c.pending, c.hs.pipe.out...)
	c.hs.pipe.out = c.hs.pipe.out[:0]
}

// release drops the state of the handshake.
func (c *Conn) release() {
	if c.hs != nil {
		c.hs.cancel()
		c.hs = nil
	}
}

// fail ends the connection with an error that comes again, queues the alert that belongs to it, and forgets the keys.
func (c *Conn) fail(e *Error) error {
	if c.phase == phaseRecords && e.HasAlert() && !e.Received && !c.sentClose {
		c.pending = c.out.seal(c.pending, []byte{levelFatal, byte(e.Alert)}, typeAlert)
	}
	c.phase, c.err = phaseFailed, e
	c.wipe()
	return e
}

func (c *Conn) wipe() {
	c.release()
	c.in.wipe()
	c.out.wipe()
	c.message = nil
}

// Pending is the number of bytes that wait to be sent: handshake flights, answers to KeyUpdate, alerts. Ask after every
// Receive and CloseNotify; Seal sends them by itself.
func (c *Conn) Pending() int { return len(c.pending) }

// AppendPending moves what is pending to dst.
func (c *Conn) AppendPending(dst []byte) []byte {
	dst = append(dst, c.pending...)
	c.answered = false
	if c.phase == phaseHandshake || cap(c.pending) > 1<<10 {
		c.pending = nil // flights are large and seldom: an idle connection does not hold on to one
	} else {
		c.pending = c.pending[:0]
	}
	return dst
}

// SealedLen is the number of bytes that Seal will append for n bytes of content, at most.
func (c *Conn) SealedLen(n int) int {
	per, overhead := c.sizer.Next(), Overhead
	if c.phase == phaseSlow {
		// crypto/tls has its own policy for sizes, whose smallest record is larger than this.
		per, overhead = 1<<10, slowOverhead
	}
	return n + len(c.pending) + (n+per-1)/per*overhead
}

// Seal appends what is pending and then content, in records as large as the Sizer says, to dst. With room for SealedLen
// bytes it does not allocate (TLS 1.3).
//
// Content that fits into one record and stands in dst's array at HeaderLen bytes after dst's end is sealed without being
// copied, provided that nothing is pending. Otherwise content must not overlap with the room after dst.
func (c *Conn) Seal(dst, content []byte) ([]byte, error) {
	switch {
	case c.phase == phaseHandshake:
		return dst, errEarly
	case c.phase == phaseFailed || c.phase == phaseReleased:
		return dst, c.err
	case c.sentClose:
		return dst, errNoRoom
	}
	if len(c.pending) > 0 {
		dst = c.AppendPending(dst)
	}
	if c.phase == phaseSlow {
		return c.slowSeal(dst, content)
	}
	for len(content) > 0 {
		n := min(len(content), c.sizer.Next())
		dst = c.out.seal(dst, content[:n], typeApplicationData)
		c.sizer.Sent(n)
		content = content[n:]
		if c.out.seq >= c.out.suite.records {
			// RFC 8446, 5.5. After the record and not before it, where content that is sealed in place stands.
			var err error
			if dst, err = c.updateKeys(dst, false); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// CloseNotify queues the alert that says that nothing more will be sent. Receiving goes on.
func (c *Conn) CloseNotify() {
	if c.sentClose {
		return
	}
	switch c.phase {
	case phaseRecords:
		c.pending = c.out.seal(c.pending, []byte{levelWarning, byte(AlertCloseNotify)}, typeAlert)
	case phaseSlow:
		_ = c.hs.tls.CloseWrite() // the pipe takes everything
		c.takeOutput()
	default:
		return
	}
	c.sentClose = true
}

// EOF says what it means that the transport ended: nil after close_notify, otherwise an error, since content may be
// missing that an attacker cut off (RFC 8446, 6.1).
func (c *Conn) EOF() error {
	switch {
	case c.gotClose:
		return nil
	case c.err != nil:
		return c.err
	case c.state == nil:
		return &Error{Code: "handshake_eof", Detail: "the peer closed the connection in the middle of the TLS handshake", Alert: alertNone}
	}
	return &Error{Code: "truncated", Detail: "the peer closed the connection without close_notify: content may be missing", Alert: alertNone}
}

// Close ends a handshake if one is going on, forgets the keys, and frees everything. What is pending stays available.
func (c *Conn) Close() {
	if c.phase == phaseReleased {
		return
	}
	if c.err == nil {
		c.err = errClosed
	}
	c.phase = phaseReleased
	c.wipe()
}
