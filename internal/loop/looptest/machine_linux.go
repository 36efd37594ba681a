package looptest

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/uring"
)

// machine is what one loop sees of the kernel: the loop.Host with its system calls, and the uring.Kernel behind its
// ring.
type machine struct {
	k    *Kernel
	loop turner
	side *uring.Side
	bufs map[uint16]*uring.BufSide

	active   []*request // operations in flight, in the order of their submission
	overflow []uring.CQE
	held     []heldCQE // completions held back
	ghosts   []uring.CQE

	idle     bool  // the last turn wanted to sleep
	work     int   // SQEs taken and CQEs posted in this turn
	quiet    int   // turns without work in a row
	deadline int64 // until when it wants to sleep, -1: for ever
}

// heldCQE is a completion that waits for some turns. Completions of one operation keep their order.
type heldCQE struct {
	cqe   uring.CQE
	turns int
}

func newMachine(k *Kernel) *machine {
	return &machine{k: k, bufs: map[uint16]*uring.BufSide{}, deadline: -1}
}

// NewRing implements loop.Host.
func (m *machine) NewRing(c uring.Config) (*uring.Ring, error) {
	r, side := uring.NewMemoryRing(c, m)
	m.side = side
	return r, nil
}

// Clock implements loop.Host.
func (m *machine) Clock() clock.Clock { return m }

// Sample implements clock.Clock.
func (m *machine) Sample() clock.Sample {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	return m.k.now.Sample()
}

// Mono implements clock.Clock.
func (m *machine) Mono() int64 { return m.k.Now() }

// Socket implements loop.Host.
func (m *machine) Socket(to loop.Addr) (int, error) {
	if to.Unix == "" && !to.TCP.IsValid() {
		return -1, unix.EDESTADDRREQ
	}
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	return m.k.newFile(&file{to: to}), nil
}

// Blocking implements loop.Host.
func (m *machine) Blocking(int) {}

// Tune implements loop.Host.
func (m *machine) Tune(int) {}

// LingerNone implements loop.Host.
func (m *machine) LingerNone(fd int) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if f := m.k.files[fd]; f != nil {
		f.linger0 = true
	}
}

// connected is the file of a call that does not go through the ring, unless that comes to nothing. The kernel is locked.
func (m *machine) connected(fd int) (*file, unix.Errno) {
	m.work++
	f := m.k.files[fd]
	switch {
	case f == nil || f.end == nil:
		return nil, unix.EBADF
	case m.k.chance(m.k.faults.Spurious):
		return nil, unix.EAGAIN
	}
	return f, 0
}

// Recv implements loop.Host.
func (m *machine) Recv(fd int, p []byte) (int, unix.Errno) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	f, errno := m.connected(fd)
	switch {
	case errno != 0:
		return 0, errno
	case len(f.end.in) > 0 && m.k.chance(m.k.faults.ResetRecv):
		f.end.breakOff()
		return 0, unix.ECONNRESET
	case len(f.end.in) > 0 && m.k.chance(m.k.faults.ShortRecv):
		p = p[:m.k.part(len(p))]
	}
	return f.end.read(p)
}

// Send implements loop.Host.
func (m *machine) Send(fd int, p []byte) (int, unix.Errno) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	f, errno := m.connected(fd)
	switch {
	case errno != 0:
		return 0, errno
	case m.k.chance(m.k.faults.ResetSend):
		return 0, f.end.breakSend()
	case m.k.chance(m.k.faults.ShortSend):
		p = p[:m.k.part(len(p))]
	}
	return f.end.write(p)
}

// ShutdownWrite implements loop.Host.
func (m *machine) ShutdownWrite(fd int) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if f := m.k.files[fd]; f != nil && f.end != nil {
		f.end.shutdownWrite()
	}
}

// CloseFD implements loop.Host.
func (m *machine) CloseFD(fd int) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	m.k.closeFD(fd)
}

// EventFD implements loop.Host.
func (m *machine) EventFD() (int, error) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	return m.k.newFile(&file{event: &event{}}), nil
}

// Wake implements loop.Host.
func (m *machine) Wake(fd int) {
	m.k.mu.Lock()
	defer m.k.touch()
	if f := m.k.files[fd]; f != nil && f.event != nil {
		f.event.count++
	}
}

// LocalAddr implements loop.Host.
func (m *machine) LocalAddr(fd int) (netip.AddrPort, error) {
	return m.addr(fd, func(e *end) netip.AddrPort { return e.local })
}

// PeerAddr implements loop.Host.
func (m *machine) PeerAddr(fd int) (netip.AddrPort, error) {
	return m.addr(fd, func(e *end) netip.AddrPort { return e.remote })
}

func (m *machine) addr(fd int, of func(*end) netip.AddrPort) (netip.AddrPort, error) {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	switch f := m.k.files[fd]; {
	case f == nil:
		return netip.AddrPort{}, unix.EBADF
	case f.end != nil:
		return of(f.end), nil
	case f.listener != nil:
		return f.listener.addr.TCP, nil
	}
	return netip.AddrPort{}, unix.ENOTCONN
}

// Enable implements uring.Kernel.
func (m *machine) Enable() unix.Errno { return 0 }

// Close implements uring.Kernel.
func (m *machine) Close() {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	for i, o := range m.k.machines {
		if o == m {
			m.k.machines = append(m.k.machines[:i:i], m.k.machines[i+1:]...)
			break
		}
	}
}

// Register implements uring.Kernel.
func (m *machine) Register(opcode uint32, arg unsafe.Pointer, _ uint32) unix.Errno {
	if opcode != uring.RegisterPbufRing {
		return unix.EINVAL
	}
	reg := (*uring.BufReg)(arg)
	m.bufs[reg.Group] = uring.NewBufSide(reg)
	return 0
}

// Enter implements uring.Kernel. Under the stepping methods a wait that finds nothing ends at once and leaves its
// deadline; in Run it sleeps until a peer, Post or Pass does something.
func (m *machine) Enter(submit uint32, wait bool, timeout int64) unix.Errno {
	m.k.mu.Lock()
	defer m.k.mu.Unlock()
	if m.k.chance(m.k.faults.Interrupt) {
		m.work++
		return [...]unix.Errno{unix.EINTR, unix.EAGAIN, unix.EBUSY}[m.k.rnd.IntN(3)]
	}
	m.submit(submit)
	m.collect()
	if !wait || m.side.Waiting() > 0 {
		return 0
	}
	for len(m.held) > 0 && m.side.Waiting() == 0 {
		m.collect() // rather than sleep, the completions held back come now
	}
	if m.side.Waiting() > 0 {
		return 0
	}
	m.deadline = -1
	if timeout >= 0 {
		m.deadline = m.k.now.Mono() + timeout
	}
	m.idle = timeout != 0
	if m.k.stepping {
		return unix.ETIME
	}
	return m.sleep()
}

// sleep is the wait of Run: m.deadline has been set.
func (m *machine) sleep() unix.Errno {
	for {
		if m.collect(); m.side.Waiting() > 0 {
			return 0
		}
		if m.deadline >= 0 && m.k.now.Mono() >= m.deadline {
			return unix.ETIME
		}
		m.k.changed.Wait()
	}
}

func (m *machine) submit(n uint32) {
	for range n {
		e, ok := m.side.Take()
		if !ok {
			return
		}
		m.work++
		m.issue(&e)
	}
}

// collect lets every operation go as far as it can, and shows completions that were held back.
func (m *machine) collect() {
	m.side.SetOverflow(false)
	for len(m.overflow) > 0 && m.side.Post(m.overflow[0]) {
		m.overflow = m.overflow[1:]
	}
	m.release()
	for _, r := range append([]*request(nil), m.active...) {
		if r.live {
			m.progress(r)
		}
	}
	for _, g := range m.ghosts {
		m.show(g)
	}
	m.ghosts = m.ghosts[:0]
	m.side.SetOverflow(len(m.overflow) > 0)
}

// release shows the held completions whose time has come, each operation's in their order.
func (m *machine) release() {
	waiting := map[uint64]bool{}
	rest := m.held[:0]
	for _, h := range m.held {
		if h.turns--; h.turns > 0 || waiting[h.cqe.UserData] {
			waiting[h.cqe.UserData] = true
			rest = append(rest, h)
			continue
		}
		m.show(h.cqe)
	}
	m.held = rest
}

// post completes an operation, perhaps later.
func (m *machine) post(c uring.CQE) {
	late := m.k.chance(m.k.faults.Late)
	for _, h := range m.held {
		late = late || h.cqe.UserData == c.UserData
	}
	if late {
		m.work++
		m.held = append(m.held, heldCQE{cqe: c, turns: m.k.part(5)})
		return
	}
	m.show(c)
}

func (m *machine) show(c uring.CQE) {
	m.work++
	if len(m.overflow) > 0 || !m.side.Post(c) {
		m.overflow = append(m.overflow, c)
	}
}
