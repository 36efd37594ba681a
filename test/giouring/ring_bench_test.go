//go:build linux

package giouring

import (
	"runtime"
	"testing"
	"unsafe"

	theirs "github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// The benchmarks do the same with both rings, with the same set-up flags where the library lets us: a nop there and
// back, and an echo through a socket pair by one receive and one send.

const batch = 16

func ourRing(b *testing.B) *uring.Ring {
	b.Helper()
	if err := uring.Available(); err != nil {
		b.Skipf("this machine has no usable io_uring: %v", err)
	}
	r, err := uring.NewRing(uring.Config{Entries: 64})
	if err != nil {
		b.Fatal(err)
	}
	runtime.LockOSThread()
	b.Cleanup(func() { r.Close(); runtime.UnlockOSThread() })
	if err := r.Enable(); err != nil {
		b.Fatal(err)
	}
	return r
}

func theirRing(b *testing.B) *theirs.Ring {
	b.Helper()
	if err := uring.Available(); err != nil {
		b.Skipf("this machine has no usable io_uring: %v", err)
	}
	runtime.LockOSThread()
	r := theirs.NewRing()
	if err := r.QueueInit(64, theirs.SetupSingleIssuer|theirs.SetupDeferTaskrun|theirs.SetupSubmitAll); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.QueueExit(); runtime.UnlockOSThread() })
	return r
}

// ourWait submits and takes n completions, in the two steps of the loop: collect, and sleep only for what is missing.
func ourWait(b *testing.B, r *uring.Ring, n uint32) {
	err := r.Submit()
	for n > 0 {
		if err == nil && r.Completions() == 0 {
			err = r.Wait(-1)
		}
		if err != nil {
			b.Fatal(err)
		}
		ready := r.Completions()
		for i := range ready {
			if r.CQE(i).Res < 0 {
				b.Fatal(unix.Errno(-r.CQE(i).Res))
			}
		}
		r.Seen(ready)
		n -= ready
	}
}

func theirWait(b *testing.B, r *theirs.Ring, n uint32) {
	for n > 0 {
		if _, err := r.SubmitAndWait(1); err != nil {
			b.Fatal(err)
		}
		var ready [batch]*theirs.CompletionQueueEvent
		got := r.PeekBatchCQE(ready[:])
		for _, c := range ready[:got] {
			if c.Res < 0 {
				b.Fatal(unix.Errno(-c.Res))
			}
		}
		r.CQAdvance(got)
		n -= got
	}
}

func BenchmarkNop(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		r := ourRing(b)
		b.ReportAllocs()
		for b.Loop() {
			for range batch {
				r.SQE().Nop(1)
			}
			ourWait(b, r, batch)
		}
	})
	b.Run("giouring", func(b *testing.B) {
		r := theirRing(b)
		b.ReportAllocs()
		for b.Loop() {
			for range batch {
				r.GetSQE().PrepareNop()
			}
			theirWait(b, r, batch)
		}
	})
}

func socketPair(b *testing.B) [2]int {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p
}

func BenchmarkEcho(b *testing.B) {
	msg := make([]byte, 100)
	into := make([]byte, 100)
	b.Run("ours", func(b *testing.B) {
		r, p := ourRing(b), socketPair(b)
		b.ReportAllocs()
		for b.Loop() {
			r.SQE().Send(1, p[0], msg)
			r.SQE().Recv(2, p[1], into, 0)
			ourWait(b, r, 2)
		}
	})
	b.Run("giouring", func(b *testing.B) {
		r, p := theirRing(b), socketPair(b)
		b.ReportAllocs()
		for b.Loop() {
			r.GetSQE().PrepareSend(p[0], uintptr(unsafe.Pointer(&msg[0])), uint32(len(msg)), unix.MSG_WAITALL|unix.MSG_NOSIGNAL)
			r.GetSQE().PrepareRecv(p[1], uintptr(unsafe.Pointer(&into[0])), uint32(len(into)), 0)
			theirWait(b, r, 2)
		}
	})
}
