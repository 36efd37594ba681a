package loop

import (
	"io"

	"golang.org/x/sys/unix"
)

var errEOF = io.EOF

// Listen implements Loop.
func (e *epollLoop) Listen(fd int, a Acceptor) ID {
	s, id := e.slots.take()
	s.state |= sListener
	s.acc = a
	s.fd = int32(fd)
	_ = unix.SetNonblock(fd, true)
	tune(fd) // accepted sockets inherit it
	if err := e.sys.add(e.ep, fd, id, unix.EPOLLIN); err != nil {
		e.listenFailed(s, id, err)
	}
	return id
}

// listenFailed reports, from Run, that a descriptor cannot be listened on.
func (c *core) listenFailed(s *slot, id ID, err error) {
	s.state |= sBroken | sPaused
	s.err = err
	c.queue(s, id)
}

// PauseAccept implements Loop.
func (e *epollLoop) PauseAccept(id ID) {
	if s := e.slots.get(id); s != nil && s.is(sListener) && !s.is(sPaused|sClosing) {
		s.state |= sPaused
		e.sys.change(e.ep, int(s.fd), id, 0)
	}
}

// ResumeAccept implements Loop.
func (e *epollLoop) ResumeAccept(id ID) {
	if s := e.slots.get(id); s != nil && s.is(sListener) && s.is(sPaused) && !s.is(sClosing|sBroken) {
		s.state &^= sPaused
		e.sys.change(e.ep, int(s.fd), id, unix.EPOLLIN)
	}
}

// CloseListener implements Loop.
func (e *epollLoop) CloseListener(id ID) {
	if s := e.slots.get(id); s != nil && s.is(sListener) {
		e.shut(s, id)
	}
}

// Attach implements Loop.
func (e *epollLoop) Attach(fd int, h Handler) ID {
	s, id := e.socket(fd, h)
	if fd != e.accepted {
		_ = unix.SetNonblock(fd, true)
	}
	e.register(s, id)
	return id
}

func (e *epollLoop) register(s *slot, id ID) {
	if err := e.sys.add(e.ep, int(s.fd), id, socketEvents); err != nil {
		s.state |= sBroken
		s.err = err
	}
}

// Dial implements Loop.
func (e *epollLoop) Dial(addr Addr, h Handler) ID {
	s, id := e.socket(-1, h)
	fd, err := dialSocket(addr, unix.SOCK_NONBLOCK)
	if err == nil {
		s.fd = int32(fd)
		err = connectFD(fd, addr)
	}
	switch err {
	case nil:
		s.state |= sConnectDone
		e.register(s, id)
		e.queue(s, id)
	case unix.EINPROGRESS:
		s.state |= sConnecting
		e.register(s, id)
		if !s.is(sBroken) {
			break
		}
		fallthrough
	default:
		s.state = s.state&^sConnecting | sBroken | sConnectDone
		if s.err == nil {
			s.err = err
		}
		e.queue(s, id)
	}
	return id
}

// StartRecv implements Loop.
func (e *epollLoop) StartRecv(id ID) {
	s := e.slots.get(id)
	if s == nil || s.is(sClosing|sListener|sRecvEnded) {
		return
	}
	if s.is(sRecvOnce) {
		panic("loop: StartRecv while a RecvInto is in flight")
	}
	s.state = s.state&^sRecvStop | sRecvOn
	if s.is(sReadable | sBroken) {
		e.queue(s, id)
	}
}

// StopRecv implements Loop.
func (e *epollLoop) StopRecv(id ID) {
	s := e.slots.get(id)
	if s == nil || s.is(sClosing) || !s.is(sRecvOn) {
		return
	}
	s.state = s.state&^sRecvOn | sRecvStop
	e.queue(s, id)
}

// RecvInto implements Loop.
func (e *epollLoop) RecvInto(id ID, p []byte) { e.recvOnce(id, p, nil) }

// RecvReady implements ReadyReceiver.
func (e *epollLoop) RecvReady(id ID, src BufferSource) { e.recvOnce(id, nil, src) }

func (e *epollLoop) recvOnce(id ID, p []byte, src BufferSource) {
	if s, ok := e.beginRecvInto(id, p, src); ok && s.is(sReadable) {
		e.queue(s, id)
	}
}

// Send implements Loop. It writes at once; the outcome waits for the list of local events.
func (e *epollLoop) Send(id ID, p []byte) { e.startSend(id, p, 0) }

// SendFinal implements FinalSender.
func (e *epollLoop) SendFinal(id ID, p []byte) { e.startSend(id, p, sFinal) }

func (e *epollLoop) startSend(id ID, p []byte, final uint32) {
	s, ok := e.beginSend(id, p)
	if !ok {
		return
	}
	s.state |= final
	if err, done := e.push(s); done {
		s.err = err
		s.state |= sSendDone
		e.queue(s, id)
	}
}

// Shutdown implements Loop.
func (e *epollLoop) Shutdown(id ID) {
	if s := e.slots.get(id); s != nil && !s.is(sClosing|sListener|sBroken) {
		_ = unix.Shutdown(int(s.fd), unix.SHUT_WR)
	}
}

// Close implements Loop.
func (e *epollLoop) Close(id ID) {
	if s := e.slots.get(id); s != nil && !s.is(sListener) {
		e.shut(s, id)
	}
}

// Reset implements Loop.
func (e *epollLoop) Reset(id ID) {
	s := e.slots.get(id)
	if s == nil || s.is(sClosing|sListener) {
		return
	}
	lingerNone(int(s.fd))
	e.shut(s, id)
}

// shut closes the descriptor, which also takes it out of the epoll set; events already collected find the slot
// closing, or its ID stale.
func (e *epollLoop) shut(s *slot, id ID) {
	if s.is(sClosing) {
		return
	}
	s.state |= sClosing
	if s.fd >= 0 {
		unix.Close(int(s.fd))
		s.fd = -1
	}
	e.queue(s, id)
}
