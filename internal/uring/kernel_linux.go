package uring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sysKernel is the operating system behind a ring.
type sysKernel struct {
	fd       int
	enterFD  uintptr // fd, or its index among the thread's registered rings
	enterBit uintptr // enterRegisteredRing, or 0
	ring     []byte
	sqes     []byte
	// Arguments of the sleeping call. arg holds the address of ts as a number, so both must not move: they live on
	// the heap with the kernel, not on a stack.
	ts  unix.Timespec
	arg geteventsArg
}

// setupChoices are the flags to try, best first: a kernel that does not know one answers EINVAL.
var setupChoices = []uint32{
	setupSubmitAll | setupSingleIssuer | setupDeferTaskrun, // Linux 6.1
	setupSubmitAll | setupSingleIssuer | setupCoopTaskrun,  // Linux 6.0
	setupSubmitAll | setupCoopTaskrun,                      // Linux 5.19
	0,
}

// setupCall is io_uring_setup.
type setupCall func(entries uint32, p *params) (fd int, errno unix.Errno)

func sysSetup(entries uint32, p *params) (int, unix.Errno) {
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), 0
}

// setup tries the choices in turn.
func setup(c Config, call setupCall) (int, *params, error) {
	errno := unix.Errno(0)
	for _, flags := range setupChoices {
		p := &params{flags: flags | setupCQSize | setupRDisabled, cqEntries: c.CQEntries}
		var fd int
		if fd, errno = call(c.Entries, p); errno == 0 {
			return fd, p, nil
		}
		if errno != unix.EINVAL {
			break
		}
	}
	return -1, nil, fmt.Errorf("io_uring_setup: %w", errno)
}

// NewRing makes a ring of the operating system. It belongs to no thread until Enable.
func NewRing(c Config) (*Ring, error) { return newRing(c, sysSetup) }

func newRing(c Config, call setupCall) (*Ring, error) {
	c = c.rounded()
	fd, p, err := setup(c, call)
	if err != nil {
		return nil, explainSetup(err)
	}
	unix.CloseOnExec(fd)
	if p.features&featSingleMmap == 0 || p.features&featExtArg == 0 || p.features&featNoDrop == 0 {
		unix.Close(fd)
		return nil, &FeatureError{Feature: "extended arguments of io_uring_enter", Since: "5.11"}
	}
	size := max(p.sqOff.array+p.sqEntries*4, p.cqOff.cqes+p.cqEntries*uint32(unsafe.Sizeof(CQE{})))
	k := &sysKernel{fd: fd, enterFD: uintptr(fd)}
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if k.ring, err = unix.Mmap(fd, offSQRing, int(size), prot, flags); err == nil {
		k.sqes, err = unix.Mmap(fd, offSQEs, int(p.sqEntries)*int(unsafe.Sizeof(SQE{})), prot, flags)
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("map the io_uring queues (is the limit of locked memory too low?): %w", err)
	}
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&k.ring[off])) }
	array := unsafe.Slice(word(p.sqOff.array), p.sqEntries)
	for i := range array {
		array[i] = uint32(i) // entries are always used in order
	}
	return &Ring{
		kernel:  k,
		sqHead:  word(p.sqOff.head),
		sqTail:  word(p.sqOff.tail),
		sqFlags: word(p.sqOff.flags),
		sqMask:  *word(p.sqOff.ringMask),
		sqes:    unsafe.Slice((*SQE)(unsafe.Pointer(&k.sqes[0])), p.sqEntries),
		cqHead:  word(p.cqOff.head),
		cqTail:  word(p.cqOff.tail),
		cqMask:  *word(p.cqOff.ringMask),
		cqes:    unsafe.Slice((*CQE)(unsafe.Pointer(&k.ring[p.cqOff.cqes])), p.cqEntries),
	}, nil
}

func (c Config) rounded() Config {
	c.Entries = powerOfTwo(max(c.Entries, 2))
	if c.CQEntries < c.Entries {
		c.CQEntries = 4 * c.Entries
	}
	c.CQEntries = powerOfTwo(c.CQEntries)
	return c
}

func powerOfTwo(n uint32) uint32 {
	p := uint32(1)
	for p < n {
		p <<= 1
	}
	return p
}

// Enter implements Kernel. Collecting is a raw system call: it cannot sleep, and the scheduler need not hear of it.
// Sleeping is a full one, so that the collector does not wait for this thread.
func (k *sysKernel) Enter(submit uint32, wait bool, timeout int64) unix.Errno {
	if !wait {
		_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, k.enterFD, uintptr(submit), 0,
			enterGetEvents|k.enterBit, 0, 0)
		return errno
	}
	k.arg.ts = 0
	if timeout >= 0 {
		k.ts = unix.NsecToTimespec(timeout)
		k.arg.ts = uint64(uintptr(unsafe.Pointer(&k.ts)))
	}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, k.enterFD, uintptr(submit), 1,
		enterGetEvents|enterExtArg|k.enterBit, uintptr(unsafe.Pointer(&k.arg)), unsafe.Sizeof(k.arg))
	return errno
}

// Register implements Kernel.
func (k *sysKernel) Register(opcode uint32, arg unsafe.Pointer, n uint32) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(k.fd), uintptr(opcode), uintptr(arg), uintptr(n), 0, 0)
	return errno
}

// Enable implements Kernel. A registered ring saves the kernel a reference count per call (Linux 5.18); it is
// registered with the thread, so only here.
func (k *sysKernel) Enable() unix.Errno {
	if errno := k.Register(RegisterEnableRings, nil, 0); errno != 0 {
		return errno
	}
	up := rsrcUpdate{offset: ^uint32(0), data: uint64(k.fd)}
	if k.Register(RegisterRingFDs, unsafe.Pointer(&up), 1) == 0 {
		k.enterFD, k.enterBit = uintptr(up.offset), enterRegisteredRing
	}
	return 0
}

// Close implements Kernel.
func (k *sysKernel) Close() {
	if k.sqes != nil {
		_ = unix.Munmap(k.sqes)
	}
	if k.ring != nil {
		_ = unix.Munmap(k.ring)
	}
	if k.enterBit != 0 {
		up := rsrcUpdate{offset: uint32(k.enterFD)}
		k.Register(UnregisterRingFDs, unsafe.Pointer(&up), 1) // else the thread keeps the ring alive
	}
	unix.Close(k.fd)
}
