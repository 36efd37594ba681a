// Package floor is the lower bound of what a server on this engine can cost: a bare loop that only receives and sends. It reads next to
// nothing of what it gets: to a client's bytes it sends a fixed answer, or, with an upstream, it passes bytes on between one client
// connection and one upstream connection. Of HTTP/2 it reads the headers of frames. What a gateway costs above it is what parsing,
// routing and bookkeeping cost.
//
// It is a measuring rod, not a server: it takes every receive for one request, and it trusts its clients. It imports internal/loop,
// internal/wire/{h2,tlsrec} and loadgen/secure.
package floor

import (
	"crypto/tls"
	"fmt"
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// Options of a floor.
type Options struct {
	Address netip.AddrPort
	// Upstream to pass bytes on to; invalid: answer with Body.
	Upstream netip.AddrPort
	Body     string
	// TLS on the listener; nil for none. It is not changed.
	TLS *tls.Config
	// Close: a fixed answer says that the connection ends with it, and it does. HTTP/1.1 only.
	Close  bool
	Engine string
}

// Server is one loop.
type Server struct {
	o      Options
	loop   loop.Loop
	answer []byte
	frames []byte // the answer in HTTP/2, for stream 0
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
	s := &Server{o: o, loop: l, frames: response(o.Body)}
	connection := ""
	if o.Close {
		connection = "Connection: close\r\n"
	}
	s.answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", len(o.Body), connection, o.Body)
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
	c.link.Init(s.loop, c, s.o.TLS)
	if s.o.Upstream.IsValid() {
		c.peer = &conn{s: s, peer: c, connecting: true}
		c.peer.link.Init(s.loop, c.peer, nil)
		c.peer.link.Dial(loop.Addr{TCP: s.o.Upstream})
	}
	c.link.Serve(fd)
}

// OnAcceptError implements loop.Acceptor. A floor that runs out of descriptors is not worth measuring: it stops accepting.
func (s *Server) OnAcceptError(error) {}

// OnListenClosed implements loop.Acceptor.
func (s *Server) OnListenClosed() {}
