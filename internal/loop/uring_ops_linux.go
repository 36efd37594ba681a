package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

func cookie(op uring.Op, id ID) uring.Cookie { return uring.MakeCookie(op, uint64(id)) }

// Listen implements Loop. The descriptor stays as it is: its blocking mode is shared with whoever holds the same socket, which may be
// the epoll engine of another process.
func (u *uringLoop) Listen(fd int, a Acceptor) ID {
	s, id := u.slots.take()
	s.state |= sListener
	s.acc = a
	s.fd = int32(fd)
	u.host.Tune(fd) // accepted sockets inherit it
	u.armAccept(s, id)
	return id
}

func (u *uringLoop) armAccept(s *slot, id ID) {
	if s.ops&opAccept == 0 && !s.is(sPaused|sClosing) {
		s.ops |= opAccept
		u.ring.SQE().AcceptMulti(cookie(uring.OpAccept, id), int(s.fd), unix.SOCK_CLOEXEC)
	}
}

// PauseAccept implements Loop.
func (u *uringLoop) PauseAccept(id ID) {
	if s := u.slots.get(id); s != nil && s.is(sListener) && !s.is(sPaused|sClosing) {
		s.state |= sPaused
		s.tries = 0
		u.cancel(s, id, opAccept)
	}
}

// ResumeAccept implements Loop.
func (u *uringLoop) ResumeAccept(id ID) {
	if s := u.slots.get(id); s != nil && s.is(sListener) && s.is(sPaused) && !s.is(sClosing) {
		s.state &^= sPaused
		u.armAccept(s, id) // or, while the cancellation is under way, when that is over
	}
}

// CloseListener implements Loop.
func (u *uringLoop) CloseListener(id ID) {
	if s := u.slots.get(id); s != nil && s.is(sListener) {
		u.shut(s, id)
	}
}

// Attach implements Loop.
func (u *uringLoop) Attach(fd int, h Handler) ID {
	_, id := u.socket(fd, h)
	if fd != u.accepted {
		u.host.Blocking(fd)
	}
	return id
}

// Dial implements Loop.
func (u *uringLoop) Dial(addr Addr, h Handler) ID {
	s, id := u.socket(-1, h)
	fd, err := u.host.Socket(addr)
	if err != nil {
		u.dialFailed(s, id, err)
		return id
	}
	s.fd = int32(fd)
	sa := u.takeAddr()
	if err := sa.set(addr); err != nil {
		u.addrs = append(u.addrs, unsafe.Pointer(sa))
		u.dialFailed(s, id, err)
		return id
	}
	s.to = unsafe.Pointer(sa)
	s.state |= sConnecting
	s.ops |= opConnect
	u.ring.SQE().Connect(cookie(uring.OpConnect, id), fd, sa.pointer(), sa.size)
	return id
}

func (u *uringLoop) dialFailed(s *slot, id ID, err error) {
	s.state |= sBroken | sConnectDone
	s.err = err
	u.queue(s, id)
}

// takeAddr returns room for a socket address, which stays where it is until the connect is over.
func (u *uringLoop) takeAddr() *rawAddr {
	if n := len(u.addrs); n > 0 {
		sa := (*rawAddr)(u.addrs[n-1])
		u.addrs = u.addrs[:n-1]
		return sa
	}
	return new(rawAddr)
}

// StartRecv implements Loop.
func (u *uringLoop) StartRecv(id ID) {
	s := u.slots.get(id)
	if s == nil || s.is(sClosing|sListener|sRecvEnded) {
		return
	}
	if s.is(sRecvOnce) {
		panic("loop: StartRecv while a RecvInto is in flight")
	}
	s.state = s.state&^sRecvStop | sRecvOn
	if s.is(sBroken) {
		u.queue(s, id)
		return
	}
	u.armRecv(s, id)
}

func (u *uringLoop) armRecv(s *slot, id ID) {
	if s.ops&opRecv == 0 && s.is(sRecvOn) {
		s.ops |= opRecv
		u.ring.SQE().RecvMulti(cookie(uring.OpRecv, id), int(s.fd), bufferGroup)
	}
}

// StopRecv implements Loop.
func (u *uringLoop) StopRecv(id ID) {
	s := u.slots.get(id)
	if s == nil || s.is(sClosing) || !s.is(sRecvOn) {
		return
	}
	s.state = s.state&^sRecvOn | sRecvStop
	if s.ops&opRecv == 0 {
		u.queue(s, id)
		return
	}
	s.tries = 0
	u.cancel(s, id, opRecv)
}

// RecvInto implements Loop.
func (u *uringLoop) RecvInto(id ID, p []byte) {
	if s, ok := u.beginRecvInto(id, p, nil); ok {
		u.armRecvInto(s, id)
	}
}

func (u *uringLoop) armRecvInto(s *slot, id ID) {
	s.ops |= opRecvInto
	u.ring.SQE().Recv(cookie(uring.OpRecvInto, id), int(s.fd), s.recv, 0)
}

// Send implements Loop.
func (u *uringLoop) Send(id ID, p []byte) {
	if s, ok := u.beginSend(id, p); ok && !u.sentAtOnce(s, id) {
		u.armSend(s, id)
	}
}

func (u *uringLoop) armSend(s *slot, id ID) {
	s.ops |= opSend
	e := u.ring.SQE()
	e.Send(cookie(uring.OpSend, id), int(s.fd), s.send)
	if s.is(sFinal) {
		e.OpFlags |= unix.MSG_MORE
	}
}

// SendFinal implements FinalSender.
func (u *uringLoop) SendFinal(id ID, p []byte) {
	if s, ok := u.beginSend(id, p); ok {
		s.state |= sFinal
		u.armSend(s, id)
	}
}

// Shutdown implements Loop. The system call, because io_uring hands this operation to a worker thread.
func (u *uringLoop) Shutdown(id ID) {
	if s := u.slots.get(id); s != nil && !s.is(sClosing|sListener|sBroken) {
		u.host.ShutdownWrite(int(s.fd))
	}
}

// Close implements Loop.
func (u *uringLoop) Close(id ID) {
	if s := u.slots.get(id); s != nil && !s.is(sListener) {
		u.shut(s, id)
	}
}

// Reset implements Loop.
func (u *uringLoop) Reset(id ID) {
	s := u.slots.get(id)
	if s == nil || s.is(sClosing|sListener) {
		return
	}
	if s.fd >= 0 {
		u.host.LingerNone(int(s.fd))
	}
	u.shut(s, id)
}

// shut cancels what is in flight and closes the descriptor, all in the next submission. An operation in flight holds
// the file, so FIN leaves when the last of them has ended, which the cancellations bring about.
func (u *uringLoop) shut(s *slot, id ID) {
	if s.is(sClosing) {
		return
	}
	s.state |= sClosing
	s.tries = 0
	u.cancel(s, id, s.ops)
	if s.fd < 0 {
		u.queue(s, id)
		return
	}
	s.ops |= opClose
	u.ring.SQE().Close(cookie(uring.OpClose, id), int(s.fd))
}

// cancel asks for the end of those operations of the set that are in flight. By cookie and not by descriptor: the
// kernel finds a cookie by hash, a descriptor by looking at every request it has.
func (u *uringLoop) cancel(s *slot, id ID, set uint8) {
	set &= s.ops
	for _, o := range cancellable {
		if set&o.bit != 0 {
			u.ring.SQE().Cancel(cookie(uring.OpCancel, id), cookie(o.op, id))
		}
	}
}

var cancellable = [...]struct {
	bit uint8
	op  uring.Op
}{
	{opRecv, uring.OpRecv},
	{opSend, uring.OpSend},
	{opRecvInto, uring.OpRecvInto},
	{opConnect, uring.OpConnect},
	{opAccept, uring.OpAccept},
}

// maxCancels bounds how often a cancellation that found nothing is repeated.
const maxCancels = 16

// cancelFailed repeats a cancellation that did not find its operation, if the operation is still there: it was
// just being worked on, or is running on a worker thread.
func (u *uringLoop) cancelFailed(s *slot, id ID) {
	if s.tries >= maxCancels {
		return
	}
	set := uint8(0)
	switch {
	case s.is(sClosing):
		set = s.ops &^ opClose
	case s.is(sRecvStop):
		set = s.ops & opRecv
	case s.is(sListener) && s.is(sPaused):
		set = s.ops & opAccept
	}
	if set != 0 {
		s.tries++
		u.cancel(s, id, set)
	}
}
