package exchange

// The failures of an exchange that only upstreams over TLS have. No byte of the request was sent.
var (
	ErrUpstreamTLS = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamConnectFailure, Retry: RetryAlways, Code: "upstream_tls_failed",
		Detail: "the TLS handshake with the upstream failed"}
	ErrUpstreamCertificate = &Failure{Source: FromUpstream, Status: 502, Flags: UpstreamConnectFailure, Retry: RetryAlways, Code: "upstream_certificate_refused",
		Detail: "the certificate of the upstream is not accepted"}
)
