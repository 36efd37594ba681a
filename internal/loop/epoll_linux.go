package loop

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/clock"
)

// epollLoop turns readiness into completions. Sockets are registered once, edge-triggered for both directions;
// what an edge promised is remembered in the slot (sReadable) until a read comes back short. Listeners are
// level-triggered, so that a paused one loses nothing.
type epollLoop struct {
	core
	sys    epollCalls
	ep     int
	wakeFD int
	events []unix.EpollEvent
	buf    []byte // where every multishot receive reads to
}

const (
	socketEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	epollBatch   = 256
	// readsPerTurn and acceptsPerTurn keep one busy socket from starving the others.
	readsPerTurn   = 16
	acceptsPerTurn = 64
)

func newEpoll(o Options, reason string) (Loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll engine: epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("epoll engine: eventfd: %w", err)
	}
	e := &epollLoop{
		ep:     ep,
		wakeFD: wake,
		events: make([]unix.EpollEvent, epollBatch),
		buf:    make([]byte, o.BufferSize),
	}
	e.init(o, clock.System{})
	e.info = Info{Engine: "epoll", Reason: reason}
	e.mail.wake = func() { wakeEventFD(e.wakeFD) }
	// The zero ID is never valid, so it can stand for the eventfd. Edge-triggered: nobody has to read it.
	if err := e.sys.add(ep, wake, 0, unix.EPOLLIN|unix.EPOLLET); err != nil {
		unix.Close(ep)
		unix.Close(wake)
		return nil, fmt.Errorf("epoll engine: epoll_ctl: %w", err)
	}
	return e, nil
}

// Run implements Loop.
func (e *epollLoop) Run() error {
	if e.ended {
		return ErrStopped
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerSlack(e.opts.OnTurn != nil)
	e.running = true
	var err error
	for err == nil && !e.mail.stopping.Load() {
		err = e.Turn()
		e.yield()
	}
	e.teardown()
	return err
}

func (e *epollLoop) teardown() {
	for _, f := range e.mail.close() {
		f()
	}
	e.local()
	e.slots.each(func(s *slot, id ID) {
		if s.fd >= 0 {
			unix.Close(int(s.fd))
		}
		e.free(s, id)
	})
	unix.Close(e.ep)
	unix.Close(e.wakeFD)
	e.running, e.ended = false, true
}

// Turn goes once around the loop: wait, the kernel's events, local events, timers, mail, OnTurn. Run does it for ever;
// a test that steps a loop by hand calls it instead of Run.
func (e *epollLoop) Turn() error {
	n, err := e.wait()
	if err != nil {
		return fmt.Errorf("epoll engine: epoll_wait: %w", err)
	}
	e.now = e.clk.Sample()
	e.stats.Turns++
	for i := range n {
		e.event(&e.events[i])
	}
	e.local()
	e.endTurn()
	return nil
}

// wait collects events: first without giving up the processor, then, if there is nothing to do, asleep.
func (e *epollLoop) wait() (int, error) {
	n, errno := e.sys.poll(e.ep, e.events)
	e.stats.Submitted++
	if n > 0 || errno != 0 {
		return n, ignoreEINTR(errno)
	}
	budget := e.budget()
	if budget == 0 || e.mail.full.Load() || e.mail.stopping.Load() {
		return 0, nil
	}
	if spin := int64(e.opts.BusyPoll); spin > 0 {
		if budget > 0 {
			spin = min(spin, budget)
		}
		for until := e.clk.Mono() + spin; e.clk.Mono() < until; {
			n, errno = e.sys.poll(e.ep, e.events)
			if n > 0 || errno != 0 || e.mail.full.Load() || e.mail.stopping.Load() {
				return n, ignoreEINTR(errno)
			}
		}
		if budget = e.budget(); budget == 0 {
			return 0, nil
		}
	}
	if !e.mail.maySleep() {
		return 0, nil
	}
	n, errno = e.sys.sleep(e.ep, e.events, budget)
	e.mail.awake()
	e.stats.Waits++
	e.stats.Submitted++
	return n, ignoreEINTR(errno)
}

func (e *epollLoop) event(ev *unix.EpollEvent) {
	id := eventID(ev)
	if id == 0 {
		return // the eventfd: its only purpose was to end the sleep
	}
	e.stats.Completions++
	s := e.slots.get(id)
	if s == nil || s.is(sClosing) {
		e.stats.Stale++
		return
	}
	if s.is(sListener) {
		e.accept(s, id)
		return
	}
	if s.is(sConnecting) {
		if ev.Events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
			return
		}
		e.connected(s)
		if e.dead(s, id) {
			return
		}
	}
	if ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		s.state |= sReadable
		if ev.Events&(unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			s.state |= sPeerDone
		}
	}
	if s.is(sSending) && !s.is(sSendDone) && ev.Events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if err, done := e.push(s); done {
			e.sendDone(s, err)
			if e.dead(s, id) {
				return
			}
		}
	}
	if s.is(sReadable) && s.is(sRecvOn|sRecvOnce) {
		e.receive(s, id)
	}
}

// connected finishes a Dial.
func (e *epollLoop) connected(s *slot) {
	s.state &^= sConnecting
	if errno := socketError(int(s.fd)); errno != 0 {
		s.h.OnConnect(errno)
		return
	}
	s.h.OnConnect(nil)
}

// receive reads until the socket is empty, the handler has had enough, or its share of the turn is used up.
//
// Sends that are done are told of first: what is read may answer them, and a handler must not see the answer while it believes that it is
// still asking. How many is limited, since each may begin the next and the peer must be heard in between.
func (e *epollLoop) receive(s *slot, id ID) {
	for n := 0; s.is(sSendDone) && n < readsPerTurn; n++ {
		e.sendDone(s, s.err)
		if e.dead(s, id) || !s.is(sReadable) || !s.is(sRecvOn|sRecvOnce) {
			return
		}
	}
	for i := range readsPerTurn {
		if i > 0 && s.is(sSendDone) {
			break // begun by the last OnRecv: the rest is for later, behind its completion
		}
		p := e.buf
		once := s.is(sRecvOnce)
		if once {
			p = s.recv
			if s.src != nil {
				if p = s.src.Buffer(); p == nil {
					e.noBuffer(s)
					return
				}
			}
		}
		n, errno := readFD(int(s.fd), p)
		e.stats.Submitted++
		switch {
		case errno == unix.EAGAIN:
			s.state &^= sReadable
			return
		case errno == unix.EINTR:
			continue
		case errno != 0:
			e.recvEnd(s, errno)
			return
		case n == 0:
			e.recvEnd(s, errEOF)
			return
		}
		// A short read has emptied the socket (epoll(7)), unless the end of the stream is waiting behind it.
		if n < len(p) && !s.is(sPeerDone) {
			s.state &^= sReadable
		}
		if once {
			s.state &^= sRecvOnce
			s.recv, s.src = nil, nil
		}
		s.h.OnRecv(p[:n])
		if e.dead(s, id) || !s.is(sReadable) || !s.is(sRecvOn|sRecvOnce) {
			return
		}
	}
	e.queue(s, id)
}

// push writes what is left of the Send in flight. It is done when all is written or the socket is broken.
func (e *epollLoop) push(s *slot) (err error, done bool) {
	flags := uintptr(0)
	if s.is(sFinal) {
		flags = unix.MSG_MORE
	}
	for len(s.send) > 0 {
		n, errno := sendFD(int(s.fd), s.send, flags)
		e.stats.Submitted++
		switch {
		case errno == unix.EAGAIN:
			return nil, false
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return errno, true
		}
		s.sent += n
		s.send = s.send[n:]
	}
	return nil, true
}

func (e *epollLoop) accept(s *slot, id ID) {
	for range acceptsPerTurn {
		fd, errno := acceptFD(int(s.fd))
		e.stats.Submitted++
		switch errno {
		case 0:
			e.stats.Accepts++
			e.accepted = fd
			s.acc.OnAccept(fd)
			e.accepted = -1
		case unix.EAGAIN:
			return
		case unix.EINTR:
		case unix.ECONNABORTED:
			e.stats.AcceptAborts++
		default:
			e.PauseAccept(id)
			s.acc.OnAcceptError(errno)
			return
		}
		if e.slots.get(id) != s || s.is(sClosing|sPaused) {
			return
		}
	}
}

// local works off the local events.
func (e *epollLoop) local() {
	for _, id := range e.takePending() {
		s := e.slots.get(id)
		if s == nil {
			continue
		}
		s.state &^= sQueued
		e.stats.Completions++
		e.deliver(s, id)
	}
}

// deliver calls back for everything a socket has waiting. Each callback may close the socket.
func (e *epollLoop) deliver(s *slot, id ID) {
	if s.is(sClosing) {
		e.lastEvent(s, id)
		return
	}
	if s.is(sListener) {
		s.acc.OnAcceptError(s.err) // listenFailed: nothing else queues a live listener
		return
	}
	if s.is(sConnectDone) {
		s.state &^= sConnectDone
		s.h.OnConnect(s.err)
		if e.dead(s, id) {
			return
		}
	}
	if s.is(sSendDone) {
		e.sendDone(s, s.err)
		if e.dead(s, id) {
			return
		}
	}
	if s.is(sBroken) && s.is(sRecvOn|sRecvOnce) {
		e.recvEnd(s, s.err)
		return
	}
	if s.is(sRecvStop) {
		s.state &^= sRecvStop
		s.h.OnRecvStopped()
		if e.dead(s, id) {
			return
		}
	}
	if s.is(sReadable) && s.is(sRecvOn|sRecvOnce) {
		e.receive(s, id)
	}
}
