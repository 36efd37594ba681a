package loop

import (
	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// What becomes of each completion. A callback may close the socket: what runs after it asks dead first.

// complete decodes one completion, checks the generation and calls the handler.
func (u *uringLoop) complete(c *uring.CQE) {
	cookie := uring.Cookie(c.UserData)
	id := ID(cookie.Name())
	op := cookie.Op()
	if op == uring.OpWake {
		u.wakeOn = c.More()
		return
	}
	s := u.slots.get(id)
	if s == nil {
		u.late(op, c)
		return
	}
	switch op {
	case uring.OpRecv:
		u.received(s, id, c)
	case uring.OpSend:
		u.sent(s, id, c)
	case uring.OpAccept:
		u.acceptedOne(s, id, c)
	case uring.OpConnect:
		u.connected(s, id, c)
	case uring.OpRecvInto:
		u.receivedInto(s, id, c)
	case uring.OpClose:
		u.final(s, id, opClose)
	case uring.OpCancel:
		u.cancelFailed(s, id)
	}
}

// late drops a completion of a socket that is gone. What it brought is not lost to the process.
func (u *uringLoop) late(op uring.Op, c *uring.CQE) {
	if op == uring.OpCancel {
		return // the operation had completed by itself: nothing is odd about that
	}
	u.stats.Stale++
	if bid, ok := c.HasBuffer(); ok {
		u.bufs.Recycle(bid)
	}
	if op == uring.OpAccept && c.Res >= 0 {
		u.host.CloseFD(int(c.Res))
	}
}

// final notes that the kernel has let go of an operation. True when the socket is closing: then there is nothing to
// report, and after the last operation the slot is freed.
func (u *uringLoop) final(s *slot, id ID, op uint8) bool {
	s.ops &^= op
	if !s.is(sClosing) {
		return false
	}
	if s.ops == 0 {
		u.lastEvent(s, id)
	}
	return true
}

func (u *uringLoop) received(s *slot, id ID, c *uring.CQE) {
	bid, buffer := c.HasBuffer()
	if s.ops&opRecv == 0 || s.is(sClosing|sRecvEnded) {
		u.stats.Stale++
		if buffer {
			u.bufs.Recycle(bid)
		}
		if s.ops&opRecv != 0 && !c.More() {
			u.final(s, id, opRecv)
		}
		return
	}
	if !c.More() {
		s.ops &^= opRecv
	}
	switch {
	case c.Res > 0 && buffer:
		s.h.OnRecv(u.bufs.Bytes(bid, int(c.Res)))
		u.bufs.Recycle(bid)
		if !c.More() && !u.dead(s, id) {
			u.recvPaused(s, id)
		}
		return
	case c.Res == 0:
		u.recvEnd(s, errEOF)
	default:
		switch errno := unix.Errno(-c.Res); errno {
		case unix.ENOBUFS:
			u.stats.NoBufs++
			u.recvPaused(s, id)
		case unix.ECANCELED, unix.EINTR:
			u.recvPaused(s, id)
		case unix.EAGAIN: // somebody made the descriptor non-blocking
			u.host.Blocking(int(s.fd))
			u.recvPaused(s, id)
		default:
			u.recvEnd(s, errno)
		}
	}
	if buffer {
		u.bufs.Recycle(bid)
	}
}

// recvPaused deals with a multishot receive that has ended although the stream has not: because StopRecv cancelled
// it, or because the kernel found no buffer or no room for its completions.
func (u *uringLoop) recvPaused(s *slot, id ID) {
	switch {
	case s.is(sRecvStop):
		s.state &^= sRecvStop
		s.h.OnRecvStopped()
	case s.is(sRecvOn):
		u.again(s, id)
	}
}

func (u *uringLoop) again(s *slot, id ID) {
	if !s.is(sRearm) {
		s.state |= sRearm
		u.rearm = append(u.rearm, id)
	}
}

// armAgain restarts what ended by itself in this turn. By now the buffers of the turn are the kernel's again.
func (u *uringLoop) armAgain() {
	if len(u.rearm) == 0 {
		return
	}
	for _, id := range u.rearm {
		s := u.slots.get(id)
		if s == nil {
			continue
		}
		s.state &^= sRearm
		switch {
		case s.is(sClosing):
		case s.is(sListener):
			u.armAccept(s, id)
		default:
			u.armRecv(s, id)
		}
	}
	u.rearm = u.rearm[:0]
}

func (u *uringLoop) receivedInto(s *slot, id ID, c *uring.CQE) {
	if s.ops&opRecvInto == 0 {
		u.stats.Stale++
		return
	}
	if u.final(s, id, opRecvInto) {
		return
	}
	if s.src != nil {
		u.ready(s, id, c.Res)
		return
	}
	p := s.recv
	switch errno := unix.Errno(-c.Res); {
	case c.Res > 0:
		s.state &^= sRecvOnce
		s.recv = nil
		s.h.OnRecv(p[:c.Res])
	case c.Res == 0:
		u.recvEnd(s, errEOF)
	case errno == unix.EINTR || errno == unix.EAGAIN || errno == unix.ECANCELED:
		u.host.Blocking(int(s.fd))
		u.armRecvInto(s, id)
	default:
		u.recvEnd(s, errno)
	}
}

func (u *uringLoop) sent(s *slot, id ID, c *uring.CQE) {
	if s.ops&opSend == 0 {
		u.stats.Stale++
		return
	}
	if u.final(s, id, opSend) {
		return
	}
	switch errno := unix.Errno(-c.Res); {
	case c.Res > 0:
		s.sent += int(c.Res)
		s.send = s.send[c.Res:]
		if len(s.send) == 0 {
			u.sendDone(s, nil)
			return
		}
		u.armSend(s, id)
	case errno == unix.EINTR || errno == unix.EAGAIN || errno == unix.ECANCELED:
		u.host.Blocking(int(s.fd))
		u.armSend(s, id)
	case c.Res == 0:
		u.sendDone(s, unix.EIO) // the kernel took nothing and gave no reason: not to be repeated for ever
	default:
		u.sendDone(s, errno)
	}
}

func (u *uringLoop) connected(s *slot, id ID, c *uring.CQE) {
	if s.ops&opConnect == 0 {
		u.stats.Stale++
		return
	}
	u.addrs = append(u.addrs, s.to)
	s.to = nil
	if u.final(s, id, opConnect) {
		return
	}
	s.state &^= sConnecting
	if c.Res < 0 {
		s.h.OnConnect(unix.Errno(-c.Res))
		return
	}
	s.h.OnConnect(nil)
}

func (u *uringLoop) acceptedOne(s *slot, id ID, c *uring.CQE) {
	if s.ops&opAccept == 0 {
		u.late(uring.OpAccept, c)
		return
	}
	if !c.More() {
		s.ops &^= opAccept
	}
	switch errno := unix.Errno(-c.Res); {
	case c.Res >= 0:
		u.handOver(s, int(c.Res))
	case errno == unix.ECONNABORTED:
		u.stats.AcceptAborts++
	case errno == unix.ECANCELED || errno == unix.EINTR || s.is(sClosing):
	case errno == unix.EAGAIN: // a kernel that does not wait for a non-blocking listener
		u.host.Blocking(int(s.fd))
	default:
		s.state |= sPaused
		s.acc.OnAcceptError(errno)
	}
	if c.More() || u.slots.get(id) != s {
		return
	}
	if s.is(sClosing) {
		if s.ops == 0 {
			u.lastEvent(s, id)
		}
		return
	}
	if !s.is(sPaused) {
		u.again(s, id)
	}
}

// handOver gives an accepted descriptor to its acceptor; after the end of Run there is nobody to take it.
func (u *uringLoop) handOver(s *slot, fd int) {
	if s.is(sMute) {
		u.host.CloseFD(fd)
		return
	}
	u.stats.Accepts++
	u.accepted = fd
	s.acc.OnAccept(fd)
	u.accepted = -1
}
