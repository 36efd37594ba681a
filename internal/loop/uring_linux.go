package loop

import (
	"fmt"
	"net/netip"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// uringLoop is the io_uring engine. One enter per turn submits everything the handlers asked for and collects
// everything that has completed. A slot remembers which operations the kernel still holds (ops); it is freed after
// the final completion of the last of them, so no completion ever meets a slot that is somebody else's.
type uringLoop struct {
	core
	host   Host
	ring   *uring.Ring
	bufs   *uring.BufRing
	wakeFD int
	rearm  []ID             // receives and accepts that ended by themselves
	addrs  []unsafe.Pointer // free *rawAddr
	wakeOn bool             // the poll of wakeFD is armed
	relays bool             // the handler of a RecvReady is on the stack
}

// Operations the kernel holds, in slot.ops.
const (
	opAccept uint8 = 1 << iota
	opRecv
	opRecvInto
	opSend
	opConnect
	opClose
)

const bufferGroup = 1

func newURing(o Options, h Host, reason string) (l Loop, err error) {
	u := &uringLoop{host: h, wakeFD: -1}
	u.init(o, h.Clock())
	u.info = Info{Engine: "uring", Reason: reason}
	u.mail.wake = func() { u.host.Wake(u.wakeFD) }
	u.ring, err = h.NewRing(uring.Config{Entries: uint32(o.Entries)})
	if err != nil {
		return nil, fmt.Errorf("uring engine: %w", err)
	}
	if u.bufs, err = u.ring.NewBufRing(bufferGroup, o.Buffers, o.BufferSize); err == nil {
		u.wakeFD, err = h.EventFD()
	}
	if err != nil {
		u.release(true)
		return nil, fmt.Errorf("uring engine: %w", err)
	}
	return u, nil
}

// Run implements Loop.
func (u *uringLoop) Run() error {
	if u.ended {
		return ErrStopped
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerSlack(u.opts.OnTurn != nil)
	err := u.start()
	for err == nil && !u.mail.stopping.Load() {
		err = u.Turn()
		u.yield()
	}
	u.teardown(err)
	return err
}

// start binds the ring to this thread.
func (u *uringLoop) start() error {
	if u.running {
		return nil
	}
	u.running = true
	if err := u.ring.Enable(); err != nil {
		return fmt.Errorf("uring engine: %w", err)
	}
	return nil
}

// Turn goes once around the loop: submit and wait, completions, local events, timers, mail, OnTurn. Run does it for
// ever; a test that steps a loop by hand calls it instead of Run.
func (u *uringLoop) Turn() error {
	if err := u.start(); err != nil {
		return err
	}
	if !u.wakeOn {
		u.wakeOn = true
		u.ring.SQE().PollMulti(uring.MakeCookie(uring.OpWake, 0), u.wakeFD, unix.POLLIN)
	}
	if err := u.wait(); err != nil {
		return fmt.Errorf("uring engine: %w", err)
	}
	u.now = u.clk.Sample()
	u.stats.Turns++
	u.harvest()
	u.local()
	u.endTurn()
	u.armAgain()
	return nil
}

// wait submits and collects: first without giving up the processor, then, if there is nothing to do, asleep.
func (u *uringLoop) wait() error {
	n := u.ring.Unsubmitted()
	u.stats.Submitted += uint64(n)
	if n > 0 || u.mail.full.Load() || u.budget() == 0 {
		if err := u.ring.Submit(); err != nil || u.ring.Completions() > 0 {
			return err
		}
	}
	budget := u.budget()
	if budget == 0 || u.mail.full.Load() || u.mail.stopping.Load() {
		return nil
	}
	if u.opts.BusyPoll > 0 {
		if done, err := u.spin(budget); done {
			return err
		}
		if budget = u.budget(); budget == 0 {
			return nil
		}
	}
	if !u.mail.maySleep() {
		return nil
	}
	err := u.ring.Wait(budget)
	u.mail.awake()
	u.stats.Waits++
	return err
}

// spin asks for completions until there is one, or something else to do, or the time to spin is over.
func (u *uringLoop) spin(budget int64) (done bool, err error) {
	d := int64(u.opts.BusyPoll)
	if budget > 0 {
		d = min(d, budget)
	}
	for until := u.clk.Mono() + d; u.clk.Mono() < until; {
		if err := u.ring.Submit(); err != nil || u.ring.Completions() > 0 {
			return true, err
		}
		if u.mail.full.Load() || u.mail.stopping.Load() {
			return true, nil
		}
	}
	return false, nil
}

// harvest hands every completion to its socket.
func (u *uringLoop) harvest() {
	if u.ring.Overflown() {
		u.stats.CQOverflow++
	}
	for n := u.ring.Completions(); n > 0; n = u.ring.Completions() {
		u.stats.Completions += uint64(n)
		for i := range n {
			c := *u.ring.CQE(i)
			u.complete(&c)
		}
		u.ring.Seen(n)
	}
	u.bufs.Publish()
}

// LocalAddr implements Addresses.
func (u *uringLoop) LocalAddr(fd int) (netip.AddrPort, error) { return u.host.LocalAddr(fd) }

// PeerAddr implements Addresses.
func (u *uringLoop) PeerAddr(fd int) (netip.AddrPort, error) { return u.host.PeerAddr(fd) }
