//go:build linux

package loop_test

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
)

func TestStaleIDsAreHarmless(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := newServer(t, w, nil)
		w.Dial(s.addr)
		until(t, w, "a connection", func() bool { return len(s.conns) == 1 })
		old := s.conns[0]
		old.close()
		until(t, w, "OnClose", func() bool { return old.closed == 1 })
		p := w.Dial(s.addr)
		until(t, w, "a connection that takes the slot over", func() bool { return len(s.conns) == 2 })
		c := s.conns[1]
		l := w.Loop()
		for _, id := range []loop.ID{0, old.id, old.id + 1<<36, 1 << 60, 0xffffffff} {
			if id == c.id {
				t.Fatalf("the ID of the new socket is among the stale ones")
			}
			l.StartRecv(id)
			l.StopRecv(id)
			l.RecvInto(id, make([]byte, 1))
			l.Send(id, []byte("x"))
			l.Shutdown(id)
			l.SetHandler(id, old)
			l.PauseAccept(id)
			l.ResumeAccept(id)
			l.CloseListener(id)
			l.Close(id)
			l.Reset(id)
			if l.FD(id) != -1 {
				t.Errorf("a stale ID has a descriptor")
			}
		}
		p.Write([]byte("alive"))
		until(t, w, "bytes", func() bool { return string(c.got) == "alive" })
		if uint32(old.id) != uint32(c.id) {
			t.Errorf("the slot was not used again: IDs %x and %x", uint64(old.id), uint64(c.id))
		}
	})
}

func TestSetHandler(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		first, p := pair(t, w, nil)
		second := &conn{t: t, l: w.Loop(), id: first.id}
		first.onRecv = func([]byte) { first.l.SetHandler(first.id, second) }
		p.Write([]byte("1"))
		until(t, w, "the first byte", func() bool { return len(first.got) == 1 })
		p.Write([]byte("2"))
		until(t, w, "the second byte", func() bool { return string(second.got) == "2" })
		second.close()
		until(t, w, "OnClose", func() bool { return second.closed == 1 })
		if first.closed != 0 || string(first.got) != "1" {
			t.Errorf("the first handler was still called")
		}
	})
}

func TestEmptySend(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, _ := pair(t, w, nil)
		c.send(nil)
		if c.sends != 0 {
			t.Fatalf("Send called back synchronously")
		}
		until(t, w, "OnSend", func() bool { return c.sends == 1 })
		if c.sent != 0 || c.sendErr != nil {
			t.Errorf("OnSend(%d, %v)", c.sent, c.sendErr)
		}
	})
}

func TestMisuseOfOneAtATimePanics(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, _ := pair(t, w, nil)
		mustPanic := func(what string, f func()) {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", what)
				}
			}()
			f()
		}
		c.send(big())
		mustPanic("a second Send", func() { c.l.Send(c.id, []byte("x")) })
		mustPanic("RecvInto while the multishot receive is on", func() { c.l.RecvInto(c.id, make([]byte, 1)) })
	})
}

// TestBufferIsTheSendersAgain overwrites each buffer as soon as OnSend allows it.
func TestBufferIsTheSendersAgain(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		c, p := pair(t, w, nil)
		want := pattern(1 << 20)
		buf := make([]byte, 70_000)
		var left []byte
		next := func() {
			clear(buf)
			if n := copy(buf, left); n > 0 {
				left = left[n:]
				c.send(buf[:n])
			}
		}
		left = want
		c.onSend = next
		next()
		var got []byte
		until(t, w, "all bytes", func() bool { got = append(got, p.Read()...); return len(got) == len(want) })
		if !bytes.Equal(got, want) {
			t.Errorf("bytes were changed under way")
		}
	})
}

func TestPauseAndCloseListener(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		s := newServer(t, w, nil)
		w.Dial(s.addr)
		until(t, w, "a connection", func() bool { return len(s.conns) == 1 })
		s.l.PauseAccept(s.id)
		s.l.PauseAccept(s.id)
		turns(w, 10)
		w.Dial(s.addr)
		turns(w, 10)
		if len(s.conns) != 1 {
			t.Fatalf("accepted while paused")
		}
		s.l.ResumeAccept(s.id)
		s.l.ResumeAccept(s.id)
		until(t, w, "the waiting connection", func() bool { return len(s.conns) == 2 })
		s.l.PauseAccept(s.id)
		s.l.ResumeAccept(s.id) // before the pause has taken effect
		w.Dial(s.addr)
		until(t, w, "a third connection", func() bool { return len(s.conns) == 3 })
		s.l.CloseListener(s.id)
		s.l.CloseListener(s.id)
		if s.closed != 0 {
			t.Fatalf("CloseListener called back synchronously")
		}
		until(t, w, "OnListenClosed", func() bool { return s.closed == 1 })
		turns(w, 3)
	})
}

// TestPeerSendsAndCloses: the bytes come before the end, however they arrive.
func TestPeerSendsAndCloses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		for _, n := range []int{1, 511, 512, 513, 1024, 40_000} {
			c, p := pair(t, w, nil)
			p.Write(pattern(n))
			p.CloseWrite()
			until(t, w, "the end", func() bool { return c.ended == 1 })
			if !bytes.Equal(c.got, pattern(n)) || c.endErr != io.EOF {
				t.Errorf("%d of %d bytes before the end, %v", len(c.got), n, c.endErr)
			}
			c.close()
			until(t, w, "OnClose", func() bool { return c.closed == 1 })
		}
	})
}

// TestMoreSocketsThanBuffers makes all sockets want buffers at once: each gets its turn.
func TestMoreSocketsThanBuffers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		const n, size = 40, 3000 // 16 buffers of 512 bytes
		s := newServer(t, w, nil)
		for range n {
			w.Dial(s.addr).Write(pattern(size))
		}
		all := func() bool {
			done := 0
			for _, c := range s.conns {
				if len(c.got) == size {
					done++
				}
			}
			return done == n
		}
		until(t, w, "all bytes of all sockets", all)
		if w.Loop().Info().Engine == "uring" && w.Loop().Stats().NoBufs == 0 {
			t.Errorf("no receive ever ran out of buffers: the test tests nothing")
		}
	})
}

// TestChurn opens and closes many connections and looks for what is left.
func TestChurn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		const rounds, each = 20, 20
		s := newServer(t, w, echo)
		before := openFDs(t)
		slots := map[uint32]bool{}
		ids := map[loop.ID]bool{}
		for round := range rounds {
			var peers []peer
			for range each {
				p := w.Dial(s.addr)
				p.Write([]byte("hello"))
				peers = append(peers, p)
			}
			until(t, w, "the echoes", func() bool {
				for _, p := range peers {
					p.Read()
				}
				done := 0
				for _, c := range s.conns {
					if c.sent == 5 {
						done++
					}
				}
				return done == each
			})
			for i, p := range peers {
				if (i+round)%3 == 0 {
					p.Reset()
				} else {
					p.Close()
				}
			}
			until(t, w, "all closed", func() bool { return w.Loop().Stats().Sockets == 0 })
			for _, c := range s.conns {
				slots[uint32(c.id)] = true
				if ids[c.id] {
					t.Fatalf("ID %x was given twice", uint64(c.id))
				}
				ids[c.id] = true
			}
			s.conns = s.conns[:0]
		}
		if len(slots) > 3*each {
			t.Errorf("%d connections, %d at a time, took %d slots", rounds*each, each, len(slots))
		}
		if after := openFDs(t); after > before+5 {
			t.Errorf("%d descriptors were open before, %d after", before, after)
		}
	})
}

// timerLog writes down the order in which timers fire.
type timerLog struct {
	kinds []uint8
	f     func(t *loop.Timer)
}

func (l *timerLog) OnTimer(t *loop.Timer) {
	l.kinds = append(l.kinds, t.Kind)
	if l.f != nil {
		l.f(t)
	}
}

func TestTimers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		l := w.Loop()
		var log timerLog
		mk := func(kind uint8) *loop.Timer { return &loop.Timer{Handler: &log, Kind: kind} }
		a, b, c, d, e := mk(1), mk(2), mk(3), mk(4), mk(5)
		start := l.Now()
		l.Arm(c, 30*time.Millisecond)
		l.Arm(a, 1*time.Millisecond)
		l.Arm(b, 60*time.Millisecond)
		l.Arm(b, 10*time.Millisecond) // re-armed
		l.Arm(d, 5*time.Millisecond)
		l.Disarm(d)
		l.Disarm(d)
		l.Arm(e, time.Hour)
		early := false
		due := map[uint8]time.Duration{1: 1, 2: 10, 3: 30}
		log.f = func(t *loop.Timer) { early = early || l.Now()-start < int64(due[t.Kind]*time.Millisecond) }
		if st := l.Stats(); st.Timers != 4 {
			t.Errorf("%d timers armed, want 4", st.Timers)
		}
		until(t, w, "three timers", func() bool { return len(log.kinds) == 3 })
		if !slices.Equal(log.kinds, []uint8{1, 2, 3}) || early {
			t.Errorf("fired in the order %v, early: %v", log.kinds, early)
		}
		if d.Armed() || !e.Armed() {
			t.Errorf("armed: %v, %v", d.Armed(), e.Armed())
		}
	})
}

func TestTimerThatArmsItself(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		l := w.Loop()
		log := &timerLog{f: func(t *loop.Timer) { l.Arm(t, 0) }}
		tm := &loop.Timer{Handler: log}
		l.Arm(tm, 0)
		until(t, w, "five expiries", func() bool { return len(log.kinds) >= 5 })
		l.Disarm(tm)
		n := len(log.kinds)
		turns(w, 3)
		if len(log.kinds) != n {
			t.Errorf("a disarmed timer fired")
		}
	})
}

// What answers a Send is delivered behind its OnSend: otherwise a handler would take an answer for one that came too early.
func TestAnswerComesBehindItsSend(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		if w.Faulty() {
			t.Skip("its kernel tells of a send when it likes")
		}
		const rounds = 20
		c, p := pair(t, w, nil)
		answers := 0
		c.onRecv = func([]byte) {
			if answers++; c.inSend {
				t.Errorf("answer %d came before OnSend", answers)
			}
		}
		second := false
		c.onSend = func() {
			if second = !second; second { // from the callbacks of a turn, whose events come with the next one
				c.send([]byte("2"))
			}
		}
		for n := 1; n <= rounds; n++ {
			c.send([]byte("1"))
			var asked []byte
			until(t, w, "both parts of the question", func() bool { asked = append(asked, p.Read()...); return string(asked) == "12" })
			p.Write([]byte("answer"))
			until(t, w, "the answer", func() bool { return answers == n && !c.inSend })
		}
	})
}
