package loop

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/uring"
)

// Host is the machine under the uring engine: the ring, the clock, and the few system calls that are cheaper beside
// the ring than in it.
type Host interface {
	NewRing(c uring.Config) (*uring.Ring, error)
	Clock() clock.Clock
	// Socket makes a blocking, close-on-exec stream socket for a destination, with TCP_NODELAY.
	Socket(to Addr) (fd int, err error)
	// Blocking clears O_NONBLOCK: io_uring waits on behalf of blocking descriptors only, others fail with EAGAIN.
	Blocking(fd int)
	// Tune sets TCP_NODELAY and what else a listening or connecting socket wants.
	Tune(fd int)
	// Recv receives what is there and Send sends what there is room for, from and to a connected socket; they never wait, whatever its blocking mode
	// (EAGAIN). Send raises no SIGPIPE.
	Recv(fd int, p []byte) (int, unix.Errno)
	Send(fd int, p []byte) (int, unix.Errno)
	// LingerNone makes closing fd send RST.
	LingerNone(fd int)
	ShutdownWrite(fd int)
	CloseFD(fd int)
	// EventFD makes the descriptor that Wake adds to; Wake may be called from any goroutine.
	EventFD() (fd int, err error)
	Wake(fd int)
	LocalAddr(fd int) (netip.AddrPort, error)
	PeerAddr(fd int) (netip.AddrPort, error)
}

// systemHost is the real machine.
type systemHost struct{}

func (systemHost) NewRing(c uring.Config) (*uring.Ring, error) { return uring.NewRing(c) }
func (systemHost) Clock() clock.Clock                          { return clock.System{} }
func (systemHost) Socket(to Addr) (int, error)                 { return dialSocket(to, 0) }
func (systemHost) Blocking(fd int)                             { _ = unix.SetNonblock(fd, false) }
func (systemHost) Tune(fd int)                                 { tune(fd) }
func (systemHost) Recv(fd int, p []byte) (int, unix.Errno)     { return readFD(fd, p) }
func (systemHost) Send(fd int, p []byte) (int, unix.Errno)     { return sendFD(fd, p, 0) }
func (systemHost) LingerNone(fd int)                           { lingerNone(fd) }
func (systemHost) ShutdownWrite(fd int)                        { _ = unix.Shutdown(fd, unix.SHUT_WR) }
func (systemHost) CloseFD(fd int)                              { unix.Close(fd) }
func (systemHost) EventFD() (int, error)                       { return unix.Eventfd(0, unix.EFD_CLOEXEC) }
func (systemHost) Wake(fd int)                                 { wakeEventFD(fd) }
func (systemHost) LocalAddr(fd int) (netip.AddrPort, error)    { return LocalAddr(fd) }
func (systemHost) PeerAddr(fd int) (netip.AddrPort, error)     { return PeerAddr(fd) }
