package tlsrec

import (
	"crypto/tls"
	"crypto/x509"
)

// State is what a handshake settled.
type State struct {
	// Version and Suite are tls.VersionTLS12 or later and the IDs of crypto/tls.
	Version, Suite uint16
	// Group is the key agreement.
	Group tls.CurveID
	// ALPN is the application protocol; empty if none was agreed.
	ALPN string
	// ServerName is the name that the client asked for; empty if it did not.
	ServerName string
	// Resumed tells that the session is an earlier one's continuation.
	Resumed bool
	// Retried tells that the server asked for another ClientHello (HelloRetryRequest).
	Retried bool
	// Asked tells a client that the server asked for its certificate.
	Asked bool
	// PeerCertificates is the peer's chain, its own certificate first; VerifiedChains what was built from it.
	PeerCertificates []*x509.Certificate
	VerifiedChains   [][]*x509.Certificate
}

func stateOf(cs *tls.ConnectionState, h *handshake) *State {
	return &State{
		Version: cs.Version, Suite: cs.CipherSuite, Group: cs.CurveID, ALPN: cs.NegotiatedProtocol, ServerName: cs.ServerName,
		Resumed: cs.DidResume, Retried: cs.HelloRetryRequest, Asked: h.asked, PeerCertificates: cs.PeerCertificates, VerifiedChains: cs.VerifiedChains,
	}
}

// VersionName is the version as in an access log: "TLSv1.3".
func (s *State) VersionName() string {
	switch s.Version {
	case tls.VersionTLS13:
		return "TLSv1.3"
	case tls.VersionTLS12:
		return "TLSv1.2"
	}
	return tls.VersionName(s.Version)
}

// SuiteName is the name of the cipher suite in the IANA registry. crypto/tls makes a list of all suites to find it, which a line of an access
// log must not cost.
func (s *State) SuiteName() string {
	switch s.Suite {
	case tls.TLS_AES_128_GCM_SHA256:
		return "TLS_AES_128_GCM_SHA256"
	case tls.TLS_AES_256_GCM_SHA384:
		return "TLS_AES_256_GCM_SHA384"
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		return "TLS_CHACHA20_POLY1305_SHA256"
	case tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:
		return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
		return "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	case tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
		return "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	case tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
	case tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
	case tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
		return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
	}
	return tls.CipherSuiteName(s.Suite)
}
