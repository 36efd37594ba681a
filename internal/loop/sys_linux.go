package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls of the loop. Those on non-blocking descriptors are raw: they cannot wait, so the scheduler need
// not hear of them. The one that sleeps is a full Syscall, so that a sleeping loop does not hold up the collector.

// epollCalls remembers which form of epoll_wait the kernel has.
type epollCalls struct {
	noPwait2 bool
}

// eventID and setEventID keep an ID in the 64 bits of user data, which x/sys calls Fd and Pad.
func eventID(ev *unix.EpollEvent) ID { return ID(uint32(ev.Pad))<<32 | ID(uint32(ev.Fd)) }

func setEventID(ev *unix.EpollEvent, id ID) {
	ev.Fd, ev.Pad = int32(uint32(id)), int32(uint32(id>>32))
}

func (*epollCalls) ctl(op, ep, fd int, id ID, events uint32) error {
	ev := unix.EpollEvent{Events: events}
	setEventID(&ev, id)
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(ep), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (c *epollCalls) add(ep, fd int, id ID, events uint32) error {
	return c.ctl(unix.EPOLL_CTL_ADD, ep, fd, id, events)
}

func (c *epollCalls) change(ep, fd int, id ID, events uint32) {
	_ = c.ctl(unix.EPOLL_CTL_MOD, ep, fd, id, events)
}

// poll collects events without waiting.
func (*epollCalls) poll(ep int, events []unix.EpollEvent) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sleep waits for events, for at most budget nanoseconds (-1: for ever).
func (c *epollCalls) sleep(ep int, events []unix.EpollEvent, budget int64) (int, unix.Errno) {
	if !c.noPwait2 {
		ts := unix.NsecToTimespec(budget)
		tsp := unsafe.Pointer(&ts)
		if budget < 0 {
			tsp = nil
		}
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(tsp), 0, 0)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.ENOSYS && errno != unix.EPERM {
			return 0, errno
		}
		c.noPwait2 = true // before Linux 5.11, or a seccomp profile that has not heard of it
	}
	ms := int64(-1)
	if budget >= 0 {
		ms = min((budget+999_999)/1_000_000, 1<<31-1) // late rather than early, which would mean to ask again
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(ms), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func readFD(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
		uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func sendFD(fd int, p []byte, flags uintptr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))),
		uintptr(len(p)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT|flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func acceptFD(fd int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), 0
}

// dialSocket makes a socket for a destination. extra is SOCK_NONBLOCK or nothing.
func dialSocket(addr Addr, extra int) (int, error) {
	if addr.Unix != "" {
		return unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|extra, 0)
	}
	family := unix.AF_INET
	if a := addr.TCP.Addr(); a.Is6() && !a.Is4In6() {
		family = unix.AF_INET6
	} else if !a.IsValid() {
		return -1, unix.EDESTADDRREQ
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|extra, 0)
	if err == nil {
		tune(fd)
	}
	return fd, err
}

// connectFD starts connecting; EINPROGRESS on a non-blocking socket that needs time.
func connectFD(fd int, addr Addr) error {
	var sa rawAddr
	if err := sa.set(addr); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(sa.pointer()), uintptr(sa.size))
	if errno != 0 {
		return errno
	}
	return nil
}

// tune turns Nagle's algorithm off, and the acknowledgements at the beginning of a connection that carry nothing: that of the handshake goes
// with the request, that of the request with the response, if it comes within the kernel's 40 ms. Accepted sockets inherit both. HAProxy
// calls the latter smart-connect and smart-accept. Not an error on a socket that has neither.
func tune(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
}

// lingerNone makes the close of fd send RST.
func lingerNone(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// socketError takes the pending error of a socket.
func socketError(fd int) unix.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		if errno, ok := err.(unix.Errno); ok {
			return errno
		}
		return unix.EIO
	}
	return unix.Errno(n)
}

// wakeEventFD adds one to an eventfd.
func wakeEventFD(fd int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

// timerSlack says how much later than asked for the kernel may end this thread's sleeps. A thread inherits it from the one that
// started it, which may be the calmed monitor (see CalmMonitor), so every loop sets its own: none for a loop that paces by OnTurn, the kernel's usual
// 50 µs for others.
func timerSlack(fine bool) {
	slack := uintptr(50_000)
	if fine {
		slack = 1
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0)
}

func ignoreEINTR(errno unix.Errno) error {
	if errno == 0 || errno == unix.EINTR {
		return nil
	}
	return errno
}
