package downstream

import (
	"io"
	"net/netip"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// Kinds of a connection's timer: what it is waiting for.
const (
	waitHead   uint8 = iota + 1 // the rest of a request head
	waitNext                    // the next request
	waitBody                    // more of the request body
	waitWrite                   // the client to read
	waitLinger                  // the client to notice our FIN
	waitSweep                   // the time to look at the limits of an HTTP/2 connection
)

// lingerTime and lingerBytes bound how long the rest of a refused request is read and thrown away, so that the reply is not
// destroyed by the RST that closing with unread data would cause (RFC 9112 section 9.6).
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 1 << 20
)

// fewBytes is the size of a last response, in bytes, after which a connection may be closed at once: as many are on their way to the client
// immediately. More may wait in the kernel for the client to read, and would be lost if it said something in the meantime, since input for a closed
// socket is answered with RST.
const fewBytes = 16 << 10

// maxDiscard is how much of an unwanted request body is read to keep the connection.
const maxDiscard = 64 << 10

// maxAhead is how many bytes of further requests are held while one is answered. Receiving is paused from the first, but what the
// kernel had already taken in still comes: all provided buffers of the loop (2 MiB) at most, and once more before it sees the pause.
const maxAhead = 5 << 20

// Conn is one client connection: loop.Handler for its socket and exchange.Downstream for its current exchange.
type Conn struct {
	env *Env
	lst *Listener
	// l is where the socket lives: the worker's loop, or the TLS connection over it. Timers are always the worker's.
	l    loop.Loop
	id   loop.ID
	recv flow.Receiver
	out  flow.Queue
	in   flow.Input

	timer loop.Timer

	// x is the current exchange, nil between requests.
	x *active
	// h2 is set once the connection speaks HTTP/2: then x, out and what belongs to one exchange are unused.
	h2 *h2Conn

	requests  int
	scanned   int   // how much of in was searched for the end of a head
	discarded int64 // bytes of an unwanted body, or while lingering

	sending   bool
	keepAlive bool // the connection outlives the current response
	reqDone   bool // the request is complete
	headSent  bool // the final response head is in out
	respDone  bool // the response is complete in out
	isHead    bool // HEAD: no body
	chunked   bool // the response goes out in chunks
	paused    bool // receiving is paused because the upstream is slow, or the client runs ahead
	srcPaused bool // the upstream is paused because the client is slow
	inInput   bool // input is on the stack
	closeOut  bool // close when out is empty
	abrupt    bool // with RST, so that a body ended by closing is not taken for whole
	much      bool // the last response was of more than fewBytes
	lingering bool
	closing   bool
	last      bool // unused, and only kept for the grace of a drain
	minor     uint8

	started   int64 // loop time of the accept
	proxyWait bool  // the PROXY protocol header is still to come
	counted   bool  // in lst.sources
	first     bool  // nothing has come yet that tells TLS from plain text
	toHTTPS   bool  // requests are answered with a redirect to https
	tls       *secure.Conn

	client     exchange.Client
	haveClient bool
	ip         [40]byte
	localAddr  netip.AddrPort // from the PROXY protocol

	prev, next *Conn
}

// active is what a connection needs only while it has an exchange. An idle one does not pay for it.
type active struct {
	exchange.Exchange
	body      h1.Body
	bodyRate  rate // pace of the request body
	writeRate rate // pace of the client's reading
}

func (c *Conn) arm(kind uint8, d time.Duration) {
	c.timer.Kind = kind
	if d > 0 {
		c.env.Loop.Arm(&c.timer, d)
	} else {
		c.env.Loop.Disarm(&c.timer)
	}
}

// OnRecv implements loop.Handler.
func (c *Conn) OnRecv(p []byte) {
	e := c.env
	buf := c.recv.Take()
	switch {
	case c.closing:
		if buf != nil {
			e.Pool.Put(buf)
		}
		return
	case c.h2 != nil:
		c.h2.received(p)
		return
	case buf != nil:
		c.large(buf, len(p))
	default:
		c.take(p)
	}
	if c.x != nil && c.x.Up != nil {
		c.x.Up.Flush()
	}
	c.Flush()
}

// OnRecvEnd implements loop.Handler.
func (c *Conn) OnRecvEnd(err error) {
	e := c.env
	c.recv.End(e.Pool)
	if c.closing {
		return
	}
	if c.h2 != nil {
		c.h2.receiveEnd(err)
		return
	}
	x := c.x
	switch {
	case x != nil && x.Tunnel && err == io.EOF:
		c.reqDone = true
		if x.Up != nil {
			x.Up.Finish(nil)
		}
	case x != nil:
		// Whether it closed or only half-closed cannot be told before we write; nginx and Envoy take it for gone, too.
		c.gone(exchange.DownstreamTermination)
	case c.out.Len() > 0 && err == io.EOF:
		// The last response is still on its way to a client that half-closed; when paused, there are requests to answer, too.
		c.closeOut = !c.paused
		c.arm(waitWrite, c.lst.Body)
	default:
		c.shut()
	}
}

// OnRecvStopped implements loop.Handler.
func (c *Conn) OnRecvStopped() {
	if !c.closing {
		c.recv.Stopped(c.l, c.id, c.env.Pool)
	}
}

// OnSend implements loop.Handler.
func (c *Conn) OnSend(n int, err error) {
	c.sending = false
	if c.closing {
		return
	}
	if err != nil {
		c.gone(exchange.DownstreamTermination)
		return
	}
	c.env.Count.DownstreamBytesOut += uint64(n)
	if c.h2 != nil {
		c.h2.sent(n)
		return
	}
	c.out.Sent(n)
	if c.srcPaused {
		c.x.writeRate.add(n)
		if c.x.writeRate.tooSlow(c.lst.MinRate, c.env.Loop.Now()) {
			c.env.Count.Failures.Add("client_reads_too_slowly")
			c.gone(exchange.DownstreamTermination)
			return
		}
		if c.out.Drained() {
			c.srcPaused = false
			c.env.Loop.Disarm(&c.timer)
			if x := c.x; x != nil && x.Up != nil {
				x.Up.Resume()
			}
			if c.closing {
				return
			}
		} else {
			c.arm(waitWrite, c.lst.Body)
		}
	}
	if c.paused && c.x == nil && !c.closeOut {
		c.ahead()
	}
	c.Flush()
}

// ahead goes on with requests that waited for the client to read its responses.
func (c *Conn) ahead() {
	if !c.out.Drained() {
		c.arm(waitWrite, c.lst.Body)
		return
	}
	c.paused = false
	c.recv.Start(c.l, c.id, c.env.Pool)
	c.arm(waitNext, c.lst.Idle)
	c.pipeline()
}

// Flush implements exchange.Downstream.
func (c *Conn) Flush() {
	if c.sending || c.closing || c.h2 != nil {
		return
	}
	if b := c.out.Next(); b != nil {
		c.sending = true
		if c.closeOut && c.x == nil && len(b) == c.out.Len() {
			c.sendFinal(b)
			return
		}
		c.l.Send(c.id, b)
		return
	}
	if c.closeOut || c.x == nil && (c.recv.Ended() || c.leaveNow()) {
		c.end()
	}
}

// sendFinal sends the end of the last response together with the FIN that follows at once, where the loop can do that: one packet and
// one wake-up of the client less for each connection.
func (c *Conn) sendFinal(b []byte) {
	if l, ok := c.l.(loop.FinalSender); ok {
		l.SendFinal(c.id, b)
		return
	}
	c.l.Send(c.id, b)
}

// end closes after the last response: at once when that was small and the client has nothing more to say that we know of, otherwise gently.
func (c *Conn) end() {
	switch {
	case c.lingering:
	case c.abrupt:
		c.reset()
	case c.recv.Ended() || c.reqDone && c.in.Len() == 0 && c.discarded == 0 && !c.much:
		c.shut()
	default:
		c.lingering = true
		c.discarded = 0
		c.in.Release(c.env.Pool)
		c.l.Shutdown(c.id)
		c.paused = false
		c.recv.Start(c.l, c.id, c.env.Pool)
		c.arm(waitLinger, lingerTime)
	}
}

// gone ends everything because the client left, or must leave.
func (c *Conn) gone(why exchange.Flags) {
	if c.h2 != nil {
		c.h2.gone(why)
		return
	}
	if x := c.x; x != nil {
		x.Flags |= why
		if why == exchange.DownstreamTermination {
			c.env.Count.DownstreamAborts++
			if !c.headSent {
				x.Status = exchange.ErrClientGone.Status
			}
		}
		if up := x.Up; up != nil {
			up.Abort()
		}
		c.endExchange()
	}
	if c.abrupt {
		c.reset() // a body that ends with the connection must not look whole
		return
	}
	c.shut()
}

// OnTimer implements loop.TimerHandler.
func (c *Conn) OnTimer(t *loop.Timer) {
	if c.closing {
		return
	}
	switch t.Kind {
	case waitHead:
		if c.in.Len() > 0 && c.x == nil && !c.proxyWait {
			c.env.Count.RequestTimeouts++
			c.refuse(exchange.ErrHeaderTimeout)
			c.Flush()
			return
		}
		c.shut()
	case waitNext:
		c.shut()
	case waitBody:
		c.env.Count.RequestTimeouts++
		x := c.x
		if x == nil {
			c.shut()
			return
		}
		if up := x.Up; up != nil {
			up.Abort()
		}
		c.Fail(exchange.ErrBodyTimeout)
		c.Flush()
	case waitWrite:
		c.env.Count.Failures.Add("client_write_timeout")
		c.gone(exchange.DownstreamTermination)
	case waitLinger:
		c.shut()
	case waitSweep:
		c.h2.onTimer()
	}
}

func (c *Conn) shut() {
	if !c.closing {
		c.closing = true
		c.env.Loop.Disarm(&c.timer)
		c.l.Close(c.id)
	}
}

func (c *Conn) reset() {
	if !c.closing {
		c.closing = true
		c.env.Loop.Disarm(&c.timer)
		c.l.Reset(c.id)
	}
}

// OnClose implements loop.Handler.
func (c *Conn) OnClose() {
	e := c.env
	if c.h2 != nil {
		c.h2.close()
	}
	c.recv.End(e.Pool)
	c.in.Release(e.Pool)
	c.out.Clear()
	e.Count.DownstreamActive--
	if c.counted {
		c.lst.forgetSource(c.client.Peer.Addr())
	}
	released := c.lst.Released
	e.forget(c)
	if released != nil {
		released()
	}
}

// Client implements exchange.Downstream. The address is looked up when it is first needed: most connections to local replies
// never need it.
func (c *Conn) Client() *exchange.Client {
	if !c.haveClient {
		c.haveClient = true
		if !c.client.Peer.IsValid() { // otherwise the PROXY protocol named it
			c.client.Peer = c.address(loop.Addresses.PeerAddr)
		}
		if c.client.Peer.IsValid() {
			c.client.IP = c.client.Peer.Addr().Unmap().WithZone("").AppendTo(c.ip[:0])
		} else {
			c.client.IP = append(c.ip[:0], "unknown"...)
		}
		c.client.Scheme = schemeHTTP
		c.describeTLS()
		c.client.TrustForwarded = c.lst.TrustForwarded
		c.client.Pseudonym = c.lst.ServerName
		c.client.Listener = c.lst.Name
	}
	return &c.client
}

// LocalAddr implements exchange.Downstream.
func (c *Conn) LocalAddr() netip.AddrPort {
	if c.localAddr.IsValid() {
		return c.localAddr
	}
	return c.address(loop.Addresses.LocalAddr)
}

// address asks the loop for one of the socket's addresses; invalid for a Unix socket.
func (c *Conn) address(of func(loop.Addresses, int) (netip.AddrPort, error)) netip.AddrPort {
	if l, ok := c.env.Loop.(loop.Addresses); ok {
		if a, err := of(l, c.l.FD(c.id)); err == nil {
			return a
		}
	}
	return netip.AddrPort{}
}

var schemeHTTP = []byte("http")
