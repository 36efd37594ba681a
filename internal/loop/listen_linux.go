package loop

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const defaultBacklog = 4096

// Listen returns a bound and listening descriptor: non-blocking, close-on-exec, TCP_NODELAY (which accepted
// sockets inherit). Port 0 takes a free port, see LocalAddr. The file of a Unix socket that nobody listens on any
// more is replaced. The error says what is wrong in words, and wraps the errno.
func Listen(addr Addr, o ListenOptions) (fd int, err error) {
	fd, err = listen(addr, o)
	if err != nil {
		return -1, fmt.Errorf("listen on %v: %w", addr, explainListen(err))
	}
	return fd, nil
}

// Probe tells whether addr is free for somebody who does not share the port: it binds and lets go again. It never listens, so that no client's
// connection ends up in a queue that nobody serves. The error is as Listen's.
func Probe(addr Addr) error {
	fd, err := bind(addr, ListenOptions{})
	if err != nil {
		return fmt.Errorf("listen on %v: %w", addr, explainListen(err))
	}
	return unix.Close(fd)
}

func listen(addr Addr, o ListenOptions) (fd int, err error) {
	if fd, err = bind(addr, o); err != nil {
		return -1, err
	}
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = defaultBacklog
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bind(addr Addr, o ListenOptions) (fd int, err error) {
	var sa rawAddr
	if err := sa.set(addr); err != nil {
		return -1, err
	}
	fd, err = unix.Socket(int(sa.raw.Addr.Family), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			fd = -1
		}
	}()
	if addr.Unix != "" {
		removeStale(addr.Unix)
	} else if err = tcpOptions(fd, addr, o); err != nil {
		return fd, err
	}
	if _, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(sa.pointer()), uintptr(sa.size)); errno != 0 {
		return fd, errno
	}
	if addr.Unix != "" && addr.Unix[0] != '@' && o.Mode != 0 {
		if err = os.Chmod(addr.Unix, o.Mode); err != nil {
			return fd, err
		}
	}
	return fd, nil
}

func tcpOptions(fd int, addr Addr, o ListenOptions) error {
	type option struct{ level, name, value int }
	options := []option{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	}
	if o.ReusePort {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	}
	if o.ReceiveBuffer > 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReceiveBuffer})
	}
	if o.SendBuffer > 0 {
		options = append(options, option{unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer})
	}
	if addr.TCP.Addr() == addr.TCP.Addr().Unmap() && addr.TCP.Addr().Is6() {
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0}) // [::] serves IPv4 as well
	}
	for _, opt := range options {
		if err := unix.SetsockoptInt(fd, opt.level, opt.name, opt.value); err != nil {
			return err
		}
	}
	return nil
}

// Steer makes a listening socket that shares its port take the connections whose packets cpu processes (SO_INCOMING_CPU); -1 takes that back, and
// the kernel spreads by hash again. Kernels heed it in groups of shared sockets since 6.2. Not an error on a Unix socket.
func Steer(fd, cpu int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU, cpu) }

// removeStale removes the file of a Unix socket when connecting to it is refused: its listener is gone.
func removeStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if connectFD(fd, Addr{Unix: path}) == unix.ECONNREFUSED {
		_ = os.Remove(path)
	}
}

// explainListen puts the usual reasons into words.
func explainListen(err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("the address is in use: another program (or another blitz) listens on it: %w", err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("not permitted: ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE, "+
			"a Unix socket needs a writable directory: %w", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("no interface of this machine has that address: %w", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("this machine does not support that address family (is IPv6 off?): %w", err)
	case errors.Is(err, unix.EDESTADDRREQ):
		return fmt.Errorf("no address given: %w", err)
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("too many open files: raise the limit (ulimit -n): %w", err)
	}
	return err
}

// AcceptQueued takes a connection that waits in the queue of a listening descriptor, without waiting for one: -1 when there is none. The
// descriptor must be non-blocking, as Listen makes it.
func AcceptQueued(fd int) int {
	for {
		c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		switch err {
		case nil:
			return c
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return -1
		}
	}
}

// DupListener returns a second descriptor of a listening socket, -1 when there is none to be had. While either is open, the socket
// listens and its queue is kept.
func DupListener(fd int) int {
	if fd < 0 {
		return -1
	}
	d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return d
}

// CloseListenerFD closes a descriptor of DupListener.
func CloseListenerFD(fd int) { unix.Close(fd) }

// SetBacklog changes the length of the accept queue of a listening descriptor.
func SetBacklog(fd, n int) error { return unix.Listen(fd, n) }
