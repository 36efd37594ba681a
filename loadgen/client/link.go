package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// link is the socket of a connection, with TLS on it or not. Without TLS the connection is the loop's handler itself and the
// link only passes calls on. With TLS the link is the handler: the connection sees content, and OnConnect once the handshake is
// done.
//
// Sends: the connection has at most one in flight. Under TLS its bytes are sealed at once, into the buffer that goes out next,
// so that all of a turn's content makes one run of records.
type link struct {
	c  *Client
	up loop.Handler
	id loop.ID

	tls *tlsrec.Conn
	// in is the beginning of a record. out is in flight when sending; next is sealed and waits for it.
	in, out, next []byte
	sending       bool
	// waits: the connection waits for its OnSend.
	waits  bool
	shaken bool // the handshake is over
	ended  bool // the connection has been told of the end of the stream
	deaf   bool // what comes is of no interest any more
	closed bool
}

var errTruncated = errors.New("the connection ended without close_notify")

func (l *link) dial() {
	*l = link{c: l.c, up: l.up, in: l.in[:0], out: l.out[:0], next: l.next[:0]}
	h := l.up
	if l.c.cfg.TLS != nil {
		h = l
	}
	l.id = l.c.loop.Dial(l.c.cfg.Addr, h)
}

// startRecv begins to receive; with TLS that was done for the handshake.
func (l *link) startRecv() {
	if l.tls == nil {
		l.c.loop.StartRecv(l.id)
	}
}

// send sends p. Without TLS p must stay as it is until OnSend.
func (l *link) send(p []byte) {
	if l.tls == nil {
		l.c.loop.Send(l.id, p)
		return
	}
	l.waits = true
	var err error
	if l.sending {
		l.next, err = l.tls.Seal(l.next, p)
	} else {
		l.out, err = l.tls.Seal(l.out[:0], p)
		l.start()
	}
	_ = err // the receive side tells what ended the connection
}

// flush sends what TLS wants to say by itself.
func (l *link) flush() {
	if l.tls.Pending() == 0 || l.closed {
		return
	}
	if l.sending {
		l.next = l.tls.AppendPending(l.next)
		return
	}
	l.out = l.tls.AppendPending(l.out[:0])
	l.start()
}

func (l *link) start() {
	if len(l.out) > 0 && !l.closed {
		l.sending = true
		l.c.loop.Send(l.id, l.out)
	}
}

// goodbye says that nothing more will be sent, and stops listening.
func (l *link) goodbye() {
	if l.tls != nil {
		l.deaf = true
		l.tls.CloseNotify()
		l.flush()
	}
}

func (l *link) close() {
	l.closed = true
	l.c.loop.Close(l.id)
}

// release frees what a handshake holds. It must be called on the loop's thread.
func (l *link) release() {
	if l.tls != nil {
		l.tls.Close()
		l.tls = nil
	}
}

// OnConnect implements loop.Handler.
func (l *link) OnConnect(err error) {
	if err != nil {
		l.up.OnConnect(err)
		return
	}
	l.tls = tlsrec.Client(l.c.cfg.TLS, tlsrec.Options{Peer: l.c.cfg.Addr.TCP.String()})
	l.c.loop.StartRecv(l.id)
	l.open(nil)
}

// OnRecv implements loop.Handler.
func (l *link) OnRecv(p []byte) {
	if l.tls == nil || l.deaf {
		return
	}
	if len(l.in) == 0 {
		if n := l.open(p); n < len(p) {
			l.in = append(l.in, p[n:]...)
		}
		return
	}
	l.in = append(l.in, p...)
	n := l.open(l.in)
	l.in = l.in[:copy(l.in, l.in[n:])]
}

// open works on received bytes and returns how many it has used.
func (l *link) open(in []byte) int {
	used := 0
	for !l.closed && !l.ended {
		n, ev, err := l.tls.Receive(in[used:])
		used += n
		l.flush()
		switch {
		case err != nil:
			l.fail(err)
			return len(in)
		case ev.Kind == tlsrec.NeedMore:
			if l.c.primed != nil {
				l.c.primed()
			}
			return used
		case ev.Kind == tlsrec.Established:
			l.established()
		case ev.Kind == tlsrec.Data:
			l.up.OnRecv(ev.Data)
		case ev.Kind == tlsrec.Closed:
			l.ended = true
			l.up.OnRecvEnd(io.EOF)
		}
	}
	return len(in)
}

// established checks what the handshake settled.
func (l *link) established() {
	l.shaken = true
	st := l.tls.State()
	c := l.c
	c.rec.Handshakes++
	if st.Resumed {
		c.rec.Resumed++
	}
	if c.tlsState == nil || st.Resumed {
		c.tlsState = st
	}
	switch {
	case c.cfg.ALPN != "" && st.ALPN != c.cfg.ALPN:
		l.up.OnConnect(&handshakeError{fmt.Errorf("the server did not agree to the application protocol %s (its choice: %q)", c.cfg.ALPN, st.ALPN)})
	case c.sessions != nil && c.phase != connecting && !st.Resumed:
		l.up.OnConnect(&handshakeError{errors.New("the server did not resume the session")})
	default:
		l.up.OnConnect(nil)
	}
}

// handshakeError is an error of a TLS handshake.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

func (l *link) fail(err error) {
	l.ended = true
	if l.shaken {
		l.up.OnRecvEnd(err)
	} else {
		l.up.OnConnect(&handshakeError{err})
	}
}

// OnRecvEnd implements loop.Handler.
func (l *link) OnRecvEnd(err error) {
	switch {
	case l.deaf:
		l.up.OnRecvEnd(err)
	case l.ended || l.closed:
	case l.tls == nil || err != io.EOF && l.shaken:
		l.up.OnRecvEnd(err)
	case err != io.EOF:
		l.fail(err)
	default:
		if err = l.tls.EOF(); err == nil {
			err = io.EOF
		} else if l.shaken {
			err = errTruncated
		}
		l.fail(err)
	}
}

// OnRecvStopped implements loop.Handler; the receive is never stopped.
func (l *link) OnRecvStopped() {}

// OnSend implements loop.Handler.
func (l *link) OnSend(_ int, err error) {
	l.sending = false
	if l.closed {
		return
	}
	if err == nil && len(l.next) > 0 {
		l.out, l.next = l.next, l.out[:0]
		l.start()
		return
	}
	if l.deaf {
		l.c.loop.Shutdown(l.id) // some servers wait for the end of the stream, others take close_notify for it
		return
	}
	if l.waits {
		l.waits = false
		l.up.OnSend(0, err)
	}
}

// OnClose implements loop.Handler.
func (l *link) OnClose() {
	l.release()
	l.up.OnClose()
}

// sessions keeps the last session for all connections of a thread.
type sessions struct{ last *tls.ClientSessionState }

// Get implements tls.ClientSessionCache.
func (s *sessions) Get(string) (*tls.ClientSessionState, bool) { return s.last, s.last != nil }

// Put implements tls.ClientSessionCache. A nil session, which would forget, is not kept: then a handshake that could not be resumed
// shows as an error and not as a full handshake.
func (s *sessions) Put(_ string, cs *tls.ClientSessionState) {
	if cs != nil {
		s.last = cs
	}
}
