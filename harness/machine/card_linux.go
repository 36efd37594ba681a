package machine

import (
	"encoding/binary"
	"errors"
	"runtime"
	"unsafe"

	"github.com/safchain/ethtool"
	"golang.org/x/sys/unix"
)

// ReadCard asks a card of this machine. What it does not support is left zero; an error says that it could not be asked at all.
func ReadCard(name string) (c Card, err error) {
	e, err := ethtool.NewEthtool()
	if err != nil {
		return c, err
	}
	defer e.Close()
	features, err := e.FeaturesWithState(name)
	if err != nil {
		return c, err
	}
	c.Offloads = map[string]Offload{}
	for f, s := range features {
		c.Offloads[f] = Offload{On: s.Active, Fixed: !s.Available || s.NeverChanged}
	}
	switch r, err := e.GetRing(name); {
	case err == nil:
		c.RxRing, c.TxRing, c.MaxRxRing, c.MaxTxRing = int(r.RxPending), int(r.TxPending), int(r.RxMaxPending), int(r.TxMaxPending)
	case !unsupported(err):
		return c, err
	}
	switch ch, err := e.GetChannels(name); {
	case err == nil:
		c.Channels, c.MaxChannels = int(ch.CombinedCount), int(ch.MaxCombined)
	case !unsupported(err):
		return c, err
	}
	switch s, err := spread(name); {
	case err == nil:
		c.Spread = s
	case !unsupported(err):
		return c, err
	}
	return c, nil
}

// unsupported: the card does not have it. A privilege that is missing is another matter.
func unsupported(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)
}

// spread reads the hash table (ETHTOOL_GRXFHINDIR): first its size, then as many entries. The library reads 256 at most, and cards have more.
func spread(name string) (map[int]int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// struct ethtool_rxfh_indir: cmd, size, ring_index[size].
	head := make([]byte, 8)
	ask := func() error {
		var req struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			rest [16]byte
		}
		if copy(req.name[:unix.IFNAMSIZ-1], name) < len(name) {
			return unix.ENODEV
		}
		req.data = unsafe.Pointer(&head[0])
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
		runtime.KeepAlive(head)
		if errno != 0 {
			return errno
		}
		return nil
	}
	binary.NativeEndian.PutUint32(head, unix.ETHTOOL_GRXFHINDIR)
	if err := ask(); err != nil {
		return nil, err
	}
	size := int(binary.NativeEndian.Uint32(head[4:]))
	if size == 0 || size > 1<<16 {
		return nil, unix.EOPNOTSUPP
	}
	head = append(head, make([]byte, 4*size)...)
	binary.NativeEndian.PutUint32(head, unix.ETHTOOL_GRXFHINDIR)
	if err := ask(); err != nil {
		return nil, err
	}
	out := map[int]int{}
	for i := range size {
		out[int(binary.NativeEndian.Uint32(head[8+4*i:]))]++
	}
	return out, nil
}
