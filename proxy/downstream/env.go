// Package downstream is step 2 of the path: the client's connection. It drives the codec of HTTP/1.1 or HTTP/2, gives each request to the
// dispatcher, and is the downstream half of the exchange: it frames the response for this client and watches the client's pace.
// It imports the loop, the codecs, flow, exchange, proxyproto, respond, secure and telemetry.
//
//	Env        what all connections of one worker share                      env.go
//	Listener   limits and timeouts of one listening address                  env.go
//	Conn       one connection: life, events, timers                          conn.go
//	           bytes in → requests → dispatch                                request.go
//	           exchange.Downstream: the response out                         response.go
//	h2Conn     what Conn has beside, once it speaks HTTP/2: output, life     h2.go
//	           bytes in → streams → dispatch                                 h2_request.go
//	           one timer for all limits                                      h2_time.go
//	h2Stream   one exchange: exchange.Downstream                             h2_stream.go
//	           the response out, windows, turns                              h2_response.go
//	           replies from configuration, and for failures                  h2_reply.go
package downstream

import (
	"net/netip"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/respond"
	"github.com/blitz-gateway/blitz/proxy/secure"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// Dispatcher decides what becomes of a request: routing, policies, local replies, clusters.
type Dispatcher interface {
	// Dispatch starts the exchange: it either answers through x.Down or sets x.Up. r is borrowed during the call.
	Dispatch(x *exchange.Exchange, r *wire.Request)
	// Ended is called once for each exchange, when it is over, to log and count it.
	Ended(x *exchange.Exchange)
}

// Env is what the connections of one worker share.
type Env struct {
	Loop     loop.Loop
	Pool     *flow.Pool
	Count    *telemetry.Counters
	Dispatch Dispatcher
	Date     respond.Date
	// TLS is what TLS connections of the worker share; needed where a listener has TLS.
	TLS *secure.Env

	draining bool
	grace    time.Duration // for unused connections, when draining
	req      wire.Request  // scratch of the parser: valid during one callback
	freeConn *Conn
	freeX    []*active

	// For HTTP/2.
	h2scratch   h2.Scratch
	freeH2      *h2Conn
	freeStreams []*h2Stream
	nFreeH2     int    // connections in freeH2
	text        []byte // of a failure
	nFree       int    // connections in freeConn
	dropped     int    // connections and exchanges left to the collector since the last Dropped
	live        *Conn  // all connections
	n           int
}

// Listener is what the connections of one listening address share.
type Listener struct {
	Name   string
	Limits wire.Limits
	// Header bounds the time a request head takes, Idle an unused connection, Body a pause of the client in either direction.
	Header, Idle, Body time.Duration
	// HTTP1 and HTTP2 are the versions that clients may speak, HTTP2 nil: not that.
	HTTP1 bool
	HTTP2 *HTTP2
	// MaxBody is the largest request body in bytes where the route has no limit of its own, 0: no limit.
	MaxBody int64
	// MaxRequests per connection, 0: no limit.
	MaxRequests int
	// MaxPerSource is how many connections one client address may have on this worker, 0: no limit.
	MaxPerSource int
	// MaxAge is how old a connection may get, MinRate how many bytes per second a client has to keep up; 0: no limit.
	MaxAge  time.Duration
	MinRate int64
	// ProxyProtocol: connections begin with a PROXY protocol header, which names the client.
	ProxyProtocol bool
	// TLS on the same port, nil: none. Handshake bounds the time of a handshake, Plaintext says what becomes of other connections,
	// ForwardCert tells endpoints about the certificate of the client.
	TLS         *secure.Config
	Handshake   time.Duration
	Plaintext   Plaintext
	ForwardCert bool
	// TrustForwarded, ServerName: see snapshot.Listener.
	TrustForwarded bool
	ServerName     []byte
	// Leaving is true once the address is no longer listened on: the connections that came through it end with their current response. What
	// replaces a Listener after a change of its settings shares it. May be nil.
	Leaving *bool
	// Released is called when a connection has ended.
	Released func()

	sources map[netip.Addr]int // connections by client address, when MaxPerSource is set
}

// maxFree is how many unused connections, and exchanges, are kept for the next ones. What a burst leaves beyond that goes to
// the collector.
const maxFree = 1024

// Dropped is how many objects were left to the collector since the last call.
func (e *Env) Dropped() int {
	n := e.dropped
	e.dropped = 0
	return n
}

// Len is the number of connections.
func (e *Env) Len() int { return e.n }

// CloseAll ends every connection, whatever it is doing.
func (e *Env) CloseAll() {
	for c := e.live; c != nil; c = c.next {
		c.gone(exchange.Draining)
	}
}

// Accept takes ownership of a descriptor from the listener.
func (e *Env) Accept(fd int, l *Listener) {
	c := e.freeConn
	if c == nil {
		c = new(Conn)
		c.timer.Handler = c
		c.out.Pool = e.Pool
	} else {
		e.freeConn = c.next
		e.nFree--
	}
	c.env, c.lst, c.l = e, l, e.Loop
	c.started = e.Loop.Now()
	c.prev, c.next = nil, e.live
	if e.live != nil {
		e.live.prev = c
	}
	e.live = c
	e.n++
	e.Count.DownstreamConnections++
	e.Count.DownstreamActive++
	c.id = e.Loop.Attach(fd, c)
	c.proxyWait = l.ProxyProtocol
	c.first = l.TLS != nil
	if !c.proxyWait && !c.admit() {
		return
	}
	c.recv.Start(c.l, c.id, e.Pool)
	c.arm(waitHead, c.firstWait())
}

func (e *Env) exchange() *active {
	n := len(e.freeX)
	if n == 0 {
		return new(active)
	}
	x := e.freeX[n-1]
	e.freeX = e.freeX[:n-1]
	return x
}

func (e *Env) forget(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		e.live = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	e.n--
	if e.nFree == maxFree {
		e.dropped++
		return
	}
	*c = Conn{timer: c.timer, next: e.freeConn}
	c.out.Pool = e.Pool
	e.freeConn = c
	e.nFree++
}
