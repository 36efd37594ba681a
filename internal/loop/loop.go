// Package loop is the completion interface of the engine: one Loop per worker thread, which accepts,
// connects, receives, sends and closes sockets and fires timers by calling back into Handlers.
//
// It may import internal/uring and internal/clock and nothing else of ours. It knows no protocol.
//
// # Rules every engine keeps
//
//   - All methods except Post and Stop are called on the loop's own thread (from a callback, or before Run).
//   - No method calls back synchronously: every event comes from Run.
//   - A Handler gets OnClose exactly once, as its last event, and only after Close was called. Nothing closes
//     itself: a handler that saw OnRecvEnd or a send error still has to call Close.
//   - Bytes handed to Send or RecvInto belong to the loop until the matching OnSend/OnRecv/OnRecvEnd, or
//     OnClose if Close came first. Bytes handed to OnRecv (multishot receive) belong to the loop again when the
//     callback returns.
//   - At most one Send and one RecvInto are in flight on a socket; a second one is a programming error and panics.
//   - A stale ID (its slot was reused) is ignored by every method: late calls are harmless.
package loop

import (
	"errors"
	"net/netip"
	"time"
)

// ID names one socket of one loop: slot index and generation, so that a late use of an old ID can never reach
// the socket that took over its slot. The zero ID is never valid.
type ID uint64

// Handler receives the events of one socket.
type Handler interface {
	// OnConnect reports the outcome of Dial. After an error the handler still has to Close the ID.
	OnConnect(err error)
	// OnRecv delivers received bytes, never empty. From the multishot receive, p is only valid until
	// OnRecv returns; from RecvInto, p is a prefix of the caller's own slice.
	OnRecv(p []byte)
	// OnRecvEnd is the end of the receive side: io.EOF for an orderly half-close by the peer, otherwise the
	// errno. No further OnRecv follows. The send side may still work.
	OnRecvEnd(err error)
	// OnRecvStopped answers StopRecv: the multishot receive is off and will deliver nothing more until
	// StartRecv or RecvInto. Not called when OnRecvEnd came first.
	OnRecvStopped()
	// OnSend reports that the kernel took all n bytes of the Send (err nil), or that the send side is broken.
	// The buffer is the caller's again.
	OnSend(n int, err error)
	// OnClose is the last event: descriptor closed, all buffers are the caller's again, the ID is dead.
	OnClose()
}

// Acceptor receives the events of one listening socket.
type Acceptor interface {
	// OnAccept hands over ownership of a connected descriptor (close-on-exec). Whether it blocks is the engine's
	// business: give it to Attach. A few may still come after PauseAccept or CloseListener.
	OnAccept(fd int)
	// OnAcceptError reports a failed accept. Accepting is then paused (EMFILE, ENFILE, ENOMEM, ENOBUFS …)
	// until ResumeAccept; a transient ECONNABORTED is counted, not reported.
	OnAcceptError(err error)
	// OnListenClosed is the last event after CloseListener.
	OnListenClosed()
}

// TimerHandler receives the expiry of timers.
type TimerHandler interface {
	OnTimer(t *Timer)
}

// Loop is one event loop. See the package comment for its rules.
type Loop interface {
	// Listen starts accepting from a bound and listening descriptor, which the loop owns from here on.
	Listen(fd int, a Acceptor) ID
	// PauseAccept stops accepting, ResumeAccept starts again; both are idempotent.
	PauseAccept(id ID)
	ResumeAccept(id ID)
	// CloseListener stops accepting and closes the descriptor.
	CloseListener(id ID)

	// Attach takes ownership of a connected descriptor and sets its blocking mode. Receiving starts with StartRecv.
	// A descriptor that the engine cannot use reports that as OnRecvEnd after StartRecv, and as a send error.
	Attach(fd int, h Handler) ID
	// Dial connects to a TCP address, or to a Unix stream socket when addr.Unix is set. TCP_NODELAY is set.
	// The outcome comes as OnConnect, even when the socket could not be made.
	Dial(addr Addr, h Handler) ID
	// SetHandler replaces the handler of a live socket (used when a connection changes its role).
	SetHandler(id ID, h Handler)

	// StartRecv arms the multishot receive into the loop's provided buffers: an OnRecv brings at most
	// Options.BufferSize bytes. It does nothing when the receive is armed or has ended. Before OnRecvStopped it
	// withdraws the StopRecv, and no OnRecvStopped follows.
	StartRecv(id ID)
	// StopRecv disarms it; OnRecvStopped follows. A few OnRecv may come before. This is the back-pressure. It does
	// nothing when the receive is not armed.
	StopRecv(id ID)
	// RecvInto receives once, into p, which is not empty. Only while the multishot receive is off: after
	// OnRecvStopped, or before StartRecv. It does nothing after OnRecvEnd.
	RecvInto(id ID, p []byte)
	// Send sends all of p.
	Send(id ID, p []byte)
	// Shutdown sends FIN. Only while no Send is in flight.
	Shutdown(id ID)
	// Close ends the socket: outstanding operations are cancelled, then OnClose follows. Idempotent.
	Close(id ID)
	// Reset is Close with SO_LINGER 0: the peer sees RST.
	Reset(id ID)
	// FD returns the descriptor, for getpeername and socket options; -1 for a stale ID.
	FD(id ID) int

	// Now is the monotonic time in nanoseconds, sampled once per turn.
	Now() int64
	// Wall is the wall-clock time that belongs to Now.
	Wall() time.Time
	// Arm (re)starts a timer, d after Now: O(1), granularity 0.25 ms (never early; later by less than that, and by what the kernel
	// needs to wake the thread, when the loop is not busy). t.Handler must be set.
	Arm(t *Timer, d time.Duration)
	// Disarm stops a timer; harmless when it is not armed.
	Disarm(t *Timer)

	// Defer runs d.Handler.OnDeferred once at the end of this turn, after all its events and before anything is submitted to
	// the kernel; asked for again from within deferred work, at the end of the next one. d.Handler must be set.
	Defer(d *Deferred)

	// Post runs f on the loop thread in its next turn. Safe from any goroutine. False when the loop has stopped.
	Post(f func()) bool
	// Run runs the loop on the calling goroutine, which it locks to its OS thread, until Stop. It returns the
	// first fatal error of the engine. Functions posted before Stop are run, sockets still open are closed
	// (without OnClose, unless Close had been called). A loop runs once.
	Run() error
	// Stop ends Run. Safe from any goroutine.
	Stop()

	// Info says which engine runs and why.
	Info() Info
	// Stats returns the counters. On the loop thread, or after Run has returned.
	Stats() Stats
}

// FinalSender is a Loop that can hold the end of a stream back for its FIN.
type FinalSender interface {
	// SendFinal is Send for the last bytes of a stream: those that do not fill a segment wait in the socket for the FIN, so that the
	// peer gets both in one packet and wakes up once (MSG_MORE, send(2)). The caller calls Shutdown or Close when OnSend
	// has come; should it not, the kernel sends them after 200 ms.
	SendFinal(id ID, p []byte)
}

// ReadyReceiver is a Loop that can wait for bytes without holding a buffer for them.
type ReadyReceiver interface {
	// RecvReady is RecvInto whose buffer is asked of src only when there is something to receive. Rules and events are those of RecvInto. When src
	// has none, nothing is received and OnRecvStopped follows.
	//
	// What OnRecv passes on with Send leaves at once where the kernel takes it. With io_uring its OnSend also comes before the next OnRecv of any such
	// receive: a relay has one buffer on the way at a time, which stays in the cache.
	RecvReady(id ID, src BufferSource)
}

// BufferSource lends the buffer of a RecvReady.
type BufferSource interface {
	// Buffer returns memory that belongs to the loop as that of RecvInto does, nil when there is none. Asked again before any event, because
	// there was nothing to receive after all, it returns the same.
	Buffer() []byte
}

// Addr is a destination or the address of a listener: a TCP address and port, or the path of a Unix socket.
type Addr struct {
	TCP  netip.AddrPort
	Unix string
}

// Options of a loop. The zero value is usable.
type Options struct {
	// Engine is "auto" (default), "uring" or "epoll".
	Engine string
	// Entries is the size of the submission queue (default 1024); the completion queue is four times as large.
	Entries int
	// Buffers and BufferSize shape the ring of provided receive buffers (default 512 of 4096 bytes).
	Buffers, BufferSize int
	// BusyPoll is how long to spin for completions before sleeping in the kernel (default 0: do not spin).
	BusyPoll time.Duration
	// OnTurn, when set, is called once per turn, after the events and before submitting. It returns the Now at
	// which it wants to be called again at the latest (0: no wish). The load generator paces with it: the loop
	// sleeps no longer than that, with nanosecond deadlines.
	OnTurn func(now int64) (next int64)
}

// DefaultBufferSize is the BufferSize of a loop whose Options do not give one, in bytes.
const DefaultBufferSize = 4096

// Info describes the engine in use.
type Info struct {
	Engine string // "uring" or "epoll"
	Reason string // why: for the log, in words an operator understands
}

// Stats are the counters of one loop, monotonic unless said otherwise.
type Stats struct {
	Turns       uint64 // times around the loop
	Waits       uint64 // times it slept in the kernel
	Submitted   uint64 // SQEs, or syscalls on epoll
	Completions uint64
	NoBufs      uint64 // receives that found no provided buffer (ENOBUFS)
	CQOverflow  uint64
	Stale       uint64 // completions for a slot that had been reused or closed
	Accepts     uint64
	// AcceptAborts counts connections that died between the handshake and accept (ECONNABORTED).
	AcceptAborts uint64
	Sockets      int64 // gauge: open sockets
	Timers       int64 // gauge: armed timers
}

// Errors of the loop.
var (
	// ErrUnsupported is wrapped by the error of New when the requested engine cannot run here.
	ErrUnsupported = errors.New("engine not supported here")
	// ErrStopped: the loop has stopped.
	ErrStopped = errors.New("loop stopped")
)

// Timer is an intrusive timer: embed it, set Handler once, hand its address to Arm. It must not be copied
// while armed.
type Timer struct {
	Handler TimerHandler
	// Kind is for the owner: which of its timers this is.
	Kind uint8

	armed      bool
	pos        uint16 // list of the wheel it is in
	deadline   int64  // tick
	next, prev *Timer
}

// Armed tells whether the timer is running.
func (t *Timer) Armed() bool { return t.armed }
