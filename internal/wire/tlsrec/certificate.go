package tlsrec

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// RefusedCertificate tells whether the handshake ended because we do not accept the peer's certificate.
func (e *Error) RefusedCertificate() bool {
	var v *tls.CertificateVerificationError
	return errors.As(e.Cause, &v)
}

// certificateCode is the label for the reason why a certificate is not accepted.
func certificateCode(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "certificate_name_mismatch"
	case errors.As(err, &authority):
		return "certificate_unknown_authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		return "certificate_not_yet_valid"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate_expired"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "certificate_wrong_usage"
	}
	return "certificate_not_trusted"
}
