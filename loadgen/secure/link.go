package secure

import (
	"crypto/tls"
	"errors"
	"io"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// Owner is the connection above a link. Its OnConnect is called once the handshake is done, on both sides.
type Owner interface {
	loop.Handler
	// Shaken is told what a handshake settled, just before OnConnect. An error makes it a failed one.
	Shaken(*tlsrec.State) error
	// Waiting is called whenever the link has worked off what it received.
	Waiting()
}

// Link is the socket of a connection, with TLS on it or not. Without TLS the owner is the loop's handler itself and the link only
// passes calls on. With TLS the link is the handler.
//
// The owner has at most one send in flight. Under TLS its bytes are sealed at once, into the buffer that goes out next, so that all
// that is sent in a turn makes one run of records.
type Link struct {
	ID loop.ID

	loop  loop.Loop
	owner Owner
	cfg   *tls.Config
	peer  string

	tls *tlsrec.Conn
	// in is the beginning of a record. out is in flight when sending; next is sealed and waits for it.
	in, out, next []byte
	sending       bool
	waits         bool // the owner waits for its OnSend
	shaken        bool // the handshake is over
	ended         bool // the owner has been told of the end of the stream
	deaf          bool // what comes is of no interest any more
	finishing     bool // FIN follows what is being sent
	closed        bool
}

// HandshakeError is what OnConnect gets when the socket stood and the TLS handshake failed.
type HandshakeError struct{ error }

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.error }

// keepBuffer is the largest buffer that a closed link holds on to, in bytes.
const keepBuffer = 16 << 10

var errTruncated = errors.New("the connection ended without close_notify")

// Init ties a link to its loop and owner, for its lifetime. cfg is nil for no TLS; it is not changed.
func (l *Link) Init(lp loop.Loop, owner Owner, cfg *tls.Config) {
	l.loop, l.owner, l.cfg = lp, owner, cfg
}

// reset makes the link ready for another socket.
func (l *Link) reset() {
	*l = Link{loop: l.loop, owner: l.owner, cfg: l.cfg, peer: l.peer, in: trim(l.in), out: trim(l.out), next: trim(l.next)}
}

func trim(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}

func (l *Link) handler() loop.Handler {
	if l.cfg != nil {
		return l
	}
	return l.owner
}

// Dial connects.
func (l *Link) Dial(addr loop.Addr) {
	l.reset()
	if l.cfg != nil && l.peer == "" {
		l.peer = addr.TCP.String()
	}
	l.ID = l.loop.Dial(addr, l.handler())
}

// Serve takes an accepted descriptor over and begins to receive. Without TLS there is no OnConnect.
func (l *Link) Serve(fd int) {
	l.reset()
	l.ID = l.loop.Attach(fd, l.handler())
	if l.cfg != nil {
		l.tls = tlsrec.Server(l.cfg, tlsrec.Options{})
	}
	l.loop.StartRecv(l.ID)
}

// TLS tells whether TLS is spoken on the socket, and its handshake has begun.
func (l *Link) TLS() bool { return l.tls != nil }

// StartRecv begins to receive, or goes on. With TLS it begins by itself, for the handshake.
func (l *Link) StartRecv() {
	if !l.closed {
		l.loop.StartRecv(l.ID)
	}
}

// StopRecv stops receiving. What is in the loop's buffers may still come.
func (l *Link) StopRecv() { l.loop.StopRecv(l.ID) }

// Send sends p. Without TLS p must stay as it is until OnSend.
func (l *Link) Send(p []byte) {
	if l.cfg == nil {
		l.loop.Send(l.ID, p)
		return
	}
	if l.tls == nil || l.closed {
		return
	}
	l.waits = true
	// An error is that of the receive side, which tells of it.
	if l.sending {
		l.next, _ = l.tls.Seal(l.next, p)
		return
	}
	l.out, _ = l.tls.Seal(l.out[:0], p)
	l.start()
}

// flush sends what TLS wants to say by itself.
func (l *Link) flush() {
	switch {
	case l.tls.Pending() == 0 || l.closed:
	case l.sending:
		l.next = l.tls.AppendPending(l.next)
	default:
		l.out = l.tls.AppendPending(l.out[:0])
		l.start()
	}
}

func (l *Link) start() {
	if len(l.out) > 0 {
		l.sending = true
		l.loop.Send(l.ID, l.out)
	}
}

// Shutdown says that nothing more will be sent: close_notify and FIN. With TLS the owner's last send may be on its way.
func (l *Link) Shutdown() {
	if l.tls == nil {
		l.loop.Shutdown(l.ID)
		return
	}
	l.tls.CloseNotify()
	l.finishing = true
	l.flush()
	if !l.sending {
		l.loop.Shutdown(l.ID)
	}
}

// Goodbye is Shutdown by an owner that wants to hear of nothing but the end.
func (l *Link) Goodbye() {
	l.deaf = true
	l.Shutdown()
}

// Close ends the socket; OnClose follows.
func (l *Link) Close() {
	l.closed = true
	l.loop.Close(l.ID)
}

// Release frees what a handshake holds. It must be called on the loop's thread; OnClose does it by itself.
func (l *Link) Release() {
	if l.tls != nil {
		l.tls.Close()
		l.tls = nil
	}
}

// OnConnect implements loop.Handler.
func (l *Link) OnConnect(err error) {
	if err != nil {
		l.owner.OnConnect(err)
		return
	}
	l.tls = tlsrec.Client(l.cfg, tlsrec.Options{Peer: l.peer})
	l.loop.StartRecv(l.ID)
	l.open(nil)
}

// OnRecv implements loop.Handler.
func (l *Link) OnRecv(p []byte) {
	switch {
	case l.tls == nil || l.deaf:
	case len(l.in) == 0:
		if n := l.open(p); n < len(p) {
			l.in = append(l.in, p[n:]...)
		}
	default:
		l.in = append(l.in, p...)
		n := l.open(l.in)
		l.in = l.in[:copy(l.in, l.in[n:])]
	}
}

// open works on received bytes and returns how many it has used.
func (l *Link) open(in []byte) int {
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
			l.owner.Waiting()
			return used
		case ev.Kind == tlsrec.Established:
			l.established()
		case ev.Kind == tlsrec.Data:
			l.owner.OnRecv(ev.Data)
		case ev.Kind == tlsrec.Closed:
			l.ended = true
			l.owner.OnRecvEnd(io.EOF)
		}
	}
	return len(in)
}

// established tells the owner that the handshake is over.
func (l *Link) established() {
	l.shaken = true
	err := l.owner.Shaken(l.tls.State())
	if err != nil {
		err = &HandshakeError{err}
	}
	l.owner.OnConnect(err)
}

func (l *Link) fail(err error) {
	l.ended = true
	if l.shaken {
		l.owner.OnRecvEnd(err)
	} else {
		l.owner.OnConnect(&HandshakeError{err})
	}
}

// OnRecvEnd implements loop.Handler.
func (l *Link) OnRecvEnd(err error) {
	switch {
	case l.deaf:
		l.owner.OnRecvEnd(err)
	case l.ended || l.closed:
	case l.tls == nil || err != io.EOF && l.shaken:
		l.owner.OnRecvEnd(err)
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

// OnRecvStopped implements loop.Handler.
func (l *Link) OnRecvStopped() { l.owner.OnRecvStopped() }

// OnSend implements loop.Handler.
func (l *Link) OnSend(_ int, err error) {
	l.sending = false
	if l.closed {
		return
	}
	if err == nil && len(l.next) > 0 {
		l.out, l.next = l.next, l.out[:0]
		l.start()
		return
	}
	if l.finishing && err == nil {
		l.loop.Shutdown(l.ID) // some peers wait for the end of the stream, others take close_notify for it
	}
	if l.waits {
		l.waits = false
		l.owner.OnSend(0, err)
	}
}

// OnClose implements loop.Handler.
func (l *Link) OnClose() {
	l.Release()
	l.owner.OnClose()
}
