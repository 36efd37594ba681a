//go:build linux

package giouring

import (
	"bytes"
	"syscall"
	"testing"
	"unsafe"

	theirs "github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// raw is the memory of an SQE of either library.
func raw[T any](e *T) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e)))
}

func TestEncodingsAreTheSame(t *testing.T) {
	const (
		fd     = 0x1234567
		cookie = uring.Cookie(0xfedcba9876543210)
		target = uring.Cookie(0x0123456789abcdef)
		group  = 0xabc
	)
	buf := make([]byte, 777)
	addr := uintptr(unsafe.Pointer(&buf[0]))
	var sockaddr syscall.Sockaddr
	ts := &syscall.Timespec{Sec: 1}
	cases := []struct {
		name   string
		ours   func(e *uring.SQE)
		theirs func(e *theirs.SubmissionQueueEntry)
	}{
		{"nop", func(e *uring.SQE) { e.Nop(cookie) }, func(e *theirs.SubmissionQueueEntry) { e.PrepareNop() }},
		{
			"accept", func(e *uring.SQE) { e.Accept(cookie, fd, unix.SOCK_CLOEXEC) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareAccept(fd, 0, 0, unix.SOCK_CLOEXEC) },
		},
		{
			"multishot accept", func(e *uring.SQE) { e.AcceptMulti(cookie, fd, unix.SOCK_CLOEXEC) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareMultishotAccept(fd, 0, 0, unix.SOCK_CLOEXEC) },
		},
		{
			"multishot receive", func(e *uring.SQE) { e.RecvMulti(cookie, fd, group) },
			func(e *theirs.SubmissionQueueEntry) {
				e.PrepareRecvMultishot(fd, 0, 0, 0)
				e.Flags |= theirs.SqeBufferSelect
				e.BufIG = group
			},
		},
		{
			"receive", func(e *uring.SQE) { e.Recv(cookie, fd, buf, unix.MSG_PEEK) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareRecv(fd, addr, uint32(len(buf)), unix.MSG_PEEK) },
		},
		{
			"send", func(e *uring.SQE) { e.Send(cookie, fd, buf) },
			func(e *theirs.SubmissionQueueEntry) {
				e.PrepareSend(fd, addr, uint32(len(buf)), unix.MSG_WAITALL|unix.MSG_NOSIGNAL)
			},
		},
		{
			"connect", func(e *uring.SQE) { e.Connect(cookie, fd, unsafe.Pointer(&sockaddr), 16) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareConnect(fd, &sockaddr, 16) },
		},
		{
			"close", func(e *uring.SQE) { e.Close(cookie, fd) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareClose(fd) },
		},
		{
			"cancel", func(e *uring.SQE) { e.Cancel(cookie, target) },
			func(e *theirs.SubmissionQueueEntry) {
				e.PrepareCancel64(uint64(target), 0)
				e.Flags |= theirs.SqeCQESkipSuccess
			},
		},
		{
			"shutdown", func(e *uring.SQE) { e.Shutdown(cookie, fd, unix.SHUT_WR) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareShutdown(fd, unix.SHUT_WR) },
		},
		{
			"socket", func(e *uring.SQE) { e.Socket(cookie, unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP) },
			func(e *theirs.SubmissionQueueEntry) {
				e.PrepareSocket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP, 0)
			},
		},
		{
			"read", func(e *uring.SQE) { e.Read(cookie, fd, buf) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareRead(fd, addr, uint32(len(buf)), ^uint64(0)) },
		},
		{
			"multishot poll", func(e *uring.SQE) { e.PollMulti(cookie, fd, unix.POLLIN) },
			func(e *theirs.SubmissionQueueEntry) { e.PreparePollMultishot(fd, unix.POLLIN) },
		},
		{
			"timeout", func(e *uring.SQE) { e.Timeout(cookie, (*unix.Timespec)(ts), 3) },
			func(e *theirs.SubmissionQueueEntry) {
				e.PrepareTimeout(ts, 3, 0)
				// giouring stores the address of its own parameter; the kernel wants that of the timespec.
				e.Addr = uint64(uintptr(unsafe.Pointer(ts)))
			},
		},
		{
			"message to a ring", func(e *uring.SQE) { e.MsgRing(cookie, fd, 99, target) },
			func(e *theirs.SubmissionQueueEntry) { e.PrepareMsgRing(fd, 99, uint64(target), 0) },
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var a uring.SQE
			var b theirs.SubmissionQueueEntry
			c.ours(&a)
			c.theirs(&b)
			b.UserData = uint64(cookie)
			if got, want := raw(&a), raw(&b); !bytes.Equal(got, want) {
				t.Errorf("we say   %x\ngiouring %x", got, want)
			}
		})
	}
}

// TestPreparingClearsTheEntry: what a used entry held before does not shine through.
func TestPreparingClearsTheEntry(t *testing.T) {
	var clean, used uring.SQE
	for i := range unsafe.Slice((*byte)(unsafe.Pointer(&used)), unsafe.Sizeof(used)) {
		unsafe.Slice((*byte)(unsafe.Pointer(&used)), unsafe.Sizeof(used))[i] = 0xff
	}
	clean.Nop(1)
	used.Nop(1)
	if !bytes.Equal(raw(&clean), raw(&used)) {
		t.Errorf("a used entry becomes %x", raw(&used))
	}
}

func TestConstantsAreTheSame(t *testing.T) {
	for name, c := range map[string][2]uint64{
		"CQE buffer flag":  {uring.CQEBuffer, uint64(theirs.CQEFBuffer)},
		"CQE more flag":    {uring.CQEMore, uint64(theirs.CQEFMore)},
		"cancel all":       {uring.CancelAll, uint64(theirs.AsyncCancelAll)},
		"cancel by fd":     {uring.CancelFD, uint64(theirs.AsyncCancelFd)},
		"size of an SQE":   {uint64(unsafe.Sizeof(uring.SQE{})), uint64(unsafe.Sizeof(theirs.SubmissionQueueEntry{}))},
		"size of a CQE":    {uint64(unsafe.Sizeof(uring.CQE{})), uint64(unsafe.Sizeof(theirs.CompletionQueueEvent{}))},
		"size of a BufReg": {uint64(unsafe.Sizeof(uring.BufReg{})), uint64(unsafe.Sizeof(theirs.BufReg{}))},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: we say %d, giouring %d", name, c[0], c[1])
		}
	}
}
