package loop

import (
	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// Bulk data in the uring engine: bytes that only pass through are received by a system call when they are there, and sent by another before
// anything else is received. Through the ring, a turn would first receive for all sockets and then send for all of them, and by the time a buffer
// is sent the caches have lost it.

// atOnce is the size in bytes from which a send from within a RecvReady's OnRecv is a system call of its own: the copy then costs several times what
// the trip into the kernel does.
const atOnce = 16 << 10

// RecvReady implements ReadyReceiver.
func (u *uringLoop) RecvReady(id ID, src BufferSource) {
	if s, ok := u.beginRecvInto(id, nil, src); ok {
		u.armReady(s, id)
	}
}

func (u *uringLoop) armReady(s *slot, id ID) {
	s.ops |= opRecvInto
	u.ring.SQE().Poll(cookie(uring.OpRecvInto, id), int(s.fd), unix.POLLIN)
}

// ready receives what a poll has told of.
func (u *uringLoop) ready(s *slot, id ID, res int32) {
	if errno := unix.Errno(-res); res < 0 && errno != unix.ECANCELED && errno != unix.EINTR {
		u.recvEnd(s, errno)
		return
	} else if res < 0 {
		u.armReady(s, id)
		return
	}
	p := s.src.Buffer()
	if p == nil {
		u.noBuffer(s)
		return
	}
	switch n, errno := u.host.Recv(int(s.fd), p); {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		u.armReady(s, id)
	case errno != 0:
		u.recvEnd(s, errno)
	case n == 0:
		u.recvEnd(s, errEOF)
	default:
		s.state &^= sRecvOnce
		s.src = nil
		u.relays = true
		s.h.OnRecv(p[:n])
		u.relays = false
		if len(u.pending) > 0 {
			u.local() // what was sent at once: its buffer is the next to be received into
		}
	}
}

// sentAtOnce sends what a RecvReady brought without the detour of the ring. False when something is left for the ring to send.
func (u *uringLoop) sentAtOnce(s *slot, id ID) bool {
	if !u.relays || len(s.send) < atOnce || s.is(sConnecting) {
		return false
	}
	n, errno := u.host.Send(int(s.fd), s.send)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	s.err = nil
	if errno != 0 {
		s.err = errno
	}
	s.sent += n
	s.send = s.send[n:]
	if errno == 0 && len(s.send) > 0 {
		return false
	}
	s.state |= sSendDone
	u.queue(s, id)
	return true
}
