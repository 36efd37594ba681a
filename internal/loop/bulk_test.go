//go:build linux

package loop_test

import (
	"io"
	"net"
	"testing"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// bulk sends n bytes in pieces to a reader that reads as fast as it can.
func bulk(tb testing.TB, engine string, n, piece int) loop.Stats {
	l, err := loop.New(loop.Options{Engine: engine})
	if err != nil {
		tb.Fatal(err)
	}
	fd, err := loop.Listen(anyPort, loop.ListenOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	a, _ := loop.LocalAddr(fd)
	buf := make([]byte, piece)
	l.Listen(fd, acceptFunc(func(fd int) {
		s := &sender{l: l, buf: buf, left: n}
		s.id = l.Attach(fd, s)
		s.OnSend(0, nil)
	}))
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	c, err := net.Dial("tcp", a.String())
	if err != nil {
		tb.Fatal(err)
	}
	got, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	if err != nil || got != int64(n) {
		tb.Fatalf("read %d bytes, %v", got, err)
	}
	c.Close()
	l.Stop()
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
	return l.Stats()
}

type sender struct {
	l    loop.Loop
	id   loop.ID
	buf  []byte
	left int
}

func (s *sender) OnConnect(error) {}
func (s *sender) OnRecv([]byte)   {}
func (s *sender) OnRecvEnd(error) {}
func (s *sender) OnRecvStopped()  {}
func (s *sender) OnClose()        {}
func (s *sender) OnSend(n int, err error) {
	if err != nil {
		s.l.Close(s.id)
		return
	}
	if s.left -= n; s.left == 0 {
		s.l.Close(s.id)
		return
	}
	s.l.Send(s.id, s.buf[:min(len(s.buf), s.left)])
}

func BenchmarkBulk(b *testing.B) {
	for _, e := range []string{"uring", "epoll"} {
		for _, piece := range []int{16 << 10, 1 << 20} {
			b.Run(e+map[bool]string{true: "-16K", false: "-1M"}[piece < 1<<20], func(b *testing.B) {
				b.SetBytes(64 << 20)
				for b.Loop() {
					bulk(b, e, 64<<20, piece)
				}
			})
		}
	}
}
