package tlsconf

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// Policy says what is negotiated. The zero value is the default.
type Policy struct {
	// MinVersion is "1.2" (the default) or "1.3". Older versions are not served.
	MinVersion string
	// Groups are the key agreements, by the names in GroupNames; empty means defaultGroups. The order is crypto/tls's.
	Groups []string
	// Suites12 are the cipher suites of TLS 1.2 by their IANA names; empty means all with ECDHE and an AEAD. The suites
	// of TLS 1.3 are all on: crypto/tls chooses by what the hardware does well.
	Suites12 []string
	// ALPN are the application protocols, the preferred one first.
	ALPN []string
}

var groups = map[string]tls.CurveID{
	"X25519MLKEM768": tls.X25519MLKEM768, "X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521,
}

// defaultGroups leave out P-521, which costs ten times P-256 and is wanted by nobody.
var defaultGroups = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}

// GroupNames are the names that Policy.Groups knows, sorted.
func GroupNames() []string {
	names := make([]string, 0, len(groups))
	for n := range groups {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// suites12 are the allowed suites of TLS 1.2: forward secrecy and an AEAD, as RFC 9325, 4.2 recommends and HTTP/2 demands
// (RFC 9113, appendix A).
var suites12 = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// SuiteNames are the names that Policy.Suites12 knows.
func SuiteNames() []string {
	names := make([]string, len(suites12))
	for i, id := range suites12 {
		names[i] = tls.CipherSuiteName(id)
	}
	return names
}

// apply sets what the policy says.
func (p *Policy) apply(cfg *tls.Config) error {
	switch p.MinVersion {
	case "", "1.2":
		cfg.MinVersion = tls.VersionTLS12
	case "1.3":
		cfg.MinVersion = tls.VersionTLS13
	default:
		return fmt.Errorf("min_version %q: expected 1.2 or 1.3", p.MinVersion)
	}
	cfg.CurvePreferences = defaultGroups
	if len(p.Groups) > 0 {
		cfg.CurvePreferences = nil
		for _, name := range p.Groups {
			id, ok := groups[name]
			if !ok {
				return fmt.Errorf("group %q: expected one of %s", name, strings.Join(GroupNames(), ", "))
			}
			cfg.CurvePreferences = append(cfg.CurvePreferences, id)
		}
	}
	cfg.CipherSuites = suites12
	if len(p.Suites12) > 0 {
		known := SuiteNames()
		cfg.CipherSuites = nil
		for _, name := range p.Suites12 {
			i := slices.Index(known, name)
			if i < 0 {
				return fmt.Errorf("cipher suite %q: expected one of %s", name, strings.Join(known, ", "))
			}
			cfg.CipherSuites = append(cfg.CipherSuites, suites12[i])
		}
	}
	for _, proto := range p.ALPN {
		if len(proto) == 0 || len(proto) > 255 {
			return fmt.Errorf("application protocol %q: expected 1 to 255 bytes", proto)
		}
	}
	cfg.NextProtos = slices.Clone(p.ALPN)
	return nil
}
