package cluster

import "time"

// Version is what endpoints speak, as the configuration spells it.
type Version string

// The versions. The zero value is VersionH1.
const (
	VersionH1 Version = "h1"
	// VersionH2 is HTTP/2: with prior knowledge, or over TLS by ALPN.
	VersionH2 Version = "h2"
	// VersionAuto is what the endpoint chooses by ALPN with each connection. It needs TLS.
	VersionAuto Version = "auto"
)

// HTTP2 is the policy of using HTTP/2 connections, all of it for one worker and one endpoint.
type HTTP2 struct {
	// Connections over which requests are spread; MaxStreams how many requests share one at most, beyond which further connections are
	// opened, up to the cluster's MaxConnections.
	Connections, MaxStreams int
	// MaxRequests after which a connection takes no more of them, 0: no limit; MaxAge likewise.
	MaxRequests int
	MaxAge      time.Duration
	// StreamWindow is what an endpoint may send of one response ahead of a client that does not read, in bytes.
	StreamWindow int
	// PingInterval is how long a connection with requests may be silent before a PING asks whether the endpoint is there, 0: for ever;
	// PingTimeout how long the answer, or anything else, may take.
	PingInterval, PingTimeout time.Duration
}
