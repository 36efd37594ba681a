package looptest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/uring"
)

// Kernel is a machine in memory: sockets, a clock, and the far side of the rings of one or more loops.
type Kernel struct {
	// Window is how many bytes a socket holds for a reader that does not read (default 64 KiB).
	Window int

	mu        sync.Mutex
	changed   *sync.Cond // something happened that a sleeping Run may wait for
	rnd       *rand.Rand
	faults    Faults
	now       *clock.Manual
	machines  []*machine
	files     map[int]*file
	nextFD    int
	nextPort  uint16
	listeners map[string]*listener
	silent    map[string]bool
	stepping  bool
}

// NewKernel makes a kernel whose faults follow from the seed.
func NewKernel(seed uint64, f Faults) *Kernel {
	k := &Kernel{
		Window:    64 << 10,
		rnd:       rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)),
		faults:    f,
		now:       clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		files:     map[int]*file{},
		nextFD:    FirstFD,
		nextPort:  40000,
		listeners: map[string]*listener{},
		silent:    map[string]bool{},
	}
	k.changed = sync.NewCond(&k.mu)
	return k
}

// Loop makes a loop on this kernel.
func (k *Kernel) Loop(o loop.Options) (loop.Loop, error) {
	m := newMachine(k)
	l, err := loop.NewOnHost(o, m)
	if err != nil {
		return nil, err
	}
	m.loop = l.(turner)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.machines = append(k.machines, m)
	return l, nil
}

type turner interface {
	loop.Loop
	Turn() error
}

// SetFaults changes the faults from now on.
func (k *Kernel) SetFaults(f Faults) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = f
}

// Now is the kernel's monotonic time in nanoseconds.
func (k *Kernel) Now() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now.Mono()
}

// OpenFDs is the number of descriptors that the loops have open, their eventfds left out.
func (k *Kernel) OpenFDs() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, f := range k.files {
		if f.event == nil {
			n++
		}
	}
	return n
}

// FreeBuffers is the number of provided receive buffers that the loops have given to the kernel and that hold
// nothing. In a settled kernel it is Options.Buffers for each loop, or a buffer was lost.
func (k *Kernel) FreeBuffers() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, m := range k.machines {
		for _, b := range m.bufs {
			n += b.Free()
		}
	}
	return n
}

// InFlight is the number of operations of a socket that the kernel holds, or whose completion it holds back. At
// OnClose it must be zero.
func (k *Kernel) InFlight(id loop.ID) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, m := range k.machines {
		for _, r := range m.active {
			if uring.Cookie(r.sqe.UserData).Name() == uint64(id) {
				n++
			}
		}
		for _, h := range m.held {
			if c := uring.Cookie(h.cqe.UserData); c.Name() == uint64(id) && c.Op() != uring.OpCancel {
				n++
			}
		}
	}
	return n
}

// Step turns each loop once, without sleeping. False when no loop had anything to do: then only a peer or the
// passing of time can change something. An error is that of a loop.
func (k *Kernel) Step() (bool, error) {
	k.mu.Lock()
	k.stepping = true
	machines := k.machines
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.stepping = false
		k.mu.Unlock()
	}()
	busy := false
	for _, m := range machines {
		m.idle = false
		m.work = 0
		if err := m.loop.Turn(); err != nil {
			return false, err
		}
		if !m.idle || m.work > 0 {
			m.quiet = 0
		} else {
			m.quiet++ // what the turn's timers asked for is only submitted in the next one
		}
		busy = busy || m.quiet < 2
	}
	return busy, nil
}

// maxSteps bounds how long loops may be busy without time passing.
const maxSteps = 200_000

// Settle steps until no loop has anything to do. Time stands still.
func (k *Kernel) Settle() error {
	for range maxSteps {
		busy, err := k.Step()
		if err != nil || !busy {
			return err
		}
	}
	return fmt.Errorf("looptest: the loops are still busy after %d steps", maxSteps)
}

// Advance lets d of virtual time pass, stopping at each deadline on the way.
func (k *Kernel) Advance(d time.Duration) error {
	until := k.Now() + int64(d)
	for {
		if err := k.Settle(); err != nil {
			return err
		}
		if k.Now() >= until {
			return nil
		}
		k.jump(until)
	}
}

// RunUntil steps, and lets time pass when nothing else is to be done, until cond holds. It fails when cond does not
// hold after limit of virtual time.
func (k *Kernel) RunUntil(cond func() bool, limit time.Duration) error {
	until := k.Now() + int64(limit)
	for steps := 0; !cond(); {
		busy, err := k.Step()
		if err != nil {
			return err
		}
		if busy {
			if steps++; steps > maxSteps {
				return fmt.Errorf("looptest: the loops are still busy after %d steps", maxSteps)
			}
			continue
		}
		if cond() {
			return nil
		}
		if k.Now() >= until {
			return fmt.Errorf("looptest: the condition does not hold after %v", limit)
		}
		k.jump(until)
		steps = 0
	}
	return nil
}

// Pass lets d of virtual time pass for loops that are in Run, where time stands still otherwise.
func (k *Kernel) Pass(d time.Duration) {
	k.mu.Lock()
	defer k.touch()
	k.now.Advance(d)
}

// jump moves the clock to the next deadline of a loop, but not beyond until.
func (k *Kernel) jump(until int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.machines {
		if m.deadline >= 0 && m.deadline < until {
			until = m.deadline
		}
	}
	k.now.Advance(time.Duration(until - k.now.Mono()))
	for _, m := range k.machines {
		m.quiet = 0
	}
}

// Silent makes an address that answers no connect, so that it stays in progress.
func (k *Kernel) Silent(addr loop.Addr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent[addr.String()] = true
}

// chance throws the dice.
func (k *Kernel) chance(perMille int) bool {
	return perMille > 0 && k.rnd.IntN(1000) < perMille
}

// part is a number from 1 to n.
func (k *Kernel) part(n int) int { return 1 + k.rnd.IntN(n) }

func (k *Kernel) newFile(f *file) int {
	fd := k.nextFD
	k.nextFD++
	f.fd = fd
	k.files[fd] = f
	return fd
}

// file is what a descriptor refers to. Operations in flight hold it as well: it is released when the descriptor is
// closed and the last of them has ended.
type file struct {
	fd       int
	refs     int // operations in flight
	closed   bool
	to       loop.Addr // of a socket made for a Dial
	end      *end      // connected socket
	listener *listener
	event    *event
	linger0  bool
}

type event struct{ count uint64 }

// drop lets go of one reference, of an operation or of the descriptor.
func (k *Kernel) drop(f *file) {
	if !f.closed || f.refs > 0 {
		return
	}
	switch {
	case f.listener != nil:
		f.listener.close(k)
	case f.end != nil:
		f.end.release(f.linger0)
	}
}

func (k *Kernel) closeFD(fd int) unix.Errno {
	f := k.files[fd]
	if f == nil {
		return unix.EBADF
	}
	delete(k.files, fd)
	f.closed = true
	k.drop(f)
	return 0
}
