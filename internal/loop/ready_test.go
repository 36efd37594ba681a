//go:build linux

package loop_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
)

// lender is a source of buffers that counts them.
type lender struct {
	free  [][]byte
	lent  []byte // asked for, not yet received into
	asked int
}

func (s *lender) Buffer() []byte {
	s.asked++
	if n := len(s.free); s.lent == nil && n > 0 {
		s.lent = s.free[n-1]
		s.free = s.free[:n-1]
	}
	return s.lent
}

func (s *lender) take() []byte {
	b := s.lent
	s.lent = nil
	return b
}

// readyPair is a connection that waits by RecvReady.
func readyPair(t *testing.T, w world, src loop.BufferSource) (*conn, peer) {
	t.Helper()
	c, p := pair(t, w, nil)
	c.l.StopRecv(c.id)
	until(t, w, "OnRecvStopped", func() bool { return c.stopped == 1 })
	c.l.(loop.ReadyReceiver).RecvReady(c.id, src)
	return c, p
}

func TestRecvReadyAsksForABufferWhenThereIsSomethingToReceive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		src := &lender{free: [][]byte{make([]byte, 100)}}
		c, p := readyPair(t, w, src)
		turns(w, 5)
		if src.asked != 0 {
			t.Errorf("asked for %d buffers, and there is nothing to receive", src.asked)
		}
		c.onRecv = func(got []byte) {
			b := src.take()
			if &b[0] != &got[0] || len(got) > len(b) {
				t.Errorf("received somewhere else")
			}
			src.free = append(src.free, b)
			c.l.(loop.ReadyReceiver).RecvReady(c.id, src)
		}
		p.Write(pattern(1000))
		until(t, w, "all", func() bool { return len(c.got) == 1000 })
		if !bytes.Equal(c.got, pattern(1000)) {
			t.Errorf("other bytes than were sent")
		}
		p.CloseWrite()
		until(t, w, "the end", func() bool { return c.ended == 1 })
		if c.endErr != io.EOF {
			t.Errorf("ended with %v", c.endErr)
		}
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

func TestRecvReadyWithoutABufferStops(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		src := &lender{}
		c, p := readyPair(t, w, src)
		p.Write(pattern(300))
		until(t, w, "OnRecvStopped", func() bool { return c.stopped == 2 })
		if len(c.got) != 0 {
			t.Errorf("received %d bytes into nothing", len(c.got))
		}
		c.l.StartRecv(c.id)
		until(t, w, "all", func() bool { return bytes.Equal(c.got, pattern(300)) })
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

func TestCloseWhileRecvReadyWaits(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		src := &lender{}
		c, p := readyPair(t, w, src)
		turns(w, 3)
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
		until(t, w, "FIN", func() bool { p.Read(); return p.End() != nil })
		if src.asked != 0 {
			t.Errorf("asked for a buffer that is not needed")
		}
	})
}

// A relay passes each buffer on as it comes, to a reader that is at times slow: the bytes arrive in order, and no buffer is lost.
func TestRelayByRecvReady(t *testing.T) {
	const buffers, size = 3, 40 << 10
	eachWorld(t, func(t *testing.T, w world) {
		src := &lender{}
		for range buffers {
			src.free = append(src.free, make([]byte, size))
		}
		out, reader := pair(t, w, nil)
		in, writer := readyPair(t, w, src)
		type piece struct {
			buf []byte
			n   int
		}
		var queue []piece
		waits := false // for a buffer
		flush := func() {
			if len(queue) > 0 && !out.inSend {
				out.send(queue[0].buf[:queue[0].n])
			}
		}
		again := func() {
			if waits = len(src.free) == 0; !waits {
				in.l.(loop.ReadyReceiver).RecvReady(in.id, src)
			}
		}
		in.onRecv = func(p []byte) {
			if out.inSend && len(queue) == 0 {
				t.Errorf("a send without a piece")
			}
			queue = append(queue, piece{src.take(), len(p)})
			again()
			flush()
		}
		out.onSend = func() {
			if out.sendErr != nil {
				t.Errorf("send: %v", out.sendErr)
			}
			src.free = append(src.free, queue[0].buf)
			queue = queue[1:]
			if waits && in.ended == 0 {
				again()
			}
			flush()
		}
		want := pattern(1 << 20)
		writer.Write(want)
		writer.CloseWrite()
		var got []byte
		n := 0
		until(t, w, "everything", func() bool {
			if n++; n%3 == 0 || n > 3000 {
				got = append(got, reader.Read()...)
			}
			return len(got) == len(want) && in.ended == 1
		})
		if !bytes.Equal(got, want) {
			t.Errorf("other bytes than were sent")
		}
		turns(w, 10)
		if len(src.free)+len(queue) < buffers-1 || len(queue) > 0 {
			t.Errorf("%d of %d buffers came back, %d are queued", len(src.free), buffers, len(queue))
		}
		in.close()
		out.close()
		until(t, w, "OnClose", func() bool { return in.closed == 1 && out.closed == 1 })
	})
}

// With io_uring one buffer serves all relays of a turn: what one of them has sent is told before the next receives.
func TestRelaysOfOneTurnShareABuffer(t *testing.T) {
	const relays, size = 5, 20 << 10
	w := newFake(t, loop.Options{Entries: 64, Buffers: 16, BufferSize: 512}, 1, looptest.Faults{})
	src := &lender{free: [][]byte{make([]byte, size)}}
	var ins []*conn
	var writers, readers []peer
	for range relays {
		out, reader := pair(t, w, nil)
		in, writer := readyPair(t, w, src)
		in.onRecv = func(p []byte) { out.send(p) }
		out.onSend = func() { src.free = append(src.free, src.take()) }
		ins, writers, readers = append(ins, in), append(writers, writer), append(readers, reader)
	}
	for _, p := range writers {
		p.Write(pattern(size))
	}
	turns(w, 5)
	for i, p := range readers {
		if !bytes.Equal(p.Read(), pattern(size)) {
			t.Errorf("relay %d: other bytes than were sent", i)
		}
		if ins[i].stopped != 1 {
			t.Errorf("relay %d found no buffer", i)
		}
	}
	if len(src.free) != 1 || src.asked != relays {
		t.Errorf("%d buffers are free, %d were asked for", len(src.free), src.asked)
	}
}
