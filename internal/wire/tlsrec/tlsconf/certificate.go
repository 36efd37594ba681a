package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Certificate names the files of one identity.
type Certificate struct {
	// CertFile is PEM: the certificate, then the intermediates.
	CertFile string
	// KeyFile is PEM: the private key in PKCS#8, PKCS#1 or SEC 1.
	KeyFile string
	// OCSPFile is an OCSP response in DER, to be stapled; empty for none.
	OCSPFile string
}

// load reads the files. Warnings are for what is wrong and yet no reason to refuse to serve: an expired certificate is the
// peers' to refuse, and an unfit staple is left out, since clients refuse connections for it.
func (c Certificate) load(now time.Time) (*tls.Certificate, []string, error) {
	cert, err := os.ReadFile(c.CertFile)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("private key: %w", err)
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	var warnings []string
	switch leaf := pair.Leaf; {
	case now.After(leaf.NotAfter):
		warnings = append(warnings, fmt.Sprintf("certificate %s expired at %s", c.CertFile, leaf.NotAfter.UTC().Format(time.RFC3339)))
	case now.Before(leaf.NotBefore):
		warnings = append(warnings, fmt.Sprintf("certificate %s is not valid before %s", c.CertFile, leaf.NotBefore.UTC().Format(time.RFC3339)))
	}
	if c.OCSPFile != "" {
		staple, err := os.ReadFile(c.OCSPFile)
		if err != nil {
			return nil, nil, fmt.Errorf("OCSP response: %w", err)
		}
		if err := checkStaple(staple, &pair, now); err != nil {
			warnings = append(warnings, fmt.Sprintf("OCSP response %s is not stapled: %v", c.OCSPFile, err))
		} else {
			pair.OCSPStaple = staple
		}
	}
	return &pair, warnings, nil
}

// checkStaple tells why a response is not fit to be stapled to a certificate. The signature is verified where the issuer
// is in the chain.
func checkStaple(staple []byte, pair *tls.Certificate, now time.Time) error {
	var issuer *x509.Certificate
	if len(pair.Certificate) > 1 {
		var err error
		if issuer, err = x509.ParseCertificate(pair.Certificate[1]); err != nil {
			return err
		}
	}
	r, err := ocsp.ParseResponse(staple, issuer)
	switch {
	case err != nil:
		return err
	case r.SerialNumber == nil || r.SerialNumber.Cmp(pair.Leaf.SerialNumber) != 0:
		return errors.New("it is for another certificate")
	case r.Status == ocsp.Revoked:
		return errors.New("it says that the certificate is revoked")
	case r.Status != ocsp.Good:
		return errors.New("it says that the certificate is unknown to the issuer")
	case !r.NextUpdate.IsZero() && now.After(r.NextUpdate):
		return fmt.Errorf("it was valid until %s", r.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}

// pool reads certificates of authorities.
func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates of authorities: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(bytes.TrimSpace(pem)) {
		return nil, fmt.Errorf("certificates of authorities: %s contains no certificate in PEM", file)
	}
	return p, nil
}
