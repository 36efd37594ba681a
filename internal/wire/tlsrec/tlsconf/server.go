package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ClientAuth says whether clients show certificates.
type ClientAuth uint8

const (
	// NoClientCert: clients are not asked.
	NoClientCert ClientAuth = iota
	// OptionalClientCert: clients are asked; what they show must be good.
	OptionalClientCert
	// RequireClientCert: clients must show a good certificate.
	RequireClientCert
)

// Server describes the side that is connected to.
type Server struct {
	Policy Policy
	// Certificates are the identities; a server name chooses among them, the first is for all others.
	Certificates []Certificate
	// Pairs are further identities that are in memory already, such as SelfSigned's. Their Leaf is set.
	Pairs []*tls.Certificate
	// Leaves is set by Build: the certificates of Certificates and then of Pairs.
	Leaves []*x509.Certificate
	// StrictSNI refuses clients that ask for no name or for one that no certificate has.
	StrictSNI bool
	// ClientAuth and ClientCAFile: whose certificates of clients are good. The file is PEM.
	ClientAuth   ClientAuth
	ClientCAFile string
	// Tickets are the keys for session tickets; nil turns resumption off.
	Tickets *Tickets
	// Now is the time for the validity of certificates and staples; the zero value means the present.
	Now time.Time
}

// Build reads the files. Warnings are for the log; see Certificate.
func (s *Server) Build() (cfg *tls.Config, warnings []string, err error) {
	now := s.Now
	if now.IsZero() {
		now = time.Now()
	}
	cfg = &tls.Config{}
	if err := s.Policy.apply(cfg); err != nil {
		return nil, nil, err
	}
	var certs []*tls.Certificate
	for _, c := range s.Certificates {
		pair, warned, err := c.load(now)
		if err != nil {
			return nil, nil, err
		}
		certs = append(certs, pair)
		warnings = append(warnings, warned...)
	}
	certs = append(certs, s.Pairs...)
	if len(certs) == 0 {
		return nil, nil, errors.New("a TLS server needs a certificate")
	}
	for _, c := range certs {
		if c.Leaf == nil {
			return nil, nil, errors.New("a certificate in memory without its parsed leaf")
		}
		if s.StrictSNI && len(c.Leaf.DNSNames) == 0 {
			return nil, nil, fmt.Errorf("the certificate of %q has no DNS name, so that no client could ask for it", c.Leaf.Subject)
		}
	}
	cfg.GetCertificate = newStore(certs, s.StrictSNI).get
	s.Leaves = nil
	for _, c := range certs {
		s.Leaves = append(s.Leaves, c.Leaf)
	}

	switch {
	case s.ClientAuth == NoClientCert && s.ClientCAFile != "":
		return nil, nil, errors.New("authorities for client certificates are given, but clients are not asked for one")
	case s.ClientAuth != NoClientCert && s.ClientCAFile == "":
		// The authorities of the operating system would let anybody in who owns a domain.
		return nil, nil, errors.New("client certificates are asked for: name the file with the authorities that issue them")
	case s.ClientAuth != NoClientCert:
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
		if s.ClientAuth == RequireClientCert {
			cfg.ClientAuth = tls.RequireAndVerifyClientCert
		}
		if cfg.ClientCAs, err = pool(s.ClientCAFile); err != nil {
			return nil, nil, err
		}
	}
	if s.Tickets == nil {
		cfg.SessionTicketsDisabled = true
	} else {
		s.Tickets.attach(cfg)
	}
	return cfg, warnings, nil
}
