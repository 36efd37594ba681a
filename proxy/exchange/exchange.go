// Package exchange is the leaf where downstream and upstream meet: one request and its response, the two sides as interfaces, the
// response flags, and the errors from which flag, status, metric and retry follow. It imports only internal/wire.
//
// Rules for both sides: all calls happen on one worker's loop thread. A side may be called back from inside its own call
// (a body sent to a full peer pauses the sender at once), so it must put its own state in order before it calls the other.
// After Finish, Fail or Abort a side is gone: the other must not call it again.
package exchange

import (
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// Downstream is the client's side of an exchange, as the upstream side sees it.
type Downstream interface {
	// Informational forwards a 1xx response (not 101). Slices are borrowed during the call.
	Informational(resp *wire.Response)
	// Head starts the final response. Slices are borrowed during the call. For a 101 the exchange is a tunnel from here on.
	Head(resp *wire.Response)
	// Body sends body bytes, borrowed during the call. False: enough for now, wait for Upstream.Resume.
	Body(p []byte) bool
	// BodyBuffer sends buf[:n] and takes ownership of buf, which came from the worker's large buffers. Result as for Body.
	BodyBuffer(buf []byte, n int) bool
	// Reply answers with a response made from configuration: head holds complete fields, Content-Length included.
	Reply(status int, head, body []byte)
	// Continue asks the client for a body that it holds back (Expect: 100-continue).
	Continue()
	// Client describes where the request came from; valid as long as the connection.
	Client() *Client
	// LocalAddr is the address the client connected to, invalid for a Unix socket.
	LocalAddr() netip.AddrPort
	// Finish ends the response, with trailers if there were any.
	Finish(trailers []wire.Field)
	// Fail ends the exchange: by a local reply when no response head was sent yet, otherwise by breaking the connection,
	// so that a truncated body is never taken for a whole one.
	Fail(f *Failure)
	// Resume asks for more of the request body after Upstream.Body returned false.
	Resume()
	// Flush sends what the calls of this turn have put together. Every callback of the loop ends with it.
	Flush()
}

// Upstream is the server's side of an exchange, as the downstream side sees it.
type Upstream interface {
	// Body sends request body bytes, borrowed during the call. False: enough for now, wait for Downstream.Resume.
	Body(p []byte) bool
	// BodyBuffer sends buf[:n] and takes ownership of buf, which came from the worker's large buffers. Result as for Body.
	BodyBuffer(buf []byte, n int) bool
	// Finish ends the request, with trailers if there were any.
	Finish(trailers []wire.Field)
	// Flush sends what the calls of this turn have put together.
	Flush()
	// Abort ends the exchange because the downstream side failed or left: nothing is sent downstream any more.
	Abort()
	// Resume asks for more of the response after Downstream.Body returned false.
	Resume()
}

// Exchange is one request and its response. It belongs to the downstream side, which makes it and reuses it.
type Exchange struct {
	Down Downstream
	Up   Upstream // nil until the request was dispatched to a cluster

	// Request facts that outlive the head's buffer.
	Method wire.Method
	Minor  uint8
	// Major is the x of HTTP/x of the client's connection, 0 for HTTP/1.
	Major uint8
	// Body framing of the request.
	BodyKind   wire.BodyKind
	BodyLength int64
	// WantsUpgrade: the request asked for an upgrade (or CONNECT) and the route allows it.
	WantsUpgrade bool
	// Extended: the request came as extended CONNECT (RFC 8441) with the protocol in wire.Request.Upgrade. Method is then GET, which is what it is
	// in HTTP/1.1; an upstream of HTTP/2 sends CONNECT again.
	Extended bool
	// GRPC: a gRPC call (over HTTP/2, content type application/grpc…). Failures are told as a gRPC status.
	GRPC bool
	// Tunnel: the upgrade was accepted; both bodies are raw bytes from here on.
	Tunnel bool

	// Expect100: the client holds the body back until it is asked for it, or answered.
	Expect100 bool
	// MaxBody is the largest request body allowed, in bytes; 0: no limit.
	MaxBody int64
	// Allow is the value of Allow for a 405.
	Allow []byte

	// Facts for log and metrics.
	Flags    Flags
	Status   int
	Start    int64 // loop time of the first byte of the request, ns
	Sent     int64 // loop time when the request was whole and sent, ns
	Answered int64 // loop time of the response head, ns
	BytesIn  int64 // request body
	BytesOut int64 // response body
	Attempts int
	Route    string
	Cluster  string
	Endpoint string
	Code     string // of the failure, if there was one
	Detail   string
	// Host is the Host that the endpoint sees, where that is not the client's; valid while the request is started. nil: the client's.
	Host []byte
	// Edits are changes of the response's head; see EditResponse.
	Edits    []HeadEdit
	editList []HeadEdit
	editText []byte
	// Aux belongs to the dispatcher: what it has to end together with the exchange.
	Aux any
	// RouteTally and ClusterTally are where the request is counted when it is over; nil: nowhere.
	RouteTally, ClusterTally Tally
	// Log keeps what the access log wants of the request line and fields, filled only when a log is written.
	Log LogText
}

// Tally counts requests of one route, or of one cluster. Telemetry has the only kind.
type Tally interface {
	// Count adds a request: its status, 0 for none; a duration in ns, negative when there was none; attempts after the first.
	Count(status int, ns int64, retries int)
}

// LogText is the part of the request that is copied for the access log. The slices share one buffer that is reused.
type LogText struct {
	Method, Host, Path, Query, UserAgent, RequestID []byte
	buf                                             []byte
}

// Client is the downstream connection as the upstream side needs to know it.
type Client struct {
	// IP is the text form of the client's address, "unknown" for a Unix socket.
	IP []byte
	// Scheme is "http" or "https".
	Scheme []byte
	// TLS is what the handshake with the client settled; nil without TLS.
	TLS *tlsrec.State
	// Cert is the value of X-Forwarded-Client-Cert for endpoints; empty: none is sent.
	Cert []byte
	// TrustForwarded keeps the client's X-Forwarded-* and appends to it.
	TrustForwarded bool
	// Pseudonym is the received-by of our Via entry; empty: no Via.
	Pseudonym []byte
	// Peer is the client's address and port, invalid for a Unix socket; Listener is the name of the listener.
	Peer     netip.AddrPort
	Listener string
}

// Reset makes x ready for the next request and keeps its buffers.
func (x *Exchange) Reset() {
	log, list, text := x.Log.buf, x.editList, x.editText
	*x = Exchange{}
	x.Log.buf, x.editList, x.editText = log, list, text
}

// Keep copies what the access log wants out of r.
func (x *Exchange) Keep(r *wire.Request) {
	l := &x.Log
	b := l.buf[:0]
	ua := r.Get(wire.FieldUserAgent)
	id := r.Get(wire.FieldXRequestID)
	need := len(r.MethodName) + len(r.Authority) + len(r.Path) + len(r.Query) + len(ua) + len(id)
	if cap(b) < need {
		b = make([]byte, 0, need+need/2)
	}
	cut := func(p []byte) []byte {
		at := len(b)
		b = append(b, p...)
		return b[at:len(b):len(b)]
	}
	l.Method, l.Host, l.Path, l.Query, l.UserAgent, l.RequestID = cut(r.MethodName), cut(r.Authority), cut(r.Path), cut(r.Query), cut(ua), cut(id)
	l.buf = b
}
