package exchange

import (
	"sync"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// Source tells on which side of the gateway an exchange failed.
type Source uint8

// Sources of failure.
const (
	FromDownstream Source = iota
	FromUpstream
	FromUs
)

// Retry tells when a failed attempt may be made again on another connection.
type Retry uint8

// Retryability. Every retry also needs the whole request still at hand and no response byte seen.
const (
	// RetryNever: the request may have been acted on, or trying again cannot help.
	RetryNever Retry = iota
	// RetryIdempotent: the request may have been acted on, so only methods that allow it are repeated (RFC 9110 section 9.2.2).
	RetryIdempotent
	// RetryAlways: no byte of the request reached the upstream.
	RetryAlways
)

// Failure is why an exchange ended without a (whole) response. All are package variables: failing allocates nothing.
type Failure struct {
	Source Source
	Status int
	Flags  Flags
	Retry  Retry
	// Code is the stable label for metrics and log, Detail the sentence in the body of the local reply.
	Code, Detail string
	// RetryAfter is the value of Retry-After in seconds, 0: none.
	RetryAfter int
}

// Error makes a Failure an error.
func (f *Failure) Error() string { return f.Code + ": " + f.Detail }

// The failures of an exchange.
var (
	ErrNoRoute = &Failure{Source: FromUs, Status: 404, Flags: NoRoute, Code: "no_route",
		Detail: "no route matches this host and path"}
	ErrMethodNotAllowed = &Failure{Source: FromUs, Status: 405, Flags: NoRoute, Code: "method_not_allowed",
		Detail: "this path does not allow the request's method"}
	ErrUpgradeNotAllowed = &Failure{Source: FromUs, Status: 403, Code: "upgrade_not_allowed",
		Detail: "this route does not allow tunnels"}
	ErrRewrite = &Failure{Source: FromUs, Status: 500, Code: "rewrite_failed",
		Detail: "the route's rewrite makes no path of this request"}
	ErrTraceNotAllowed = &Failure{Source: FromUs, Status: 405, Code: "trace_not_allowed",
		Detail: "TRACE is not forwarded"}
	ErrSchemeMismatch = &Failure{Source: FromUs, Status: 421, Code: "scheme_mismatch",
		Detail: "the scheme of the target is not that of this connection"}
	ErrPlaintext = &Failure{Source: FromDownstream, Status: 400, Flags: DownstreamProtocol, Code: "plaintext_refused",
		Detail: "this port speaks TLS only"}
	ErrOverload = &Failure{Source: FromUs, Status: 503, Flags: Overload, Code: "overload", RetryAfter: 1,
		Detail: "the gateway is out of buffer memory"}

	ErrHeaderTimeout = &Failure{Source: FromDownstream, Status: 408, Flags: DownstreamTimeout, Code: "request_header_timeout",
		Detail: "the request head did not arrive in time"}
	ErrBodyTimeout = &Failure{Source: FromDownstream, Status: 408, Flags: DownstreamTimeout, Code: "request_body_timeout",
		Detail: "the request body stalled"}
	ErrBodyTooSlow = &Failure{Source: FromDownstream, Status: 408, Flags: DownstreamTimeout, Code: "request_body_too_slow",
		Detail: "the request body comes too slowly"}
	ErrBodyTooLarge = &Failure{Source: FromDownstream, Status: 413, Flags: DownstreamProtocol, Code: "request_body_too_large",
		Detail: "the request body is larger than this route allows"}
	ErrClientGone = &Failure{Source: FromDownstream, Status: 499, Flags: DownstreamTermination, Code: "client_gone",
		Detail: "the client closed the connection"}

	ErrNoEndpoint = &Failure{Source: FromUpstream, Status: 503, Flags: NoHealthyUpstream, Code: "no_healthy_upstream",
		Detail: "no healthy upstream endpoint"}
	ErrOverflow = &Failure{Source: FromUpstream, Status: 503, Flags: UpstreamOverflow, Code: "upstream_overflow", RetryAfter: 1,
		Detail: "too many requests are waiting for this upstream"}
	ErrConnect = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamConnectFailure, Retry: RetryAlways, Code: "connect_failed",
		Detail: "could not connect to the upstream"}
	ErrConnectTimeout = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamConnectFailure | UpstreamTimeout, Retry: RetryAlways,
		Code: "connect_timeout", Detail: "connecting to the upstream took too long"}
	ErrSend = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamTermination, Retry: RetryIdempotent, Code: "upstream_send_failed",
		Detail: "the upstream closed the connection while the request was sent"}
	ErrReset = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamTermination, Retry: RetryIdempotent, Code: "upstream_reset",
		Detail: "the upstream closed the connection before it answered"}
	ErrTruncated = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamTermination, Code: "upstream_truncated",
		Detail: "the upstream closed the connection in the middle of its response"}
	ErrFirstByteTimeout = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamTimeout, Code: "first_byte_timeout",
		Detail: "the upstream did not answer in time"}
	ErrTryTimeout = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamTimeout, Retry: RetryIdempotent, Code: "try_timeout",
		Detail: "the upstream did not answer in the time of one attempt"}
	ErrTotalTimeout = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamTimeout, Code: "total_timeout",
		Detail: "the request took longer than its route allows"}
	ErrIdleTimeout = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamTimeout, Code: "upstream_idle_timeout",
		Detail: "the upstream stalled in the middle of its response"}
	ErrDeadline = &Failure{Source: FromUpstream, Status: 504, Flags: UpstreamTimeout, Code: "deadline_exceeded",
		Detail: "the time that the client allows for the call is over"}
	ErrProtocol = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamProtocolError, Code: "upstream_protocol_error",
		Detail: "the upstream's response is malformed"}
)

// fromWire remembers the failure of each wire.Error. Those are package variables of the codecs, so there are few of them; reading takes
// no lock.
var fromWire sync.Map

// FromWire is the failure of a malformed request. Only the first one of its kind allocates.
func FromWire(e *wire.Error) *Failure {
	if f, ok := fromWire.Load(e); ok {
		return f.(*Failure)
	}
	f := &Failure{Source: FromDownstream, Status: e.Status, Flags: DownstreamProtocol, Code: e.Code, Detail: e.Detail}
	fromWire.Store(e, f)
	return f
}
