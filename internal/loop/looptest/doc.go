// Package looptest puts a scripted fake kernel behind the uring engine: it works on the very queues the engine
// uses, but sockets are in memory, time is virtual, and faults are injected from a seed. A whole worker can run on it, one
// step at a time, and the same seed gives the same run.
//
// It is for tests only. It imports internal/loop, internal/uring and internal/clock. SQEs flow in from the
// loop, CQEs flow back; the test's own ends of connections are Peers.
//
//	k := looptest.NewKernel(seed, looptest.Faults{ShortRecv: 200, Late: 100})
//	l := k.Loop(loop.Options{})
//	l.Listen(k.ListenFD(addr), acceptor)
//	p, err := k.Dial(addr)
//	p.Write(request)
//	k.RunUntil(func() bool { return answered(p) }, 5*time.Second)
//
// Descriptors start at FirstFD, where a real process has none: a system call that the code under test makes on
// one fails with EBADF and does no harm. Addresses come from loop.Addresses, which every Loop implements.
//
// Methods may be called from any goroutine while a loop is in Run; a test that wants the same run every time
// uses the stepping methods instead of Run.
package looptest

// FirstFD is the lowest descriptor of a fake kernel.
const FirstFD = 1 << 24
