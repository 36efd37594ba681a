//go:build linux

package loop_test

import (
	"errors"
	"io"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
	"github.com/blitz-gateway/blitz/internal/uring"
)

// The conformance suite runs every test in several worlds: a loop with something to talk to. All of it happens on
// one goroutine, which turns the loop by hand, so handlers may be looked into without locks.

type world interface {
	Loop() loop.Loop
	// Listener makes a listening descriptor for the loop.
	Listener() (fd int, addr loop.Addr)
	// Dial connects to a listener of the loop.
	Dial(to loop.Addr) peer
	// Listen makes a listener of the test's; the function takes an accepted connection, nil when there is none.
	Listen() (addr loop.Addr, accept func() peer)
	// Refusing returns an address where nobody listens.
	Refusing() loop.Addr
	// Turn turns the loop once and moves the peers' data. False when the world has stood still for too long.
	Turn() bool
	Faulty() bool
}

// peer is the test's end of a connection.
type peer interface {
	Write(p []byte)
	// Read takes what has arrived.
	Read() []byte
	CloseWrite()
	Close()
	Reset()
	// End is nil while the connection lives, io.EOF after FIN, else the errno.
	End() error
}

// eachWorld runs a test in all worlds.
func eachWorld(t *testing.T, f func(t *testing.T, w world)) {
	for name, open := range worlds() {
		t.Run(name, func(t *testing.T) { f(t, open(t, loop.Options{Entries: 64, Buffers: 16, BufferSize: 512})) })
	}
}

func worlds() map[string]func(*testing.T, loop.Options) world {
	return map[string]func(*testing.T, loop.Options) world{
		"uring": func(t *testing.T, o loop.Options) world {
			if err := uring.Available(); err != nil {
				t.Skipf("this machine has no usable io_uring: %v", err)
			}
			return newReal(t, "uring", o)
		},
		"epoll": func(t *testing.T, o loop.Options) world { return newReal(t, "epoll", o) },
		"fake":  func(t *testing.T, o loop.Options) world { return newFake(t, o, 1, looptest.Faults{}) },
		"faulty": func(t *testing.T, o loop.Options) world {
			return newFake(t, o, 2, looptest.AllFaults(50))
		},
	}
}

// until turns the world until the condition holds.
func until(t *testing.T, w world, what string, cond func() bool) {
	t.Helper()
	for !cond() {
		if !w.Turn() {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// turns turns the world n times.
func turns(w world, n int) {
	for range n {
		w.Turn()
	}
}

// real is the operating system: the loop on one end, raw non-blocking sockets on the other.
type real struct {
	t     *testing.T
	l     loop.Loop
	peers []*realPeer
	limit time.Time
}

const patience = 20 * time.Second

func newReal(t *testing.T, engine string, o loop.Options) *real {
	t.Helper()
	o.Engine = engine
	l, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	w := &real{t: t, l: l, limit: time.Now().Add(patience)}
	t.Cleanup(func() {
		l.Stop()
		if err := l.Run(); err != nil {
			t.Errorf("the end of the loop: %v", err)
		}
		for _, p := range w.peers {
			p.Close()
		}
		runtime.UnlockOSThread()
	})
	return w
}

func (w *real) Loop() loop.Loop { return w.l }
func (w *real) Faulty() bool    { return false }

func (w *real) Turn() bool {
	w.l.Post(func() {}) // so that the turn does not sleep
	if err := w.l.(interface{ Turn() error }).Turn(); err != nil {
		w.t.Fatalf("turn: %v", err)
	}
	for _, p := range w.peers {
		p.pump()
	}
	return time.Now().Before(w.limit)
}

var anyPort = loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:0")}

func (w *real) Listener() (int, loop.Addr) {
	fd, err := loop.Listen(anyPort, loop.ListenOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return fd, localAddr(w.t, fd)
}

func localAddr(t *testing.T, fd int) loop.Addr {
	a, err := loop.LocalAddr(fd)
	if err != nil {
		t.Fatal(err)
	}
	return loop.Addr{TCP: a}
}

func (w *real) Dial(to loop.Addr) peer {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.TCP.Port()), Addr: to.TCP.Addr().As4()}); err != nil {
		w.t.Fatal(err)
	}
	return w.peer(fd)
}

func (w *real) peer(fd int) *realPeer {
	if err := unix.SetNonblock(fd, true); err != nil {
		w.t.Fatal(err)
	}
	p := &realPeer{fd: fd}
	w.peers = append(w.peers, p)
	return p
}

func (w *real) Listen() (loop.Addr, func() peer) {
	fd, addr := w.Listener()
	w.t.Cleanup(func() { unix.Close(fd) })
	return addr, func() peer {
		c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return nil
		}
		return w.peer(c)
	}
}

func (w *real) Refusing() loop.Addr {
	fd, addr := w.Listener()
	unix.Close(fd)
	return addr
}

// realPeer is a non-blocking socket with unlimited patience for writing.
type realPeer struct {
	fd     int
	out    []byte
	finish bool
	end    error
	closed bool
}

func (p *realPeer) Write(b []byte) { p.out = append(p.out, b...); p.pump() }

func (p *realPeer) pump() {
	for len(p.out) > 0 && !p.closed {
		n, err := unix.SendmsgN(p.fd, p.out, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil {
			if !errors.Is(err, unix.EAGAIN) {
				p.out = nil
			}
			return
		}
		p.out = p.out[n:]
	}
	if p.finish && !p.closed {
		p.finish = false
		_ = unix.Shutdown(p.fd, unix.SHUT_WR)
	}
}

func (p *realPeer) Read() (got []byte) {
	buf := make([]byte, 64<<10)
	for p.end == nil && !p.closed {
		n, err := unix.Read(p.fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return got
		case err != nil:
			p.end = err
		case n == 0:
			p.end = io.EOF
		default:
			got = append(got, buf[:n]...)
		}
	}
	return got
}

func (p *realPeer) CloseWrite() { p.finish = true; p.pump() }

func (p *realPeer) Close() {
	if !p.closed {
		p.closed = true
		unix.Close(p.fd)
	}
}

func (p *realPeer) Reset() {
	_ = unix.SetsockoptLinger(p.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	p.Close()
}

func (p *realPeer) End() error { return p.end }
