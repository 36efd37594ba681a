package uring

import (
	"sync/atomic"
	"unsafe"
)

// Side is the kernel's side of a ring whose kernel is a test's: it takes SQEs out of and puts CQEs into the very
// memory that the Ring uses.
type Side struct {
	ring  *Ring
	words [6]uint32
}

// NewMemoryRing makes a ring in ordinary memory, and the other side of it for the kernel k.
func NewMemoryRing(c Config, k Kernel) (*Ring, *Side) {
	c = c.rounded()
	s := &Side{}
	s.ring = &Ring{
		kernel:  k,
		sqHead:  &s.words[0],
		sqTail:  &s.words[1],
		sqFlags: &s.words[2],
		sqMask:  c.Entries - 1,
		sqes:    make([]SQE, c.Entries),
		cqHead:  &s.words[3],
		cqTail:  &s.words[4],
		cqMask:  c.CQEntries - 1,
		cqes:    make([]CQE, c.CQEntries),
	}
	return s.ring, s
}

// Take removes the next SQE, false when there is none.
func (s *Side) Take() (SQE, bool) {
	head := atomic.LoadUint32(s.ring.sqHead)
	if head == atomic.LoadUint32(s.ring.sqTail) {
		return SQE{}, false
	}
	e := s.ring.sqes[head&s.ring.sqMask]
	atomic.StoreUint32(s.ring.sqHead, head+1)
	return e, true
}

// Post adds a completion, false when the queue is full.
func (s *Side) Post(c CQE) bool {
	tail := atomic.LoadUint32(s.ring.cqTail)
	if tail-atomic.LoadUint32(s.ring.cqHead) > s.ring.cqMask {
		return false
	}
	s.ring.cqes[tail&s.ring.cqMask] = c
	atomic.StoreUint32(s.ring.cqTail, tail+1)
	return true
}

// Waiting is the number of completions that have not been seen.
func (s *Side) Waiting() uint32 { return s.ring.Completions() }

// SetOverflow sets or clears the flag that says completions found the queue full.
func (s *Side) SetOverflow(on bool) {
	if on {
		atomic.StoreUint32(s.ring.sqFlags, sqCQOverflow)
	} else {
		atomic.StoreUint32(s.ring.sqFlags, 0)
	}
}

// BufferFlags are the CQE flags that name a provided buffer.
func BufferFlags(bid uint16) uint32 { return CQEBuffer | uint32(bid)<<cqeBufferShift }

// BufSide is the kernel's side of a ring of provided buffers.
type BufSide struct {
	ring []bufEntry
	head uint16
}

// NewBufSide opens the ring that a RegisterPbufRing names.
func NewBufSide(reg *BufReg) *BufSide {
	return &BufSide{ring: unsafe.Slice((*bufEntry)(pointer(&reg.RingAddr)), reg.RingEntries)}
}

// Take removes the next buffer, false when there is none.
func (b *BufSide) Take() (bid uint16, p []byte, ok bool) {
	word := atomic.LoadUint32((*uint32)(unsafe.Pointer(&b.ring[0].bid)))
	if b.head == uint16(word>>16) {
		return 0, nil, false
	}
	e := &b.ring[int(b.head)&(len(b.ring)-1)]
	b.head++
	return e.bid, unsafe.Slice((*byte)(pointer(&e.addr)), e.len), true
}

// Free is the number of buffers that can be taken.
func (b *BufSide) Free() int {
	word := atomic.LoadUint32((*uint32)(unsafe.Pointer(&b.ring[0].bid)))
	return int(uint16(word>>16) - b.head)
}

// Bytes is the memory an SQE of a send or receive names.
func (e *SQE) Bytes() []byte {
	if e.Len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(&e.Addr)), e.Len)
}

// pointer reads an address that was stored as a number. Whoever stored it keeps the memory alive.
func pointer(addr *uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(addr)) }
