package uring

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Config is the size of a ring.
type Config struct {
	Entries   uint32 // submission queue; rounded up to a power of two
	CQEntries uint32 // completion queue; default four times Entries
}

// Kernel is the other side of a ring.
type Kernel interface {
	// Enter takes submit entries off the submission queue and posts what has completed. With wait it sleeps until
	// there is a completion, but not longer than timeout nanoseconds (-1: for ever); then ETIME is the answer.
	Enter(submit uint32, wait bool, timeout int64) unix.Errno
	// Register is io_uring_register.
	Register(opcode uint32, arg unsafe.Pointer, n uint32) unix.Errno
	// Enable binds the ring to the calling thread, which alone may Enter from then on.
	Enable() unix.Errno
	// Close ends the ring and releases the memory of its queues.
	Close()
}

// Ring is a pair of queues in memory that the kernel shares.
type Ring struct {
	kernel Kernel

	// Submission queue.
	sqHead  *uint32 // advanced by the kernel
	sqTail  *uint32 // published by submit
	sqFlags *uint32 // set by the kernel
	sqMask  uint32
	tail    uint32 // advanced by SQE
	sqes    []SQE
	backlog []SQE // entries that found the queue full, in order

	// Completion queue.
	cqHead *uint32 // advanced by Seen
	cqTail *uint32 // advanced by the kernel
	cqMask uint32
	cqes   []CQE

	enabled bool
}

// Enable binds the ring to the calling thread. Entries may be prepared before, nothing is submitted before.
func (r *Ring) Enable() error {
	if errno := r.kernel.Enable(); errno != 0 {
		return fmt.Errorf("io_uring_register(ENABLE_RINGS): %w", errno)
	}
	r.enabled = true
	return nil
}

// Close ends the ring.
func (r *Ring) Close() { r.kernel.Close() }

// SQE returns the next free entry, which the caller must prepare before the next call of a method. When the queue is
// full it is submitted at once; what still finds no room waits in a backlog.
func (r *Ring) SQE() *SQE {
	if len(r.backlog) == 0 {
		if r.tail-atomic.LoadUint32(r.sqHead) <= r.sqMask {
			e := &r.sqes[r.tail&r.sqMask]
			r.tail++
			return e
		}
		if r.enabled && r.enter(false, 0) == 0 && r.tail-atomic.LoadUint32(r.sqHead) <= r.sqMask {
			e := &r.sqes[r.tail&r.sqMask]
			r.tail++
			return e
		}
	}
	r.backlog = append(r.backlog, SQE{})
	return &r.backlog[len(r.backlog)-1]
}

// Unsubmitted is the number of entries that the kernel has not taken.
func (r *Ring) Unsubmitted() int {
	return int(r.tail-atomic.LoadUint32(r.sqHead)) + len(r.backlog)
}

// Submit hands over all entries and collects completions without sleeping. An error is fatal for the ring.
func (r *Ring) Submit() error { return fatal(r.enter(false, 0)) }

// Wait is Submit that sleeps until there is a completion, for at most timeout nanoseconds (-1: for ever). It may
// return early.
func (r *Ring) Wait(timeout int64) error { return fatal(r.enter(true, timeout)) }

func (r *Ring) enter(wait bool, timeout int64) unix.Errno {
	for {
		r.refill()
		atomic.StoreUint32(r.sqTail, r.tail)
		before := atomic.LoadUint32(r.sqHead)
		errno := r.kernel.Enter(r.tail-before, wait && len(r.backlog) == 0, timeout)
		if len(r.backlog) == 0 || errno != 0 || atomic.LoadUint32(r.sqHead) == before {
			return errno
		}
	}
}

// refill moves the backlog into the queue as far as there is room.
func (r *Ring) refill() {
	if len(r.backlog) == 0 {
		return
	}
	n := 0
	for n < len(r.backlog) && r.tail-atomic.LoadUint32(r.sqHead) <= r.sqMask {
		r.sqes[r.tail&r.sqMask] = r.backlog[n]
		r.tail++
		n++
	}
	r.backlog = r.backlog[:copy(r.backlog, r.backlog[n:])]
}

// fatal filters the errors that mean "not now": a signal, a timeout, no memory for requests at present, or a
// completion queue that has to be emptied first. The next turn tries again.
func fatal(errno unix.Errno) error {
	switch errno {
	case 0, unix.EINTR, unix.ETIME, unix.EAGAIN, unix.EBUSY:
		return nil
	}
	return fmt.Errorf("io_uring_enter: %w", errno)
}

// Completions is the number of completions that wait in the queue.
func (r *Ring) Completions() uint32 { return atomic.LoadUint32(r.cqTail) - *r.cqHead }

// CQE returns the i-th waiting completion. The memory is the kernel's again after Seen.
func (r *Ring) CQE(i uint32) *CQE { return &r.cqes[(*r.cqHead+i)&r.cqMask] }

// Seen gives the places of the first n completions back.
func (r *Ring) Seen(n uint32) { atomic.StoreUint32(r.cqHead, *r.cqHead+n) }

// Overflown tells that completions found the queue full. None is lost: the kernel keeps them until the next enter.
func (r *Ring) Overflown() bool { return atomic.LoadUint32(r.sqFlags)&sqCQOverflow != 0 }

// HasBuffer tells whether a provided buffer came with the completion, and which.
func (c *CQE) HasBuffer() (bid uint16, ok bool) {
	return uint16(c.Flags >> cqeBufferShift), c.Flags&CQEBuffer != 0
}

// More tells whether the multishot operation goes on.
func (c *CQE) More() bool { return c.Flags&CQEMore != 0 }
