package loop

import (
	"os"
	"unsafe"
)

// Slab hands out buffers of one size that the garbage collector never sees: one reservation of address space,
// whose pages cost memory only once they are written. Free buffers are a stack, so the warmest is used first. One
// worker owns a Slab; it is not safe for concurrent use.
type Slab struct {
	region []byte
	size   int
	next   int      // buffers below it have been handed out at least once
	limit  int      // buffers in the region
	free   []uint32 // stack of returned buffers
	low    int      // shallowest the stack has been since the last Trim
	cold   int      // buffers at the bottom of the stack whose pages have been given back
}

const slabAlign = 64 // buffers start on a cache line

// NewSlab reserves maxBytes of address space for buffers of size bytes each (rounded up to a multiple of 64; only
// multiples of the page size can be trimmed). At least one buffer fits. When the system refuses to reserve that
// much, the slab is smaller; it panics when there is no memory for a single buffer.
func NewSlab(size, maxBytes int) *Slab {
	size = max((size+slabAlign-1)/slabAlign*slabAlign, slabAlign)
	limit := max(maxBytes/size, 1)
	for ; ; limit /= 2 {
		region, err := reserve(limit * size)
		if err == nil {
			return &Slab{region: region, size: size, limit: limit}
		}
		if limit == 1 {
			panic("loop: no memory for a slab of buffers: " + err.Error())
		}
	}
}

// Size is the length of the buffers in bytes.
func (s *Slab) Size() int { return s.size }

// Get returns a buffer whose content is arbitrary, nil when all are in use. Its length and capacity are Size.
func (s *Slab) Get() []byte {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.low = min(s.low, n-1)
		s.cold = min(s.cold, n-1)
		return s.at(int(i))
	}
	if s.next == s.limit {
		return nil
	}
	s.next++
	return s.at(s.next - 1)
}

func (s *Slab) at(i int) []byte {
	return s.region[i*s.size : (i+1)*s.size : (i+1)*s.size]
}

// Put takes a buffer back: the slice that Get returned, or one that starts where it started. It panics when the
// memory is not of this slab.
func (s *Slab) Put(b []byte) {
	base := uintptr(unsafe.Pointer(unsafe.SliceData(s.region)))
	off := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - base
	if cap(b) == 0 || off >= uintptr(s.next*s.size) || off%uintptr(s.size) != 0 {
		panic("loop: Slab.Put of a buffer that is not of this slab")
	}
	s.free = append(s.free, uint32(off/uintptr(s.size)))
}

// InUse is the number of bytes handed out and not returned.
func (s *Slab) InUse() int64 { return int64(s.next-len(s.free)) * int64(s.size) }

// Trim gives the memory of buffers that nobody used since the last Trim back to the system; call it now and then. It
// returns the number of bytes given back.
func (s *Slab) Trim() int64 {
	given := int64(0)
	if s.size%os.Getpagesize() != 0 {
		return 0
	}
	for s.cold < s.low {
		discard(s.at(int(s.free[s.cold])))
		s.cold++
		given += int64(s.size)
	}
	s.low = len(s.free)
	return given
}

// Close gives everything back. No buffer may be touched afterwards.
func (s *Slab) Close() {
	unreserve(s.region)
	*s = Slab{size: s.size}
}
