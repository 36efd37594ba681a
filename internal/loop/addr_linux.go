package loop

import (
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawAddr is a socket address as the kernel reads it. It must stay where it is while the kernel uses it.
type rawAddr struct {
	raw  unix.RawSockaddrAny
	size uint32
}

func (r *rawAddr) pointer() unsafe.Pointer { return unsafe.Pointer(&r.raw) }

// set writes a destination. EINVAL for a Unix path that is too long, EDESTADDRREQ for an empty Addr.
func (r *rawAddr) set(addr Addr) error {
	switch a := addr.TCP.Addr(); {
	case addr.Unix != "":
		sa := (*unix.RawSockaddrUnix)(unsafe.Pointer(&r.raw))
		if len(addr.Unix) >= len(sa.Path) {
			return unix.EINVAL
		}
		*sa = unix.RawSockaddrUnix{Family: unix.AF_UNIX}
		for i := range len(addr.Unix) {
			sa.Path[i] = int8(addr.Unix[i])
		}
		r.size = uint32(unsafe.Offsetof(sa.Path)) + uint32(len(addr.Unix)) + 1
		if sa.Path[0] == '@' { // abstract name, without a terminator
			sa.Path[0] = 0
			r.size--
		}
	case !a.IsValid():
		return unix.EDESTADDRREQ
	case a.Is4() || a.Is4In6():
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.raw))
		*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: hton(addr.TCP.Port()), Addr: a.As4()}
		r.size = unix.SizeofSockaddrInet4
	default:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&r.raw))
		*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: hton(addr.TCP.Port()), Addr: a.As16()}
		if zone, err := strconv.ParseUint(a.Zone(), 10, 32); err == nil {
			sa.Scope_id = uint32(zone)
		}
		r.size = unix.SizeofSockaddrInet6
	}
	return nil
}

// get reads a TCP address; the zero AddrPort for any other family.
func (r *rawAddr) get() netip.AddrPort {
	switch r.raw.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), hton(sa.Port))
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&r.raw))
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 && a.Is6() {
			a = a.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(a, hton(sa.Port))
	}
	return netip.AddrPort{}
}

// hton turns a port from or to network byte order.
func hton(v uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}

// LocalAddr returns the local TCP address of a descriptor, IPv4-mapped addresses as IPv4. The zero AddrPort for a
// Unix socket. It does not allocate, save for the zone of a link-local address.
func LocalAddr(fd int) (netip.AddrPort, error) { return nameOf(unix.SYS_GETSOCKNAME, fd) }

// PeerAddr returns the TCP address of the other side of a connected descriptor, as LocalAddr does of this side.
func PeerAddr(fd int) (netip.AddrPort, error) { return nameOf(unix.SYS_GETPEERNAME, fd) }

func nameOf(call uintptr, fd int) (netip.AddrPort, error) {
	r := rawAddr{size: unix.SizeofSockaddrAny}
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&r.raw)), uintptr(unsafe.Pointer(&r.size)))
	if errno != 0 {
		return netip.AddrPort{}, errno
	}
	return r.get(), nil
}

// LocalAddr implements Addresses.
func (*core) LocalAddr(fd int) (netip.AddrPort, error) { return LocalAddr(fd) }

// PeerAddr implements Addresses.
func (*core) PeerAddr(fd int) (netip.AddrPort, error) { return PeerAddr(fd) }
