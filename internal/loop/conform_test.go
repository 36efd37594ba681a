//go:build linux

package loop_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
)

func TestEcho(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, echo)
		want := pattern(200_000)
		p.Write(want)
		p.CloseWrite()
		var got []byte
		until(t, w, "the echo", func() bool { got = append(got, p.Read()...); return p.End() != nil })
		if !bytes.Equal(got, want) || p.End() != io.EOF {
			t.Fatalf("%d bytes came back, want %d; end %v", len(got), len(want), p.End())
		}
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
		if c.endErr != io.EOF {
			t.Errorf("the half-close was reported as %v", c.endErr)
		}
		if c.largest > 512 {
			t.Errorf("OnRecv brought %d bytes at once, more than Options.BufferSize", c.largest)
		}
		if st := w.Loop().Stats(); st.Sockets != 0 || st.Accepts != 1 {
			t.Errorf("%d sockets open, %d accepted", st.Sockets, st.Accepts)
		}
	})
}

func TestLargeSendToASlowReader(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		want := big()
		c.send(want)
		turns(w, 50)
		if c.sends != 0 {
			t.Fatalf("8 MiB went out while nobody reads")
		}
		var got []byte
		until(t, w, "all of it", func() bool { got = append(got, p.Read()...); return c.sends == 1 && len(got) >= len(want) })
		if c.sent != len(want) || c.sendErr != nil || !bytes.Equal(got, want) {
			t.Errorf("OnSend(%d, %v), %d bytes arrived", c.sent, c.sendErr, len(got))
		}
	})
}

func TestStopRecvHoldsTheSenderBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		p.Write([]byte("a"))
		until(t, w, "the first byte", func() bool { return len(c.got) == 1 })
		c.l.StopRecv(c.id)
		until(t, w, "OnRecvStopped", func() bool { return c.stopped == 1 })
		p.Write(pattern(1000))
		turns(w, 20)
		if len(c.got) != 1 {
			t.Fatalf("%d bytes arrived after OnRecvStopped", len(c.got)-1)
		}
		c.l.StopRecv(c.id) // is off already: no answer
		turns(w, 5)
		if c.stopped != 1 {
			t.Errorf("OnRecvStopped came %d times", c.stopped)
		}
		c.l.StartRecv(c.id)
		until(t, w, "the rest", func() bool { return len(c.got) == 1001 })
		if !bytes.Equal(c.got[1:], pattern(1000)) {
			t.Errorf("the bytes are not those that were sent")
		}
	})
}

func TestStartRecvWithdrawsStopRecv(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		want := pattern(100_000)
		p.Write(want)
		for len(c.got) < len(want) {
			c.l.StopRecv(c.id)
			c.l.StartRecv(c.id)
			if !w.Turn() {
				t.Fatalf("only %d bytes arrived", len(c.got))
			}
		}
		if !bytes.Equal(c.got, want) || c.stopped != 0 {
			t.Errorf("%d bytes, OnRecvStopped %d times", len(c.got), c.stopped)
		}
	})
}

func TestRecvInto(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		c.l.StopRecv(c.id)
		until(t, w, "OnRecvStopped", func() bool { return c.stopped == 1 })
		want := pattern(3000)
		buf := make([]byte, 700)
		foreign := false
		c.onRecv = func(p []byte) {
			foreign = foreign || &p[0] != &buf[0]
			if len(c.got) < len(want) {
				c.l.RecvInto(c.id, buf)
			}
		}
		c.l.RecvInto(c.id, buf) // before there is anything
		turns(w, 5)
		p.Write(want)
		until(t, w, "all bytes", func() bool { return len(c.got) == len(want) })
		if !bytes.Equal(c.got, want) || foreign {
			t.Errorf("wrong bytes, or not in the caller's buffer: %v", foreign)
		}
		c.l.StartRecv(c.id)
		p.Write([]byte("x"))
		until(t, w, "a byte by multishot", func() bool { return len(c.got) == len(want)+1 })
		c.l.StopRecv(c.id)
		until(t, w, "OnRecvStopped", func() bool { return c.stopped == 2 })
		p.Close()
		c.l.RecvInto(c.id, buf)
		until(t, w, "the end", func() bool { return c.ended == 1 })
		c.l.RecvInto(c.id, buf) // nothing follows the end
		c.l.StartRecv(c.id)
		turns(w, 5)
	})
}

func TestHalfCloseLeavesTheSendSide(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		p.CloseWrite()
		until(t, w, "OnRecvEnd", func() bool { return c.ended == 1 })
		c.send([]byte("still here"))
		var got []byte
		until(t, w, "the answer", func() bool { got = append(got, p.Read()...); return len(got) == 10 && c.sends == 1 })
		c.l.Shutdown(c.id)
		until(t, w, "FIN", func() bool { p.Read(); return p.End() == io.EOF })
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

func TestShutdownThenReceive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		c.l.Shutdown(c.id)
		until(t, w, "FIN", func() bool { p.Read(); return p.End() == io.EOF })
		p.Write([]byte("late"))
		until(t, w, "bytes after our FIN", func() bool { return string(c.got) == "late" })
		c.send([]byte("x"))
		until(t, w, "the failed send", func() bool { return c.sends == 1 })
		if !errors.Is(c.sendErr, unix.EPIPE) || c.sent != 0 {
			t.Errorf("send after Shutdown: OnSend(%d, %v), want EPIPE", c.sent, c.sendErr)
		}
	})
}

func TestPeerResets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		p.Reset()
		until(t, w, "OnRecvEnd", func() bool { return c.ended == 1 })
		if !errors.Is(c.endErr, unix.ECONNRESET) {
			t.Errorf("a reset was reported as %v", c.endErr)
		}
		c.send([]byte("x"))
		until(t, w, "the failed send", func() bool { return c.sends == 1 })
		if c.sendErr == nil {
			t.Errorf("a send after a reset succeeded")
		}
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

func TestResetSendsRST(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		c.closing = true
		c.l.Reset(c.id)
		until(t, w, "RST", func() bool { p.Read(); return p.End() != nil })
		if !errors.Is(p.End(), unix.ECONNRESET) {
			t.Errorf("the peer saw %v", p.End())
		}
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

// TestCloseSendsFIN: although a multishot receive holds the file.
func TestCloseSendsFIN(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		turns(w, 3)
		c.close()
		c.l.Close(c.id)
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
		until(t, w, "FIN", func() bool { p.Read(); return p.End() == io.EOF })
		turns(w, 3)
		if c.l.FD(c.id) != -1 {
			t.Errorf("a closed socket still has a descriptor")
		}
	})
}

func TestCloseWithEverythingInFlight(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for _, into := range []bool{false, true} {
			c, p := pair(t, w, nil)
			if into {
				c.l.StopRecv(c.id)
				until(t, w, "OnRecvStopped", func() bool { return c.stopped == 1 })
				c.l.RecvInto(c.id, make([]byte, 100))
			}
			c.send(big()) // more than the peer's window: nobody reads
			turns(w, 5)
			c.close()
			until(t, w, "OnClose", func() bool { return c.closed == 1 })
			until(t, w, "the end at the peer", func() bool { p.Read(); return p.End() != nil })
		}
	})
}

func TestCloseInsideEachCallback(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for name, arrange := range map[string]func(c *conn, p peer){
			"OnRecv":        func(c *conn, p peer) { c.onRecv = func([]byte) { c.close() }; p.Write(pattern(2000)) },
			"OnRecvEnd":     func(c *conn, p peer) { c.onEnd = c.close; p.Close() },
			"OnSend":        func(c *conn, p peer) { c.onSend = c.close; c.send([]byte("x")) },
			"OnRecvStopped": func(c *conn, p peer) { c.onStop = c.close; c.l.StopRecv(c.id) },
		} {
			c, p := pair(t, w, nil)
			arrange(c, p)
			until(t, w, "OnClose after "+name, func() bool { return c.closed == 1 })
			turns(w, 3)
		}
	})
}

func TestDial(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		addr, accept := w.Listen()
		c := &conn{t: t, l: w.Loop()}
		c.id = w.Loop().Dial(addr, c)
		if c.connected != 0 {
			t.Fatalf("Dial called back synchronously")
		}
		until(t, w, "OnConnect", func() bool { return c.connected == 1 })
		if c.connErr != nil {
			t.Fatal(c.connErr)
		}
		var p peer
		until(t, w, "the peer", func() bool { p = accept(); return p != nil })
		c.l.StartRecv(c.id)
		c.send([]byte("ping"))
		var got []byte
		until(t, w, "ping", func() bool { got = append(got, p.Read()...); return string(got) == "ping" })
		p.Write([]byte("pong"))
		until(t, w, "pong", func() bool { return string(c.got) == "pong" })
		if a, err := c.l.(loop.Addresses).PeerAddr(c.l.FD(c.id)); err != nil || a != addr.TCP {
			t.Errorf("peer address %v, %v, want %v", a, err, addr)
		}
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
	})
}

func TestDialFails(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for name, addr := range map[string]loop.Addr{
			"refused": w.Refusing(),
			"nowhere": {},
			"no file": {Unix: "/nonexistent/blitz.sock"},
		} {
			c := &conn{t: t, l: w.Loop()}
			c.id = w.Loop().Dial(addr, c)
			if c.connected != 0 {
				t.Fatalf("%s: Dial called back synchronously", name)
			}
			until(t, w, "OnConnect", func() bool { return c.connected == 1 })
			if c.connErr == nil {
				t.Errorf("%s: connected", name)
			}
			if name == "refused" && !errors.Is(c.connErr, unix.ECONNREFUSED) {
				t.Errorf("refused: %v", c.connErr)
			}
			c.close()
			until(t, w, "OnClose", func() bool { return c.closed == 1 })
		}
		if st := w.Loop().Stats(); st.Sockets != 0 {
			t.Errorf("%d sockets are left", st.Sockets)
		}
	})
}

func TestCloseRightAfterDial(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		addr, _ := w.Listen()
		c := &conn{t: t, l: w.Loop()}
		c.id = w.Loop().Dial(addr, c)
		c.close()
		until(t, w, "OnClose", func() bool { return c.closed == 1 })
		turns(w, 3)
	})
}
