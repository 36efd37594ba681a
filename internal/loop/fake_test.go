//go:build linux

package loop_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
)

// fake is the fake kernel, with or without faults.
type fake struct {
	t      *testing.T
	k      *looptest.Kernel
	l      loop.Loop
	port   uint16
	idle   int
	turns  int
	faulty bool
}

// kernels finds the fake kernel under a loop.
var kernels sync.Map

func newFake(t *testing.T, o loop.Options, seed uint64, f looptest.Faults) *fake {
	t.Helper()
	k := looptest.NewKernel(seed, f)
	l, err := k.Loop(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &fake{t: t, k: k, l: l, port: 1000, faulty: f != looptest.Faults{}}
	kernels.Store(l, k)
	t.Cleanup(func() {
		defer kernels.Delete(l)
		k.SetFaults(looptest.Faults{})
		if err := k.Settle(); err != nil {
			t.Error(err)
		}
		if n := k.FreeBuffers(); n != o.Buffers && o.Buffers != 0 {
			t.Errorf("%d of %d receive buffers are left", n, o.Buffers)
		}
		l.Stop()
		if err := l.Run(); err != nil {
			t.Errorf("the end of the loop: %v", err)
		}
		if n := k.OpenFDs(); n != 0 {
			t.Errorf("%d descriptors are open after the end", n)
		}
	})
	return w
}

func (w *fake) Loop() loop.Loop { return w.l }
func (w *fake) Faulty() bool    { return w.faulty }

func (w *fake) Turn() bool {
	busy, err := w.k.Step()
	if err != nil {
		w.t.Fatal(err)
	}
	w.turns++
	if busy {
		w.idle = 0
		return w.turns < 300_000
	}
	w.idle++
	if err := w.k.Advance(time.Millisecond); err != nil {
		w.t.Fatal(err)
	}
	return w.idle < 5000
}

func (w *fake) addr() loop.Addr {
	w.port++
	return loop.Addr{TCP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), w.port)}
}

func (w *fake) Listener() (int, loop.Addr) {
	a := w.addr()
	return w.k.ListenFD(a), a
}

func (w *fake) Dial(to loop.Addr) peer {
	p, err := w.k.Dial(to)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *fake) Listen() (loop.Addr, func() peer) {
	a := w.addr()
	l := w.k.Listen(a)
	return a, func() peer {
		if p := l.Accept(); p != nil {
			return p
		}
		return nil
	}
}

func (w *fake) Refusing() loop.Addr { return w.addr() }

// TestFakeKernelIsDeterministic: the same seed gives the same run, another seed another.
func TestFakeKernelIsDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		w := newFake(t, loop.Options{Entries: 8, Buffers: 4, BufferSize: 64}, seed, looptest.AllFaults(150))
		c, p := pair(t, w, echo)
		p.Write(pattern(5000))
		p.CloseWrite()
		until(t, w, "the end", func() bool { p.Read(); return c.closed == 1 })
		return fmt.Sprintf("%+v", w.l.Stats())
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("seed 1 gave two runs:\n%s\n%s", a, b)
	}
	if a, b := run(1), run(2); a == b {
		t.Errorf("seeds 1 and 2 gave the same run: %s", a)
	}
}

// TestEchoUnderFaults: whatever the kernel does short of breaking connections, the bytes come back.
func TestEchoUnderFaults(t *testing.T) {
	for seed := range uint64(60) {
		o := loop.Options{Entries: 4 << (seed % 4), Buffers: 2 << (seed % 5), BufferSize: 100}
		w := newFake(t, o, seed, looptest.AllFaults(20+int(seed)*5))
		w.k.Window = 700
		s := newServer(t, w, echo)
		const n = 6
		peers := make([]peer, n)
		got := make([][]byte, n)
		for i := range peers {
			peers[i] = w.Dial(s.addr)
			peers[i].Write(pattern(3000 + i))
			peers[i].CloseWrite()
		}
		until(t, w, fmt.Sprintf("all echoes, seed %d", seed), func() bool {
			over := 0
			for i, p := range peers {
				got[i] = append(got[i], p.Read()...)
				if p.End() != nil {
					over++
				}
			}
			return over == n && w.l.Stats().Sockets == 0
		})
		for i, p := range peers {
			if !bytes.Equal(got[i], pattern(3000+i)) || p.End() != io.EOF {
				t.Fatalf("seed %d: connection %d got %d bytes back, %v", seed, i, len(got[i]), p.End())
			}
		}
	}
}

// TestEverythingUnderFaults: connections may break at any step, but every rule for handlers holds (conn checks them),
// and every socket closes in the end.
func TestEverythingUnderFaults(t *testing.T) {
	ends := map[string]int{}
	stale := uint64(0)
	for seed := range uint64(60) {
		w := newFake(t, loop.Options{Entries: 8, Buffers: 8, BufferSize: 64}, seed,
			looptest.AllFaults(100).WithResets(30))
		w.k.Window = 500
		s := newServer(t, w, echo)
		addr, accept := w.Listen()
		var dialled []*conn
		var peers []peer
		for i := range 12 {
			if i%2 == 0 {
				p := w.Dial(s.addr)
				p.Write(pattern(2000))
				p.CloseWrite()
				peers = append(peers, p)
				continue
			}
			c := &conn{t: t, l: w.l}
			echo(c)
			c.onConnect = func() {
				if c.connErr != nil {
					c.close()
					return
				}
				c.l.StartRecv(c.id)
			}
			c.id = w.l.Dial(addr, c)
			dialled = append(dialled, c)
		}
		for i := range 200 {
			w.Turn()
			if p := accept(); p != nil {
				p.Write(pattern(1000))
				p.CloseWrite()
				peers = append(peers, p)
			}
			for _, p := range peers {
				p.Read()
			}
			if i == 50 {
				peers[0].Reset()
				dialled[0].close()
				w.l.Close(dialled[0].id)
			}
		}
		until(t, w, fmt.Sprintf("the end of all, seed %d", seed), func() bool {
			for p := accept(); p != nil; p = accept() {
				p.CloseWrite()
				peers = append(peers, p)
			}
			for _, p := range peers {
				p.Read()
			}
			return w.l.Stats().Sockets == 0
		})
		for _, c := range append(s.conns, dialled...) {
			if c.closed != 1 {
				t.Errorf("seed %d: OnClose came %d times", seed, c.closed)
			}
			ends[fmt.Sprint("receive ", c.endErr)]++
			ends[fmt.Sprint("send ", c.sendErr)]++
			ends[fmt.Sprint("connect ", c.connErr)]++
		}
		stale += w.l.Stats().Stale
	}
	for _, want := range []string{"receive EOF", "receive connection reset by peer", "send broken pipe", "connect connection refused"} {
		if ends[want] == 0 {
			t.Errorf("%q never happened: the test tests less than it says: %v", want, ends)
		}
	}
	if stale == 0 {
		t.Errorf("no late completion ever appeared: the test tests less than it says")
	}
}

// TestAcceptFailsUnderFaults: EMFILE pauses, is reported, and ResumeAccept goes on where it stopped.
func TestAcceptFailsUnderFaults(t *testing.T) {
	w := newFake(t, loop.Options{}, 7, looptest.Faults{TooManyFiles: 1000})
	s := newServer(t, w, nil)
	w.Dial(s.addr)
	until(t, w, "OnAcceptError", func() bool { return len(s.errs) == 1 })
	turns(w, 10)
	if len(s.errs) != 1 {
		t.Fatalf("reported %d times without a resume", len(s.errs))
	}
	s.l.ResumeAccept(s.id)
	until(t, w, "a second report", func() bool { return len(s.errs) == 2 })
	w.k.SetFaults(looptest.Faults{})
	s.l.ResumeAccept(s.id)
	until(t, w, "the connection", func() bool { return len(s.conns) == 1 })
}

// TestSilentAddress: a connect that is never answered ends with Close.
func TestSilentAddress(t *testing.T) {
	w := newFake(t, loop.Options{}, 1, looptest.Faults{})
	a := w.addr()
	w.k.Silent(a)
	c := &conn{t: t, l: w.l}
	c.id = w.l.Dial(a, c)
	timeout := &loop.Timer{Handler: &timerLog{f: func(*loop.Timer) { c.close() }}}
	w.l.Arm(timeout, 3*time.Second)
	if err := w.k.RunUntil(func() bool { return c.closed == 1 }, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if c.connected != 0 {
		t.Errorf("OnConnect came from an address that is silent")
	}
}

// TestTimersOfASleepingLoop: time passes only while the loop sleeps, so that the turn in which a timer fires shows how long it asked to sleep.
func TestTimersOfASleepingLoop(t *testing.T) {
	const granularity = int64(250 * time.Microsecond) // as Arm promises
	w := newFake(t, loop.Options{}, 1, looptest.Faults{})
	for i := range 200 {
		if err := w.k.Advance(time.Duration(i) * 61803 * time.Nanosecond); err != nil { // each is armed at another moment of a tick
			t.Fatal(err)
		}
		fired := int64(-1)
		d := 250 * time.Millisecond
		w.l.Arm(&loop.Timer{Handler: &timerLog{f: func(*loop.Timer) { fired = w.l.Now() }}}, d)
		due := w.l.Now() + int64(d)
		if err := w.k.RunUntil(func() bool { return fired >= 0 }, time.Second); err != nil {
			t.Fatal(err)
		}
		if late := fired - due; late < 0 || late >= granularity {
			t.Fatalf("a timer of %v fired %d ns after it was due", d, late)
		}
	}
	turns := func(d time.Duration) uint64 {
		before := w.l.Stats().Turns
		if err := w.k.Advance(d); err != nil {
			t.Fatal(err)
		}
		return w.l.Stats().Turns - before
	}
	if short, long := turns(time.Second), turns(time.Hour); long > short {
		t.Errorf("with no timer armed, an hour has %d turns, a second %d", long, short)
	}
}

func TestRunOnTheFakeKernel(t *testing.T) {
	k := looptest.NewKernel(3, looptest.AllFaults(50))
	l, err := k.Loop(loop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	addr := loop.Addr{TCP: netip.MustParseAddrPort("10.0.0.1:80")}
	closed := make(chan struct{})
	l.Listen(k.ListenFD(addr), acceptFunc(func(fd int) {
		c := &conn{t: t, l: l}
		echo(c)
		c.id = l.Attach(fd, c)
		l.StartRecv(c.id)
	}))
	fired := make(chan struct{})
	l.Arm(&loop.Timer{Handler: &timerLog{f: func(*loop.Timer) { close(fired) }}}, time.Hour)
	done := make(chan error, 1)
	go func() { defer close(closed); done <- l.Run() }()
	p, err := k.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("hello"))
	limit := time.Now().Add(patience)
	for got := ""; got != "hello"; got += string(p.Read()) {
		if time.Now().After(limit) {
			t.Fatalf("only %q came back", got)
		}
	}
	k.Pass(2 * time.Hour)
	<-fired
	l.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	<-closed
	if p.Read(); p.End() != io.EOF {
		t.Errorf("the peer of an ended loop sees %v", p.End())
	}
}

// TestCloseUnderFaults closes sockets with operations in flight, whose completions come late and whose cancellations
// miss: OnClose must wait for all of them (conn asks the kernel).
func TestCloseUnderFaults(t *testing.T) {
	for seed := range uint64(100) {
		w := newFake(t, loop.Options{Entries: 8, Buffers: 8, BufferSize: 64}, seed, looptest.Faults{Late: 400, CancelRace: 400, Ghost: 400})
		s := newServer(t, w, nil)
		for range 4 {
			w.Dial(s.addr)
		}
		until(t, w, "four connections", func() bool { return len(s.conns) == 4 })
		for i, c := range s.conns {
			if i%2 == 0 {
				c.send(pattern(100_000)) // more than the window: stays in flight
			}
		}
		turns(w, int(seed%4))
		for _, c := range s.conns {
			c.close()
		}
		until(t, w, "four times OnClose", func() bool {
			for _, c := range s.conns {
				if c.closed != 1 {
					return false
				}
			}
			return true
		})
	}
}
