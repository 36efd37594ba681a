package loop

import (
	"io/fs"
	"net/netip"
)

// ListenOptions shape a listening socket. The zero value is usable.
type ListenOptions struct {
	// Backlog is the length of the accept queue (default 4096; the kernel caps it at net.core.somaxconn).
	Backlog int
	// ReusePort lets several workers listen on one TCP port (SO_REUSEPORT): the kernel spreads connections over
	// them. Another process of the same user that listens the same way shares the port too, silently.
	ReusePort bool
	// ReceiveBuffer and SendBuffer fix the socket buffers in bytes (0: let the kernel tune them).
	ReceiveBuffer, SendBuffer int
	// Mode is the permission of a Unix socket's file (0: as the umask has it).
	Mode fs.FileMode
}

// Addresses is implemented by every Loop of this package. Ask it, not the operating system, for the addresses of
// a descriptor of that loop: under test the descriptor may be known to the fake kernel only.
type Addresses interface {
	LocalAddr(fd int) (netip.AddrPort, error)
	PeerAddr(fd int) (netip.AddrPort, error)
}

// String returns what an operator would write: host:port, or unix:path.
func (a Addr) String() string {
	if a.Unix != "" {
		return "unix:" + a.Unix
	}
	return a.TCP.String()
}
