package telemetry

import (
	"net/netip"
	"time"
)

// Entry is one line of the access log. All slices are borrowed during Log. Empty values are left out of JSON and "-" in text.
type Entry struct {
	// Time is the wall-clock time at which the request began or ended, as the caller likes it; it is written in UTC with microseconds.
	Time     time.Time
	Listener string
	// Client is the peer's address; the zero value (a Unix socket) counts as empty.
	Client netip.AddrPort
	// Method, Host, Path, Query (without '?'), RequestID and UserAgent are the client's bytes: anything may be in them.
	Method, Host, Path, Query []byte
	RequestID, UserAgent      []byte
	// Major and Minor are the version of HTTP; a Major of 0 is 1.
	Major, Minor uint8
	// Status of the response, 0: none was sent.
	Status int
	Flags  Flags
	// BytesIn and BytesOut are bytes of the bodies.
	BytesIn, BytesOut int64
	// Duration of the whole exchange and UpstreamTime from the sent request to the response head, in ns; negative: not known.
	Duration, UpstreamTime int64
	// Attempts that were made to get an answer from an endpoint, 0: none.
	Attempts                 int
	Route, Cluster, Endpoint string
	// Of the client's TLS: version, cipher suite, application protocol, server name; empty without TLS.
	TLSVersion, TLSSuite, ALPN, ServerName string
	// Code is the code of a failure, Detail more about it.
	Code, Detail string
}

// Longest escaped forms, in bytes. A longer value is cut, and "…" shows it. They bound a line, so that it always fits into a buffer.
const (
	maxMethod = 64
	maxShort  = 256 // names, identifiers, hosts
	maxLong   = 1024
	maxPath   = 4096

	// maxLine is more than the sum of all fields, their names and numbers; TestLongestLine holds it.
	maxLine = 16 << 10
)
