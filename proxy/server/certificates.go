package server

import (
	"crypto/x509"

	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// certificates are those that clients are shown now, and that were read from files.
func (s *Server) certificates() []telemetry.CertificateSample {
	var out []telemetry.CertificateSample
	for _, l := range s.snap.Load().Listeners {
		if l.TLS == nil {
			continue
		}
		for _, c := range l.TLS.Certificates {
			out = append(out, telemetry.CertificateSample{Listener: l.Name, Name: firstName(c), NotAfter: c.NotAfter})
		}
	}
	return out
}

// firstName is what a certificate is known by.
func firstName(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return c.Subject.CommonName
}
