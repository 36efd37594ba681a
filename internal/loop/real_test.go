//go:build linux

package loop_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/uring"
)

// Tests of what only a real machine has: threads, descriptors, files.

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// engines runs a test on the real engines.
func engines(t *testing.T, f func(t *testing.T, engine string)) {
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			if err := uring.Available(); engine == "uring" && err != nil {
				t.Skipf("this machine has no usable io_uring: %v", err)
			}
			f(t, engine)
		})
	}
}

func newLoop(t *testing.T, o loop.Options) loop.Loop {
	t.Helper()
	l, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPostFromManyGoroutines(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		l := newLoop(t, loop.Options{Engine: engine})
		done := make(chan error, 1)
		go func() { done <- l.Run() }()
		const senders, each = 8, 500
		sum := 0 // only touched on the loop thread
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				for i := range each {
					if !l.Post(func() { sum++ }) {
						t.Errorf("Post refused")
					}
					if i%50 == 0 { // and one at a time, so that the loop sleeps in between
						ack := make(chan struct{})
						l.Post(func() { close(ack) })
						<-ack
					}
				}
			})
		}
		wg.Wait()
		l.Post(func() { sum += 1_000_000 })
		l.Stop()
		l.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if sum != 1_000_000+senders*each {
			t.Errorf("%d functions ran, want %d", sum-1_000_000, senders*each)
		}
		if l.Post(func() {}) {
			t.Errorf("Post after the end was accepted")
		}
		if err := l.Run(); !errors.Is(err, loop.ErrStopped) {
			t.Errorf("a second Run: %v", err)
		}
	})
}

// TestEndClosesEverything: descriptors, and FIN at the peers.
func TestEndClosesEverything(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		before := openFDs(t)
		l := newLoop(t, loop.Options{Engine: engine})
		fd, err := loop.Listen(anyPort, loop.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		addr := localAddr(t, fd)
		accepted := make(chan loop.ID, 10)
		l.Listen(fd, acceptFunc(func(fd int) {
			id := l.Attach(fd, &conn{t: t, l: l})
			l.StartRecv(id)
			accepted <- id
		}))
		done := make(chan error, 1)
		go func() { done <- l.Run() }()
		var peers []net.Conn
		for range 10 {
			c, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			peers = append(peers, c)
			<-accepted
		}
		l.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for _, c := range peers {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
				t.Errorf("the peer of an ended loop reads: %v", err)
			}
			_ = c.Close()
		}
		if st := l.Stats(); st.Sockets != 0 {
			t.Errorf("%d sockets open after the end", st.Sockets)
		}
		if after := openFDs(t); after > before {
			t.Errorf("%d descriptors were open before, %d after", before, after)
		}
	})
}

type acceptFunc func(fd int)

func (f acceptFunc) OnAccept(fd int)     { f(fd) }
func (f acceptFunc) OnAcceptError(error) {}
func (f acceptFunc) OnListenClosed()     {}

// TestManyDialsBeforeRun: more operations than the submission queue holds.
func TestManyDialsBeforeRun(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		const n = 300
		l := newLoop(t, loop.Options{Engine: engine, Entries: 16})
		fd, err := loop.Listen(anyPort, loop.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		addr := localAddr(t, fd)
		accepts := 0
		l.Listen(fd, acceptFunc(func(fd int) { accepts++; l.Close(l.Attach(fd, &conn{t: t, l: l, closing: true})) }))
		var conns []*conn
		closed := 0
		for range n {
			c := &conn{t: t, l: l}
			c.id = l.Dial(addr, c)
			c.onConnect = func() { c.l.StartRecv(c.id) }
			c.onEnd = func() {
				c.close()
				if closed++; closed == n {
					l.Stop()
				}
			}
			conns = append(conns, c)
		}
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
		for i, c := range conns {
			if c.connErr != nil || c.connected != 1 || c.closed != 1 {
				t.Fatalf("connection %d: connected %d (%v), closed %d", i, c.connected, c.connErr, c.closed)
			}
		}
		if accepts != n {
			t.Errorf("%d accepted, want %d", accepts, n)
		}
	})
}

// TestCollectorIsNotHeldUp: a sleeping loop must not stop the world.
func TestCollectorIsNotHeldUp(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		l := newLoop(t, loop.Options{Engine: engine})
		done := make(chan error, 1)
		go func() { done <- l.Run() }()
		for range 20 { // each needs the loop thread at a safe point, while nothing wakes it
			runtime.GC()
		}
		l.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestOnTurnIsCalledInTime(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, busy := range []time.Duration{0, 20 * time.Microsecond} {
			const step = 200_000 // ns
			var l loop.Loop
			due, calls, early := int64(0), 0, 0
			l = newLoop(t, loop.Options{Engine: engine, BusyPoll: busy, OnTurn: func(now int64) int64 {
				if now != l.Now() {
					t.Errorf("OnTurn got %d, Now is %d", now, l.Now())
				}
				if now < due {
					early++ // the loop may turn more often than asked
					return due
				}
				if calls++; calls == 50 {
					l.Stop()
				}
				due = now + step
				return due
			}})
			if err := l.Run(); err != nil {
				t.Fatal(err)
			}
			if waits := l.Stats().Waits; waits == 0 || waits > 500 {
				t.Errorf("50 deadlines took %d sleeps", waits)
			}
			if early > 100 {
				t.Errorf("%d needless turns", early)
			}
		}
	})
}

// TestTooManyOpenFiles runs in a process of its own, whose limit it lowers.
func TestTooManyOpenFiles(t *testing.T) {
	if engine := os.Getenv("LOOP_TEST_EMFILE"); engine != "" {
		tooManyOpenFiles(t, engine)
		return
	}
	engines(t, func(t *testing.T, engine string) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTooManyOpenFiles$", "-test.v")
		cmd.Env = append(os.Environ(), "LOOP_TEST_EMFILE="+engine)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "accepted again") {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

func tooManyOpenFiles(t *testing.T, engine string) {
	w := newReal(t, engine, loop.Options{})
	s := newServer(t, w, nil)
	s.hold = true
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// io_uring looks at the limit when the accept is armed, so accepting is paused while it falls.
	s.l.PauseAccept(s.id)
	turns(w, 20)
	p := w.Dial(s.addr)
	lowered := limit
	lowered.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lowered); err != nil {
		t.Fatal(err)
	}
	s.l.ResumeAccept(s.id)
	until(t, w, "OnAcceptError", func() bool { return len(s.errs) > 0 })
	if !errors.Is(s.errs[0], unix.EMFILE) {
		t.Errorf("the failed accept was reported as %v", s.errs[0])
	}
	turns(w, 20)
	if len(s.errs) != 1 {
		t.Errorf("reported %d times: accepting was not paused", len(s.errs))
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	s.l.ResumeAccept(s.id)
	until(t, w, "the connection that waited", func() bool { return len(s.keepFDs) == 1 })
	fmt.Println("accepted again")
	p.Close()
	for _, fd := range s.keepFDs {
		unix.Close(fd)
	}
}

func TestUnixSockets(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		path := filepath.Join(t.TempDir(), "s")
		addr := loop.Addr{Unix: path}
		stale, err := loop.Listen(addr, loop.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(stale) // leaves the file behind
		fd, err := loop.Listen(addr, loop.ListenOptions{Mode: 0o600})
		if err != nil {
			t.Fatalf("a stale socket file was not replaced: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the socket: %v, %v", info.Mode(), err)
		}
		if _, err := loop.Listen(addr, loop.ListenOptions{}); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("a live socket was taken over: %v", err)
		}
		w := newReal(t, engine, loop.Options{})
		s := &server{t: t, l: w.l, addr: addr, onConn: echo}
		s.id = w.l.Listen(fd, s)
		c := &conn{t: t, l: w.l}
		c.id = w.l.Dial(addr, c)
		c.l.StartRecv(c.id)
		c.onConnect = func() { c.send([]byte("over a path")) }
		until(t, w, "the echo", func() bool { return string(c.got) == "over a path" })
		if a, err := loop.PeerAddr(w.l.FD(c.id)); err != nil || a.IsValid() {
			t.Errorf("the address of a Unix peer is %v, %v", a, err)
		}
	})
}

func TestListenErrorsAreReadable(t *testing.T) {
	fd, err := loop.Listen(anyPort, loop.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	taken := localAddr(t, fd)
	for _, c := range []struct {
		addr loop.Addr
		is   error
		says string
	}{
		{taken, unix.EADDRINUSE, "listen on " + taken.String() + ": the address is in use"},
		{loop.Addr{TCP: netip.MustParseAddrPort("192.0.2.1:8080")}, unix.EADDRNOTAVAIL, "no interface of this machine"},
		{loop.Addr{}, unix.EDESTADDRREQ, "no address given"},
		{loop.Addr{Unix: "/nonexistent/dir/s"}, unix.ENOENT, "unix:/nonexistent/dir/s"},
		{loop.Addr{Unix: strings.Repeat("x", 200)}, unix.EINVAL, "invalid argument"},
	} {
		_, err := loop.Listen(c.addr, loop.ListenOptions{})
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %v and %q", c.addr, err, c.is, c.says)
		}
	}
}

func TestListenOptions(t *testing.T) {
	a, err := loop.Listen(anyPort, loop.ListenOptions{ReusePort: true, SendBuffer: 65536, ReceiveBuffer: 65536})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(a)
	b, err := loop.Listen(localAddr(t, a), loop.ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatalf("a second listener on the port: %v", err)
	}
	defer unix.Close(b)
	for name, o := range map[string][2]int{
		"TCP_NODELAY":  {unix.IPPROTO_TCP, unix.TCP_NODELAY},
		"SO_REUSEPORT": {unix.SOL_SOCKET, unix.SO_REUSEPORT},
		"SO_REUSEADDR": {unix.SOL_SOCKET, unix.SO_REUSEADDR},
	} {
		if v, err := unix.GetsockoptInt(a, o[0], o[1]); err != nil || v != 1 {
			t.Errorf("%s is %d, %v", name, v, err)
		}
	}
	for name, get := range map[string]func() (int, error){
		"O_NONBLOCK": func() (int, error) {
			f, err := unix.FcntlInt(uintptr(a), unix.F_GETFL, 0)
			return f & unix.O_NONBLOCK, err
		},
		"FD_CLOEXEC": func() (int, error) {
			f, err := unix.FcntlInt(uintptr(a), unix.F_GETFD, 0)
			return f & unix.FD_CLOEXEC, err
		},
	} {
		if v, err := get(); err != nil || v == 0 {
			t.Errorf("%s is not set, %v", name, err)
		}
	}
}

// hello is a handler that answers a byte and closes when the peer is gone.
type hello struct {
	l  loop.Loop
	id loop.ID
	n  *int
}

func (h *hello) OnConnect(error) {}
func (h *hello) OnRecv(p []byte) { h.l.Send(h.id, helloAnswer) }
func (h *hello) OnRecvEnd(error) { h.l.Close(h.id) }
func (h *hello) OnRecvStopped()  {}
func (h *hello) OnSend(int, error) {
}
func (h *hello) OnClose() { *h.n++ }

var helloAnswer = []byte("!")

// TestTenThousandConnections come and go one after the other: no slot and no descriptor is left over.
func TestTenThousandConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		const total = 10_000
		before := openFDs(t)
		l := newLoop(t, loop.Options{Engine: engine})
		fd, err := loop.Listen(anyPort, loop.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		addr := localAddr(t, fd)
		closed, highest := 0, uint32(0)
		l.Listen(fd, acceptFunc(func(fd int) {
			h := &hello{l: l, n: &closed}
			h.id = l.Attach(fd, h)
			highest = max(highest, uint32(h.id))
			l.StartRecv(h.id)
		}))
		done := make(chan error, 1)
		go func() { done <- l.Run() }()
		to := &unix.SockaddrInet4{Port: int(addr.TCP.Port()), Addr: addr.TCP.Addr().As4()}
		buf := make([]byte, 1)
		for range total {
			c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(c, to); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Write(c, buf); err != nil {
				t.Fatal(err)
			}
			if n, err := unix.Read(c, buf); n != 1 || err != nil {
				t.Fatalf("read %d, %v", n, err)
			}
			// RST, so that no port is held in TIME_WAIT.
			_ = unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(c)
		}
		for open := int64(1); open > 0; { // the last of them
			ask := make(chan int64)
			l.Post(func() { ask <- l.Stats().Sockets })
			open = <-ask
		}
		l.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if closed != total || l.Stats().Accepts != total {
			t.Errorf("%d accepted, %d closed", l.Stats().Accepts, closed)
		}
		if highest > 100 {
			t.Errorf("connections that came one after the other took slot %d", highest)
		}
		if after := openFDs(t); after > before {
			t.Errorf("%d descriptors were open before, %d after", before, after)
		}
	})
}
