//go:build linux

package uring

import (
	"io"
	"net"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Ways of moving large bodies that the engine does not use, beside the one that it does: `go test -bench Large ./internal/uring`.
// On loopback the kernel copies what zero-copy sends hand over; a network card may tell another story.

const largeChunk = 64 << 10

// sink is a TCP connection whose other end reads and throws away.
func sink(b *testing.B) int {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		buf := make([]byte, 256<<10)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { c.Close(); far.Close() })
	return descriptor(b, c)
}

// source is a TCP connection whose other end writes without end.
func source(b *testing.B) int {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		buf := make([]byte, 256<<10)
		for {
			if _, err := far.Write(buf); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { c.Close(); far.Close() })
	return descriptor(b, c)
}

// descriptor is a blocking duplicate of the connection's.
func descriptor(b *testing.B, c net.Conn) int {
	b.Helper()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	fd := int(f.Fd()) // makes it blocking
	return fd
}

const (
	opcodeSplice   = 30
	opcodeSendZC   = 47
	zcFixedBuffer  = 1 << 2 // IORING_RECVSEND_FIXED_BUF
	cqeNotif       = 1 << 3 // IORING_CQE_F_NOTIF
	registerBuffer = 0      // IORING_REGISTER_BUFFERS
)

// BenchmarkLargeSend sends 64 KiB at a time, one in flight.
func BenchmarkLargeSend(b *testing.B) {
	for _, way := range []string{"copied", "zero-copy", "zero-copy-registered"} {
		b.Run(way, func(b *testing.B) {
			r := realRing(b, Config{Entries: 64})
			fd := sink(b)
			mem, err := unix.Mmap(-1, 0, largeChunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = unix.Munmap(mem) }()
			if way == "zero-copy-registered" {
				iov := unix.Iovec{Base: &mem[0], Len: largeChunk}
				if errno := r.kernel.Register(registerBuffer, unsafe.Pointer(&iov), 1); errno != 0 {
					b.Skipf("this kernel registers no buffers: %v", errno)
				}
			}
			b.SetBytes(largeChunk)
			for b.Loop() {
				e := r.SQE()
				e.Send(1, fd, mem)
				if way != "copied" {
					e.Opcode = opcodeSendZC
				}
				if way == "zero-copy-registered" {
					e.Ioprio |= zcFixedBuffer
				}
				for done := false; !done; {
					if err := r.Wait(1_000_000_000); err != nil {
						b.Fatal(err)
					}
					n := r.Completions()
					for i := range n {
						c := r.CQE(i)
						if c.Res < 0 {
							b.Fatalf("send: %v", unix.Errno(-c.Res))
						}
						done = done || !c.More() || c.Flags&cqeNotif != 0
					}
					r.Seen(n)
				}
			}
		})
	}
}

// BenchmarkLargeRelay moves bytes from one connection to another, through memory and through a pipe.
func BenchmarkLargeRelay(b *testing.B) {
	b.Run("received-and-sent", func(b *testing.B) {
		from, to := source(b), sink(b)
		buf := make([]byte, largeChunk)
		b.SetBytes(largeChunk)
		for b.Loop() {
			for left := largeChunk; left > 0; {
				n, err := unix.Read(from, buf[:left])
				if err != nil || n == 0 {
					b.Fatalf("read %d: %v", n, err)
				}
				for p := buf[:n]; len(p) > 0; {
					w, err := unix.Write(to, p)
					if err != nil {
						b.Fatal(err)
					}
					p = p[w:]
				}
				left -= n
			}
		}
	})
	b.Run("spliced-by-the-ring", func(b *testing.B) {
		ring := realRing(b, Config{Entries: 64})
		from, to := source(b), sink(b)
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = errorsOf(r, w) }()
		in, out := int(r.Fd()), int(w.Fd())
		if _, err := unix.FcntlInt(uintptr(out), unix.F_SETPIPE_SZ, 4*largeChunk); err != nil {
			b.Fatal(err)
		}
		splice := func(from, to, n int) int {
			*ring.SQE() = SQE{Opcode: opcodeSplice, Fd: int32(to), Off: ^uint64(0), Addr: ^uint64(0), Len: uint32(n), FileIdx: uint32(from), UserData: 1}
			if err := ring.Wait(1_000_000_000); err != nil || ring.Completions() != 1 {
				b.Fatalf("splice: %d completions, %v", ring.Completions(), err)
			}
			res := int(ring.CQE(0).Res)
			ring.Seen(1)
			if res <= 0 {
				b.Fatalf("splice: %v", unix.Errno(-res))
			}
			return res
		}
		b.SetBytes(largeChunk)
		for b.Loop() {
			for left := largeChunk; left > 0; {
				n := splice(from, out, left)
				left -= n
				for n > 0 {
					n -= splice(in, to, n)
				}
			}
		}
	})
	b.Run("spliced", func(b *testing.B) {
		from, to := source(b), sink(b)
		r, w, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = errorsOf(r, w) }()
		in, out := int(r.Fd()), int(w.Fd())
		if _, err := unix.FcntlInt(uintptr(out), unix.F_SETPIPE_SZ, 4*largeChunk); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(largeChunk)
		for b.Loop() {
			for left := largeChunk; left > 0; {
				n, err := unix.Splice(from, nil, out, nil, left, unix.SPLICE_F_MOVE|unix.SPLICE_F_MORE)
				if err != nil || n == 0 {
					b.Fatalf("splice in %d: %v", n, err)
				}
				left -= int(n)
				for n > 0 {
					m, err := unix.Splice(in, nil, to, nil, int(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_MORE)
					if err != nil || m == 0 {
						b.Fatalf("splice out %d: %v", m, err)
					}
					n -= m
				}
			}
		}
	})
}

func errorsOf(cs ...io.Closer) (err error) {
	for _, c := range cs {
		if e := c.Close(); e != nil {
			err = e
		}
	}
	return err
}
