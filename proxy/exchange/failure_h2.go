package exchange

// The failures of an exchange that only HTTP/2 upstreams have.
var (
	ErrStreamReset = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamTermination, Retry: RetryIdempotent, Code: "upstream_stream_reset",
		Detail: "the upstream reset the stream before it answered"}
	ErrStreamRefused = &Failure{Source: FromUpstream, Status: 503, Flags: UpstreamTermination, Retry: RetryAlways, Code: "upstream_stream_refused",
		Detail: "the upstream refused the stream without looking at the request"}
	ErrGoAway = &Failure{Source: FromUpstream, Status: 503, Flags: UpstreamTermination, Retry: RetryAlways, Code: "upstream_goaway",
		Detail: "the upstream closed the connection without looking at the request"}
	ErrConnectionFault = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamProtocolError, Retry: RetryIdempotent, Code: "upstream_connection_fault",
		Detail: "the upstream broke the rules of HTTP/2 on the connection that this request shared"}
	ErrNotHTTP2 = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamProtocolError, Retry: RetryAlways, Code: "upstream_not_http2",
		Detail: "the upstream does not speak HTTP/2"}
	ErrProtocolChanged = &Failure{Source: FromUs, Status: 503, Flags: Draining, Code: "upstream_protocol_changed", RetryAfter: 1,
		Detail: "the protocol of the cluster was changed while the request waited"}
	ErrNoExtendedConnect = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamProtocolError, Code: "upstream_no_extended_connect",
		Detail: "the upstream does not take WebSockets over HTTP/2 (RFC 8441)"}
)
