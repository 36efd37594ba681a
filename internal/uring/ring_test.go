//go:build linux

package uring

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// realRing makes a ring of the operating system, bound to the test's thread.
func realRing(t testing.TB, c Config) *Ring {
	t.Helper()
	if err := Available(); err != nil {
		t.Skipf("this machine has no usable io_uring: %v", err)
	}
	r, err := NewRing(c)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	t.Cleanup(func() { r.Close(); runtime.UnlockOSThread() })
	if err := r.Enable(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLayoutMatchesTheKernels(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"SQE", unsafe.Sizeof(SQE{}), 64},
		{"CQE", unsafe.Sizeof(CQE{}), 16},
		{"params", unsafe.Sizeof(params{}), 120},
		{"getevents_arg", unsafe.Sizeof(geteventsArg{}), 24},
		{"buf_reg", unsafe.Sizeof(BufReg{}), 40},
		{"buf", unsafe.Sizeof(bufEntry{}), 16},
		{"probe", unsafe.Sizeof(probe{}), 16 + 256*8},
		{"SQE.UserData", unsafe.Offsetof(SQE{}.UserData), 32},
		{"SQE.BufIndex", unsafe.Offsetof(SQE{}.BufIndex), 40},
		{"buf.bid", unsafe.Offsetof(bufEntry{}.bid), 12},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, the kernel has %d", c.name, c.got, c.want)
		}
	}
}

func TestCookie(t *testing.T) {
	const name = 1<<CookieNameBits - 1
	c := MakeCookie(OpSend, name)
	if c.Op() != OpSend || c.Name() != name {
		t.Errorf("%x is %v of %x", uint64(c), c.Op(), c.Name())
	}
	if MakeCookie(OpNone, 0) != 0 {
		t.Errorf("the cookie nobody waits for is not zero")
	}
	if OpWake.String() != "wake" || Op(200).String() != "unknown" {
		t.Errorf("operations are named %v, %v", OpWake, Op(200))
	}
}

// TestMoreEntriesThanTheQueueHolds submits before and after Enable more than fits, and loses none, in order.
func TestMoreEntriesThanTheQueueHolds(t *testing.T) {
	if err := Available(); err != nil {
		t.Skipf("this machine has no usable io_uring: %v", err)
	}
	r, err := NewRing(Config{Entries: 4, CQEntries: 8})
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer r.Close()
	const n = 50
	for i := range n {
		r.SQE().Nop(MakeCookie(OpNone, uint64(i)))
	}
	if err := r.Enable(); err != nil {
		t.Fatal(err)
	}
	for i := n; i < 2*n; i++ {
		r.SQE().Nop(MakeCookie(OpNone, uint64(i)))
	}
	overflown := false
	for next, turns := uint64(0), 0; next < 2*n; turns++ {
		if turns > 10*n {
			t.Fatalf("only %d of %d completions came", next, 2*n)
		}
		if err := r.Wait(-1); err != nil {
			t.Fatal(err)
		}
		overflown = overflown || r.Overflown()
		ready := r.Completions()
		for i := range ready {
			if got := Cookie(r.CQE(i).UserData).Name(); got != next {
				t.Fatalf("completion %d is of entry %d", next, got)
			}
			next++
		}
		r.Seen(ready)
	}
	if !overflown {
		t.Errorf("100 completions in a queue of 8 never overflowed it: the test tests nothing")
	}
	if r.Unsubmitted() != 0 {
		t.Errorf("%d entries are left", r.Unsubmitted())
	}
}

func TestWaitEndsAtItsTimeout(t *testing.T) {
	r := realRing(t, Config{Entries: 4})
	if err := r.Wait(1000); err != nil {
		t.Fatal(err)
	}
	if n := r.Completions(); n != 0 {
		t.Errorf("%d completions out of nothing", n)
	}
}

func TestNopRoundTripDoesNotAllocate(t *testing.T) {
	r := realRing(t, Config{Entries: 4})
	n := testing.AllocsPerRun(100, func() {
		r.SQE().Nop(7)
		if r.Wait(1_000_000_000) != nil || r.Completions() != 1 {
			panic("no completion")
		}
		r.Seen(1)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestBuffersComeBackAfterRecycling(t *testing.T) {
	r := realRing(t, Config{Entries: 8})
	b, err := r.NewBufRing(3, 2, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	defer unix.Close(pair[0])
	// Far more than the buffers hold: the receive must run dry (ENOBUFS) and go on after recycling.
	var want strings.Builder
	for i := range 40 {
		want.WriteByte(byte('A' + i))
	}
	if _, err := unix.Write(pair[1], []byte(want.String())); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	dry := false
	for got.Len() < 40 {
		r.SQE().RecvMulti(1, pair[0], b.Group())
		if err := r.Wait(-1); err != nil {
			t.Fatal(err)
		}
		ready := r.Completions()
		for i := range ready {
			c := r.CQE(i)
			if bid, ok := c.HasBuffer(); ok {
				got.Write(b.Bytes(bid, int(c.Res)))
				b.Recycle(bid)
			}
			dry = dry || c.Res == -int32(unix.ENOBUFS)
		}
		r.Seen(ready)
		b.Publish()
	}
	if got.String() != want.String() || !dry {
		t.Errorf("received %q, ran dry: %v", got.String(), dry)
	}
}

func TestProbeExplains(t *testing.T) {
	fails := func(errno unix.Errno) setupCall {
		return func(uint32, *params) (int, unix.Errno) { return -1, errno }
	}
	broken := []feature{{"io_uring time travel", "99.1", func(*Ring) error { return unix.EINVAL }}}
	for _, c := range []struct {
		name string
		err  error
		is   error
		says []string
	}{
		{"no system call", available(fails(unix.ENOSYS), nil), unix.ENOSYS, []string{"io_uring", "older than 5.1", "seccomp"}},
		{"forbidden", available(fails(unix.EPERM), nil), unix.EPERM, []string{"io_uring", "seccomp", "Docker"}},
		{"no descriptors", available(fails(unix.EMFILE), nil), unix.EMFILE, []string{"ulimit -n"}},
		{"no memory", available(fails(unix.ENOMEM), nil), unix.ENOMEM, []string{"ulimit -l"}},
		{"no flag known", available(fails(unix.EINVAL), nil), unix.EINVAL, []string{"needs Linux 5.1"}},
	} {
		var f *FeatureError
		if !errors.As(c.err, &f) || !errors.Is(c.err, c.is) {
			t.Errorf("%s: %v is not a FeatureError that wraps %v", c.name, c.err, c.is)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(c.err.Error(), s) {
				t.Errorf("%s: %q does not say %q", c.name, c.err, s)
			}
		}
	}
	if Available() == nil {
		err := available(sysSetup, broken)
		if err == nil || !strings.Contains(err.Error(), "time travel is not available: it needs Linux 99.1") {
			t.Errorf("a missing feature is reported as %v", err)
		}
	}
}

// TestSetupFallsBack takes the flags away one after the other, as older kernels do.
func TestSetupFallsBack(t *testing.T) {
	for _, unknown := range []uint32{0, setupDeferTaskrun, setupSingleIssuer, setupCoopTaskrun, setupSubmitAll | setupCoopTaskrun} {
		var last uint32
		_, _, err := setup(Config{Entries: 8}, func(_ uint32, p *params) (int, unix.Errno) {
			last = p.flags
			if p.flags&unknown != 0 {
				return -1, unix.EINVAL
			}
			return 3, 0
		})
		if err != nil || last&unknown != 0 || last&setupRDisabled == 0 || last&setupCQSize == 0 {
			t.Errorf("without %#x: flags %#x, error %v", unknown, last, err)
		}
	}
}

func TestRingRunsWithOlderFlags(t *testing.T) {
	if err := Available(); err != nil {
		t.Skipf("this machine has no usable io_uring: %v", err)
	}
	for _, unknown := range []uint32{setupDeferTaskrun, setupSingleIssuer | setupDeferTaskrun, setupSubmitAll} {
		err := available(func(n uint32, p *params) (int, unix.Errno) {
			if p.flags&unknown != 0 {
				return -1, unix.EINVAL
			}
			return sysSetup(n, p)
		}, features)
		if err != nil {
			t.Errorf("without %#x: %v", unknown, err)
		}
	}
}
