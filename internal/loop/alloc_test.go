//go:build linux

package loop_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// pingPong echoes without allocating: one Send of a fixed buffer per receive, and an idle timer armed again each time.
type pingPong struct {
	l    loop.Loop
	id   loop.ID
	buf  [64]byte
	n    int
	idle loop.Timer
}

func (p *pingPong) OnConnect(error) {}
func (p *pingPong) OnRecv(b []byte) {
	p.l.Arm(&p.idle, time.Minute)
	p.l.Send(p.id, p.buf[:copy(p.buf[:], b)])
}
func (p *pingPong) OnRecvEnd(error)     { p.l.Close(p.id) }
func (p *pingPong) OnRecvStopped()      {}
func (p *pingPong) OnSend(int, error)   { p.n++ }
func (p *pingPong) OnClose()            {}
func (p *pingPong) OnTimer(*loop.Timer) {}

// TestEchoDoesNotAllocate: no allocation per event, on either engine.
func TestEchoDoesNotAllocate(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		w := newReal(t, engine, loop.Options{})
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fds[1])
		h := &pingPong{l: w.l}
		h.idle.Handler = h
		h.id = w.l.Attach(fds[0], h)
		w.l.StartRecv(h.id)
		step := w.l.(interface{ Turn() error })
		msg, got := []byte("ping"), make([]byte, 16)
		done := 0
		exchange := func() {
			if _, err := unix.Write(fds[1], msg); err != nil {
				panic(err)
			}
			for done++; h.n < done; {
				if err := step.Turn(); err != nil {
					panic(err)
				}
			}
			if n, err := unix.Read(fds[1], got); err != nil || n != len(msg) {
				panic("no echo")
			}
		}
		for range 100 {
			exchange()
		}
		if n := testing.AllocsPerRun(1000, exchange); n != 0 {
			t.Errorf("%v allocations per exchange", n)
		}
	})
}

// TestPostUsesItsMemoryAgain: the mailbox uses its memory again.
func TestPostUsesItsMemoryAgain(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		w := newReal(t, engine, loop.Options{})
		f := func() {}
		step := w.l.(interface{ Turn() error })
		post := func() {
			w.l.Post(f)
			if err := step.Turn(); err != nil {
				panic(err)
			}
		}
		for range 10 {
			post()
		}
		if n := testing.AllocsPerRun(100, post); n != 0 {
			t.Errorf("%v allocations per Post and turn", n)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	for _, engine := range []string{"uring", "epoll"} {
		b.Run(engine, func(b *testing.B) {
			l, err := loop.New(loop.Options{Engine: engine})
			if err != nil {
				b.Skip(err)
			}
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(fds[1])
			h := &pingPong{l: l}
			h.idle.Handler = h
			h.id = l.Attach(fds[0], h)
			l.StartRecv(h.id)
			done := make(chan error, 1)
			go func() { done <- l.Run() }()
			msg, got := []byte("ping"), make([]byte, 16)
			for b.Loop() {
				_, _ = unix.Write(fds[1], msg)
				_, _ = unix.Read(fds[1], got)
			}
			l.Stop()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}
