package looptest

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// end is one end of a connection.
type end struct {
	k      *Kernel
	other  *end
	local  netip.AddrPort
	remote netip.AddrPort

	in      []byte     // received, not read
	fin     bool       // the other end will send no more
	failure unix.Errno // the connection was reset; reported once by a receive
	reset   bool       // was reset: sends fail
	noWrite bool       // FIN was sent
	gone    bool       // released
	writer  *Peer      // the Peer that fills in, if the other end is one
}

func connect(k *Kernel, client, server netip.AddrPort) (*end, *end) {
	a := &end{k: k, local: client, remote: server}
	b := &end{k: k, local: server, remote: client}
	a.other, b.other = b, a
	return a, b
}

// write moves as much of p to the other end as its window takes.
func (e *end) write(p []byte) (int, unix.Errno) {
	switch {
	case e.noWrite:
		return 0, unix.EPIPE
	case e.reset:
		return 0, unix.EPIPE
	case e.other.gone: // bytes for a closed socket are answered by RST
		e.abort(unix.ECONNRESET)
		return len(p), 0
	}
	n := min(len(p), e.k.Window-len(e.other.in))
	if n <= 0 {
		return 0, unix.EAGAIN
	}
	e.other.in = append(e.other.in, p[:n]...)
	return n, 0
}

// read takes bytes; 0 and no error is the end of the stream.
func (e *end) read(p []byte) (int, unix.Errno) {
	if e.failure != 0 {
		errno := e.failure
		e.failure = 0
		e.fin = true
		return 0, errno
	}
	if len(e.in) == 0 {
		if e.fin {
			return 0, 0
		}
		return 0, unix.EAGAIN
	}
	n := copy(p, e.in)
	e.in = e.in[n:]
	if len(e.in) == 0 {
		e.in = nil
	}
	if e.writer != nil {
		e.writer.flush()
	}
	return n, 0
}

// shutdownWrite sends FIN.
func (e *end) shutdownWrite() {
	e.noWrite = true
	e.other.fin = true
}

// abort is the arrival of RST.
func (e *end) abort(errno unix.Errno) {
	if !e.reset && !e.gone {
		e.reset = true
		e.failure = errno
		e.in = nil
	}
}

// breakOff resets the connection, as seen by a receive that reports it.
func (e *end) breakOff() {
	e.reset = true
	e.other.abort(unix.ECONNRESET)
	e.in, e.fin = nil, true
}

// breakSend resets the connection, as seen by a send, and returns what that reports.
func (e *end) breakSend() unix.Errno {
	e.reset = true
	e.in, e.fin = nil, false
	e.failure = unix.ECONNRESET
	e.other.abort(unix.ECONNRESET)
	return [...]unix.Errno{unix.EPIPE, unix.ECONNRESET}[e.k.rnd.IntN(2)]
}

// release closes the end: FIN, or RST with linger0 or when received bytes were not read.
func (e *end) release(linger0 bool) {
	if e.gone {
		return
	}
	if linger0 || len(e.in) > 0 {
		e.other.abort(unix.ECONNRESET)
	}
	e.gone = true
	e.in = nil
	e.other.fin = true
}

// listener is a listening socket of a loop (with a file) or of the test.
type listener struct {
	addr    loop.Addr
	backlog []*end
	shared  int // descriptors of loops that listen on it
}

func (l *listener) close(k *Kernel) {
	if l.shared--; l.shared > 0 {
		return
	}
	delete(k.listeners, l.addr.String())
	for _, e := range l.backlog {
		e.release(true)
	}
	l.backlog = nil
}

// reach connects to an address. The returned end is the caller's.
func (k *Kernel) reach(to loop.Addr) (*end, unix.Errno) {
	l := k.listeners[to.String()]
	if l == nil {
		if to.Unix != "" {
			return nil, unix.ENOENT
		}
		return nil, unix.ECONNREFUSED
	}
	var client netip.AddrPort
	if to.Unix == "" {
		k.nextPort++
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), k.nextPort)
	}
	a, b := connect(k, client, to.TCP)
	l.backlog = append(l.backlog, b)
	return a, 0
}

// ListenFD makes a listening descriptor for Loop.Listen. Several for the same address share its connections, as
// with SO_REUSEPORT.
func (k *Kernel) ListenFD(addr loop.Addr) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.listeners[addr.String()]
	if l == nil {
		l = &listener{addr: addr}
		k.listeners[addr.String()] = l
	}
	l.shared++
	return k.newFile(&file{listener: l})
}
