// Package floor is the lower bound of what a server on this engine can cost: a bare loop that only receives and sends. It reads
// nothing of what it gets: to a client's bytes it sends a fixed answer, or, with an upstream, it passes bytes on between one client
// connection and one upstream connection. What a gateway costs above it is what parsing, routing and bookkeeping cost.
//
// It is a measuring rod, not a server: it takes every receive for one request. It imports internal/loop only.
package floor

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// Options of a floor.
type Options struct {
	Address netip.AddrPort
	// Upstream to pass bytes on to; invalid: answer with Body.
	Upstream netip.AddrPort
	Body     string
	Engine   string
}

// Server is one loop.
type Server struct {
	o      Options
	loop   loop.Loop
	answer []byte
}

// New binds the address.
func New(o Options) (*Server, error) {
	l, err := loop.New(loop.Options{Engine: o.Engine})
	if err != nil {
		return nil, err
	}
	fd, err := loop.Listen(loop.Addr{TCP: o.Address}, loop.ListenOptions{})
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, loop: l}
	s.answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(o.Body), o.Body)
	l.Listen(fd, s)
	return s, nil
}

// Run runs the loop until Stop.
func (s *Server) Run() error { return s.loop.Run() }

// Stop ends Run. Safe from any goroutine.
func (s *Server) Stop() { s.loop.Stop() }

// Info describes the engine.
func (s *Server) Info() loop.Info { return s.loop.Info() }

// OnAccept implements loop.Acceptor.
func (s *Server) OnAccept(fd int) {
	c := &conn{s: s}
	c.id = s.loop.Attach(fd, c)
	if s.o.Upstream.IsValid() {
		c.peer = &conn{s: s, peer: c, connecting: true}
		c.peer.id = s.loop.Dial(loop.Addr{TCP: s.o.Upstream}, c.peer)
	}
	s.loop.StartRecv(c.id)
}

// OnAcceptError implements loop.Acceptor. A floor that runs out of descriptors is not worth measuring: it stops accepting.
func (s *Server) OnAcceptError(error) {}

// OnListenClosed implements loop.Acceptor.
func (s *Server) OnListenClosed() {}

// conn is one connection; with an upstream, peer is the other half.
type conn struct {
	s          *Server
	id         loop.ID
	peer       *conn
	out        []byte // in flight
	more       []byte // what came meanwhile
	sending    bool
	connecting bool
	closing    bool
}

// OnConnect implements loop.Handler.
func (c *conn) OnConnect(err error) {
	c.connecting = false
	if err != nil {
		c.close()
		return
	}
	c.s.loop.StartRecv(c.id)
	c.flush()
}

// OnRecv implements loop.Handler.
func (c *conn) OnRecv(p []byte) {
	to := c
	if c.peer != nil {
		to = c.peer
	} else {
		p = c.s.answer
	}
	to.more = append(to.more, p...)
	to.flush()
}

func (c *conn) flush() {
	if c.sending || c.connecting || c.closing || len(c.more) == 0 {
		return
	}
	c.out, c.more = c.more, c.out[:0]
	c.sending = true
	c.s.loop.Send(c.id, c.out)
}

// OnSend implements loop.Handler.
func (c *conn) OnSend(_ int, err error) {
	c.sending = false
	if err != nil {
		c.close()
		return
	}
	c.flush()
}

// OnRecvEnd implements loop.Handler.
func (c *conn) OnRecvEnd(err error) {
	if err == io.EOF && c.sending && c.peer == nil {
		return
	}
	c.close()
}

// OnRecvStopped implements loop.Handler.
func (c *conn) OnRecvStopped() {}

func (c *conn) close() {
	if c.closing {
		return
	}
	c.closing = true
	c.s.loop.Close(c.id)
	if c.peer != nil {
		c.peer.close()
	}
}

// OnClose implements loop.Handler.
func (c *conn) OnClose() {}
