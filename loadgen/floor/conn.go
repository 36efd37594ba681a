package floor

import (
	"io"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/loadgen/secure"
)

// maxQueued is how many bytes may wait for one side before the other one is no longer listened to.
const maxQueued = 256 << 10

// conn is one connection; with an upstream, peer is the other half.
type conn struct {
	s    *Server
	link secure.Link
	peer *conn
	out  []byte // in flight
	more []byte // what came meanwhile
	h2   frames

	sending    bool
	connecting bool // to the upstream
	begun      bool // something was received
	stopped    bool // not listened to, because the peer's queue is full
	ended      bool // the other end has sent its last byte
	last       bool // nothing follows what is queued
	finished   bool // our last byte is out, and FIN
	closing    bool
}

// OnConnect implements loop.Handler: the upstream answers, or a client's handshake is over.
func (c *conn) OnConnect(err error) {
	if err != nil {
		c.abort()
		return
	}
	if c.connecting {
		c.connecting = false
		c.link.StartRecv()
		c.flush()
	}
}

// OnRecv implements loop.Handler.
func (c *conn) OnRecv(p []byte) {
	switch {
	case c.peer != nil:
		c.peer.more = append(c.peer.more, p...)
		c.peer.flush()
		if len(c.peer.more) > maxQueued && !c.stopped {
			c.stopped = true
			c.link.StopRecv()
		}
		return
	case !c.begun:
		c.begun = true
		c.more = c.h2.begin(c.more, p)
	}
	if c.h2.speaks {
		c.more = c.h2.answer(c.more, p, c.s.frames)
	} else {
		c.more = append(c.more, c.s.answer...)
		c.last = c.s.o.Close
	}
	c.flush()
}

// flush sends what is queued, and ends the connection after the last of it.
func (c *conn) flush() {
	switch {
	case c.sending || c.connecting || c.closing || c.finished:
	case len(c.more) > 0:
		c.out, c.more = c.more, c.out[:0]
		c.sending = true
		c.link.Send(c.out)
	case !c.last:
	case c.ended || c.peer == nil && c.s.o.TLS == nil:
		c.close()
	default:
		c.finished = true
		c.link.Shutdown()
	}
}

// OnSend implements loop.Handler.
func (c *conn) OnSend(_ int, err error) {
	c.sending = false
	if err != nil {
		c.abort()
		return
	}
	c.flush()
	if c.peer != nil && c.peer.stopped && len(c.more) == 0 {
		c.peer.stopped = false
		c.peer.link.StartRecv()
	}
}

// OnRecvEnd implements loop.Handler. The end of one side is passed on behind its bytes; a side that has ended both ways is closed.
func (c *conn) OnRecvEnd(err error) {
	c.ended = true
	switch {
	case err != io.EOF:
		c.abort()
	case c.peer != nil:
		c.peer.last = true
		c.peer.flush()
		if c.finished {
			c.close()
		}
	case c.finished:
		c.close()
	default:
		c.last = true
		c.flush()
	}
}

// OnRecvStopped implements loop.Handler.
func (c *conn) OnRecvStopped() {}

// Shaken implements secure.Owner.
func (c *conn) Shaken(*tlsrec.State) error { return nil }

// Waiting implements secure.Owner.
func (c *conn) Waiting() {}

func (c *conn) close() {
	if !c.closing {
		c.closing = true
		c.link.Close()
	}
}

// abort ends both halves at once.
func (c *conn) abort() {
	c.close()
	if c.peer != nil {
		c.peer.close()
	}
}

// OnClose implements loop.Handler.
func (c *conn) OnClose() {}
