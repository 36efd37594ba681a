//go:build linux

package loop_test

import (
	"sync"
	"testing"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
)

// conn is a handler that writes down what happens and checks the rules that hold for every handler.
type conn struct {
	t  *testing.T
	l  loop.Loop
	id loop.ID

	got       []byte
	largest   int
	connected int
	connErr   error
	stopped   int
	ended     int
	endErr    error
	sends     int
	sent      int
	sendErr   error
	closed    int

	inSend, closing bool
	onRecv          func(p []byte)
	onSend          func()
	onEnd           func()
	onStop          func()
	onConnect       func()
}

func (c *conn) check(event string) {
	if c.closed > 0 {
		c.t.Errorf("%s after OnClose", event)
	}
	if c.closing && event != "OnClose" {
		c.t.Errorf("%s after Close", event)
	}
	if event == "OnClose" && !c.closing {
		c.t.Errorf("OnClose without Close")
	}
}

func (c *conn) OnConnect(err error) {
	c.check("OnConnect")
	c.connected++
	c.connErr = err
	if c.onConnect != nil {
		c.onConnect()
	}
}

func (c *conn) OnRecv(p []byte) {
	c.check("OnRecv")
	if c.ended > 0 {
		c.t.Errorf("OnRecv after OnRecvEnd")
	}
	if len(p) == 0 {
		c.t.Errorf("OnRecv of nothing")
	}
	c.got = append(c.got, p...)
	c.largest = max(c.largest, len(p))
	if c.onRecv != nil {
		c.onRecv(p)
	}
}

func (c *conn) OnRecvEnd(err error) {
	c.check("OnRecvEnd")
	if err == nil {
		c.t.Errorf("OnRecvEnd without a reason")
	}
	c.ended++
	c.endErr = err
	if c.onEnd != nil {
		c.onEnd()
	}
}

func (c *conn) OnRecvStopped() {
	c.check("OnRecvStopped")
	if c.ended > 0 {
		c.t.Errorf("OnRecvStopped after OnRecvEnd")
	}
	c.stopped++
	if c.onStop != nil {
		c.onStop()
	}
}

func (c *conn) OnSend(n int, err error) {
	c.check("OnSend")
	if !c.inSend {
		c.t.Errorf("OnSend without a Send")
	}
	c.inSend = false
	c.sends++
	c.sent += n
	c.sendErr = err
	if c.onSend != nil {
		c.onSend()
	}
}

func (c *conn) OnClose() {
	c.check("OnClose")
	c.closed++
	if k, ok := kernels.Load(c.l); ok {
		if n := k.(*looptest.Kernel).InFlight(c.id); n > 0 {
			c.t.Errorf("OnClose while the kernel holds %d operations", n)
		}
	}
}

func (c *conn) send(p []byte) {
	c.inSend = true
	c.l.Send(c.id, p)
}

func (c *conn) close() {
	c.closing = true
	c.l.Close(c.id)
}

// server accepts connections for a test.
type server struct {
	t       *testing.T
	l       loop.Loop
	id      loop.ID
	addr    loop.Addr
	conns   []*conn
	errs    []error
	closed  int
	onConn  func(c *conn)
	keepFDs []int // when hold: descriptors that were accepted and not attached
	hold    bool
}

// newServer listens; onConn prepares the handler of each connection before StartRecv.
func newServer(t *testing.T, w world, onConn func(c *conn)) *server {
	fd, addr := w.Listener()
	s := &server{t: t, l: w.Loop(), addr: addr, onConn: onConn}
	s.id = s.l.Listen(fd, s)
	return s
}

func (s *server) OnAccept(fd int) {
	if s.closed > 0 {
		s.t.Errorf("OnAccept after OnListenClosed")
	}
	if s.hold {
		s.keepFDs = append(s.keepFDs, fd)
		return
	}
	c := &conn{t: s.t, l: s.l}
	s.conns = append(s.conns, c)
	c.id = s.l.Attach(fd, c)
	if s.onConn != nil {
		s.onConn(c)
	}
	s.l.StartRecv(c.id)
}

func (s *server) OnAcceptError(err error) { s.errs = append(s.errs, err) }

func (s *server) OnListenClosed() { s.closed++ }

// pair is a connection with the loop's end in the hands of a conn and the test's in those of a peer.
func pair(t *testing.T, w world, onConn func(c *conn)) (*conn, peer) {
	t.Helper()
	s := newServer(t, w, onConn)
	p := w.Dial(s.addr)
	until(t, w, "a connection", func() bool { return len(s.conns) == 1 })
	return s.conns[0], p
}

// echo makes a conn send back what it receives, with back-pressure: while it sends it does not receive.
func echo(c *conn) {
	var pending []byte
	kick := func() {
		switch {
		case c.closing || c.inSend:
		case len(pending) > 0:
			p := pending
			pending = nil
			c.l.StopRecv(c.id)
			c.send(p)
		case c.ended > 0:
			c.close()
		default:
			c.l.StartRecv(c.id)
		}
	}
	c.onRecv = func(p []byte) { pending = append(pending, p...); kick() }
	c.onEnd = kick
	c.onSend = kick
}

// big is more than two sockets hold for a reader that does not read; made once, it takes long under -race.
var big = sync.OnceValue(func() []byte { return pattern(8 << 20) })

// pattern is n bytes in which every position can be told from its neighbours.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8 + i>>16)
	}
	return p
}
