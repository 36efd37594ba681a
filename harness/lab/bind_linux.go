package lab

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindAddressOnly leaves the choice of the source port to connect, which may share a port between destinations; bind alone looks for one that nobody
// uses at all, and slows to a crawl when few are left (ip(7), IP_BIND_ADDRESS_NO_PORT).
func bindAddressOnly(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}); e != nil {
		return e
	}
	return err
}
