package loop

// Local events, and the end of the uring engine.

// local works off the local events.
func (u *uringLoop) local() {
	for _, id := range u.takePending() {
		if s := u.slots.get(id); s != nil {
			s.state &^= sQueued
			u.deliver(s, id)
		}
	}
}

// deliver calls back for what a socket has waiting. Each callback may close the socket.
func (u *uringLoop) deliver(s *slot, id ID) {
	if s.is(sClosing) {
		if s.ops == 0 {
			u.lastEvent(s, id)
		}
		return
	}
	if s.is(sConnectDone) {
		s.state &^= sConnectDone
		s.h.OnConnect(s.err)
		if u.dead(s, id) {
			return
		}
	}
	if s.is(sSendDone) {
		u.sendDone(s, s.err)
		if u.dead(s, id) {
			return
		}
	}
	if s.is(sBroken) && s.is(sRecvOn|sRecvOnce) {
		u.recvEnd(s, s.err)
		return
	}
	if s.is(sRecvStop) && s.ops&opRecv == 0 {
		s.state &^= sRecvStop
		s.h.OnRecvStopped()
	}
}

// Bounds of the end: how long to wait for the completions of the operations that were cancelled.
const (
	endNanos = 2_000_000_000
	endTurns = 10_000
)

// teardown closes everything in an orderly way, so that FIN goes out and no operation outlives its memory.
func (u *uringLoop) teardown(failed error) {
	for _, f := range u.mail.close() {
		f()
	}
	if failed == nil {
		u.closeAll()
		until := u.clk.Mono() + endNanos
		for turn := 0; u.slots.open > 0 && turn < endTurns && u.clk.Mono() < until; turn++ {
			if u.ring.Wait(endNanos/100) != nil {
				break
			}
			u.harvest()
			u.local()
			u.closeAll() // what the last callbacks opened
		}
	}
	clean := failed == nil && u.slots.open == 0
	u.slots.each(func(s *slot, id ID) {
		if s.fd >= 0 && !s.is(sClosing) { // of a closing one nobody knows whether the kernel has closed it
			u.host.CloseFD(int(s.fd))
		}
		u.free(s, id)
	})
	u.release(clean)
	u.running, u.ended = false, true
}

func (u *uringLoop) closeAll() {
	u.slots.each(func(s *slot, id ID) {
		if !s.is(sClosing) {
			s.state |= sMute
			u.shut(s, id)
		}
	})
}

// release ends the ring. The receive buffers are kept when an operation may still write to them: a leak that only
// a failed engine has.
func (u *uringLoop) release(clean bool) {
	if u.wakeFD >= 0 {
		u.host.CloseFD(u.wakeFD)
	}
	u.ring.Close()
	if u.bufs != nil && clean {
		u.bufs.Free()
	}
}
