package looptest

import (
	"io"
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// Peer is the test's end of a connection. Nothing blocks: Write takes everything at once and sends it as the
// window allows, Read returns what has arrived. A Peer that is not read holds the other side back.
type Peer struct {
	k      *Kernel
	end    *end
	out    []byte
	finish bool // FIN after out
	close  bool // close after out
	err    error
}

// PeerListener is a listening socket of the test.
type PeerListener struct {
	k *Kernel
	l *listener
}

// Dial connects to a listener: of a loop, or of the test. The error is ECONNREFUSED when there is none.
func (k *Kernel) Dial(to loop.Addr) (*Peer, error) {
	k.mu.Lock()
	defer k.touch()
	e, errno := k.reach(to)
	if errno != 0 {
		return nil, errno
	}
	return k.newPeer(e), nil
}

// Listen makes a listener to which loops can Dial.
func (k *Kernel) Listen(addr loop.Addr) *PeerListener {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := &listener{addr: addr, shared: 1}
	k.listeners[addr.String()] = l
	return &PeerListener{k: k, l: l}
}

// Accept takes a connection that a loop has made, nil when there is none.
func (p *PeerListener) Accept() *Peer {
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	if len(p.l.backlog) == 0 {
		return nil
	}
	e := p.l.backlog[0]
	p.l.backlog = p.l.backlog[1:]
	return p.k.newPeer(e)
}

// Close stops listening and resets connections that were not accepted.
func (p *PeerListener) Close() {
	p.k.mu.Lock()
	defer p.k.touch()
	p.l.close(p.k)
}

func (k *Kernel) newPeer(e *end) *Peer {
	p := &Peer{k: k, end: e}
	e.other.writer = p
	return p
}

// touch unlocks and wakes a sleeping Run, which looks whether anything has changed.
func (k *Kernel) touch() {
	for _, m := range k.machines {
		m.quiet = 0
	}
	k.changed.Broadcast()
	k.mu.Unlock()
}

// Write sends p, now or as soon as the other side has room for it.
func (p *Peer) Write(b []byte) {
	p.k.mu.Lock()
	defer p.k.touch()
	p.out = append(p.out, b...)
	p.flush()
}

// flush sends what the window allows. The kernel calls it when the other side has read.
func (p *Peer) flush() {
	for len(p.out) > 0 {
		n, errno := p.end.write(p.out)
		if errno != 0 {
			if p.end.reset || p.end.noWrite {
				p.out = nil
			}
			return
		}
		p.out = p.out[n:]
	}
	if p.finish {
		p.finish = false
		p.end.shutdownWrite()
	}
	if p.close {
		p.end.release(false)
	}
}

// Read takes all that has arrived, nil when there is nothing.
func (p *Peer) Read() []byte {
	p.k.mu.Lock()
	defer p.k.touch()
	var got []byte
	buf := make([]byte, 64<<10)
	for p.err == nil && !p.end.gone {
		n, errno := p.end.read(buf)
		if n > 0 {
			got = append(got, buf[:n]...)
			continue
		}
		if errno == 0 {
			p.err = io.EOF
		} else if p.end.reset {
			p.err = errno
		} else {
			break // nothing more for now
		}
	}
	return got
}

// End is nil while the connection lives, io.EOF when Read has met the end of the stream, else the errno.
func (p *Peer) End() error {
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	return p.err
}

// Pending is the number of bytes written that have not reached the other side.
func (p *Peer) Pending() int {
	p.k.mu.Lock()
	defer p.k.mu.Unlock()
	return len(p.out)
}

// CloseWrite sends FIN after everything written.
func (p *Peer) CloseWrite() {
	p.k.mu.Lock()
	defer p.k.touch()
	p.finish = true
	p.flush()
}

// Close closes the connection when everything written is gone: RST when there are unread bytes, otherwise FIN.
func (p *Peer) Close() {
	p.k.mu.Lock()
	defer p.k.touch()
	p.close = true
	p.flush()
}

// Reset closes the connection with RST.
func (p *Peer) Reset() {
	p.k.mu.Lock()
	defer p.k.touch()
	p.end.release(true)
}

// LocalAddr is the address of the Peer, RemoteAddr that of the loop's end.
func (p *Peer) LocalAddr() netip.AddrPort { return p.end.local }

// RemoteAddr is the address of the loop's end.
func (p *Peer) RemoteAddr() netip.AddrPort { return p.end.remote }
