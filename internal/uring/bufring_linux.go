package uring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BufRing is a ring of provided receive buffers: the kernel takes a buffer when data arrives, the completion names it,
// and Recycle puts it back. All memory is off the heap.
//
// The ring's tail shares its first entry with a buffer's ID (see bufEntry), so it is published by a 32-bit store that
// rewrites both; that needs a little-endian machine, which every machine with io_uring that Go supports is,
// save s390x.
type BufRing struct {
	mem   []byte // entries, then buffers
	ring  []bufEntry
	bufs  []byte
	size  int
	count int
	mask  uint16
	tail  uint16
	group uint16
}

// NewBufRing provides count buffers of size bytes (count at most 32768) as the given group of the ring.
func (r *Ring) NewBufRing(group uint16, count, size int) (*BufRing, error) {
	entries := powerOfTwo(uint32(min(max(count, 1), 1<<15)))
	count = min(max(count, 1), int(entries))
	head := (int(entries)*int(unsafe.Sizeof(bufEntry{})) + 4095) &^ 4095
	mem, err := unix.Mmap(-1, 0, head+count*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("map %d receive buffers: %w", count, err)
	}
	b := &BufRing{
		mem:   mem,
		ring:  unsafe.Slice((*bufEntry)(unsafe.Pointer(&mem[0])), entries),
		bufs:  mem[head:],
		size:  size,
		count: count,
		mask:  uint16(entries - 1),
		group: group,
	}
	reg := BufReg{RingAddr: addrOf(mem), RingEntries: entries, Group: group}
	if errno := r.kernel.Register(RegisterPbufRing, unsafe.Pointer(&reg), 1); errno != 0 {
		b.Free()
		return nil, fmt.Errorf("io_uring_register(PBUF_RING): %w", errno)
	}
	for bid := range count {
		b.Recycle(uint16(bid))
	}
	b.Publish()
	return b, nil
}

// Group is the buffer group.
func (b *BufRing) Group() uint16 { return b.group }

// Bytes returns the first n bytes of a buffer that a completion brought. They are valid until Recycle.
func (b *BufRing) Bytes(bid uint16, n int) []byte {
	off := int(bid) * b.size
	return b.bufs[off : off+n : off+b.size]
}

// Recycle puts a buffer back; the kernel sees it after Publish.
func (b *BufRing) Recycle(bid uint16) {
	e := &b.ring[b.tail&b.mask]
	e.addr = addrOf(b.bufs[int(bid)*b.size:])
	e.len = uint32(b.size)
	e.bid = bid
	b.tail++
}

// Publish shows the kernel what was recycled.
func (b *BufRing) Publish() {
	first := &b.ring[0]
	word := (*uint32)(unsafe.Pointer(&first.bid))
	atomic.StoreUint32(word, uint32(b.tail)<<16|uint32(first.bid))
}

// Free releases the memory, which the kernel must no longer use.
func (b *BufRing) Free() { _ = unix.Munmap(b.mem) }
