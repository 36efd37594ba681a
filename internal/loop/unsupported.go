//go:build !linux

package loop

import (
	"fmt"
	"net/netip"
	"runtime"
)

// New fails: the engines of this package are io_uring and epoll, which only Linux has.
func New(o Options) (Loop, error) {
	return nil, fmt.Errorf("engine %q on %s: io_uring and epoll need Linux: %w", o.withDefaults().Engine, runtime.GOOS,
		ErrUnsupported)
}

// Listen fails as New does.
func Listen(addr Addr, _ ListenOptions) (int, error) {
	return -1, fmt.Errorf("listen on %v: this needs Linux: %w", addr, ErrUnsupported)
}

// LocalAddr fails as New does.
func LocalAddr(int) (netip.AddrPort, error) { return netip.AddrPort{}, ErrUnsupported }

// PeerAddr fails as New does.
func PeerAddr(int) (netip.AddrPort, error) { return netip.AddrPort{}, ErrUnsupported }

// AcceptQueued finds nothing.
func AcceptQueued(int) int { return -1 }

// DupListener fails.
func DupListener(int) int { return -1 }

// CloseListenerFD has nothing to close.
func CloseListenerFD(int) {}

// SetBacklog fails as New does.
func SetBacklog(int, int) error { return ErrUnsupported }

// Steer does nothing here.
func Steer(int, int) {}
