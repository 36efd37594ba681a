package tlsconf

import (
	"crypto/tls"
	"strings"
)

// store chooses a certificate by server name. It is immutable.
type store struct {
	// exact and wildcard map a name, or what follows "*." in one, to certificates: several if they differ in the kind
	// of their key.
	exact, wildcard map[string][]*tls.Certificate
	// fallback is for clients that ask for no name or an unknown one; nil refuses them.
	fallback []*tls.Certificate
}

// newStore indexes certificates by the DNS names in them. The first one is the default, together with those that share
// its first name.
func newStore(certs []*tls.Certificate, strict bool) *store {
	s := &store{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}}
	for _, c := range certs {
		for _, name := range c.Leaf.DNSNames {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			if rest, ok := strings.CutPrefix(name, "*."); ok {
				s.wildcard[rest] = append(s.wildcard[rest], c)
			} else {
				s.exact[name] = append(s.exact[name], c)
			}
		}
	}
	if !strict && len(certs) > 0 {
		s.fallback = certs[:1]
		if names := certs[0].Leaf.DNSNames; len(names) > 0 {
			s.fallback = s.find(names[0])
		}
	}
	return s
}

// find returns the certificates for a name: an exact match, then a wildcard, which stands for one label (RFC 9525, 6.3).
func (s *store) find(name string) []*tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		return s.wildcard[rest]
	}
	if c := s.exact[name]; c != nil {
		return c
	}
	if label, rest, ok := strings.Cut(name, "."); ok && label != "" {
		return s.wildcard[rest]
	}
	return nil
}

// get implements tls.Config.GetCertificate. Neither a certificate nor an error makes crypto/tls answer unrecognized_name.
func (s *store) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var found []*tls.Certificate
	if hello.ServerName != "" {
		found = s.find(hello.ServerName)
	}
	if found == nil {
		found = s.fallback
	}
	switch len(found) {
	case 0:
		return nil, nil // that is how crypto/tls is told that there is none
	case 1:
		return found[0], nil
	}
	for _, c := range found {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return found[0], nil
}
