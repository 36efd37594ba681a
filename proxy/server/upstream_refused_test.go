package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// special signs a certificate for 127.0.0.1 that differs from a good one by what change does.
func (a *authority) special(change func(*x509.Certificate)) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "special"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Log and metric say why a certificate of an endpoint was not accepted.
func TestUpstreamCertificateReasons(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
		for _, x := range []struct {
			code, detail string
			cert         tls.Certificate
		}{
			{"certificate_expired", "expired", ca.special(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })},
			{"certificate_not_yet_valid", "is before", ca.special(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })},
			{"certificate_name_mismatch", "not 127.0.0.1", ca.special(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} })},
			{"certificate_unknown_authority", "unknown authority", other.special(func(*x509.Certificate) {})},
			{"certificate_wrong_usage", "incompatible key usage", ca.special(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		} {
			for _, protocol := range []string{"h1", "h2", "auto"} {
				o := serveTLS(t, "h2", &tls.Config{Certificates: []tls.Certificate{x.cert}}, says)
				g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("protocol: %s, retries: 0, tls: {ca: %s}", protocol, ca.file)})
				c := g.dial()
				require.Equal(t, 502, c.ask(request("POST", "/", "x")).StatusCode)
				require.EqualValues(t, 1, g.metric(`blitz_upstream_tls_failures_total{code="`+x.code+`"}`))
				require.EqualValues(t, 1, g.metric(`blitz_failures_total{code="upstream_certificate_refused"}`))
				c.Close()
				e := g.log()[0]
				require.Equal(t, "upstream_certificate_refused", e.Code)
				require.Contains(t, e.Detail, x.detail)
			}
		}
	})
}

// The same when the endpoint does not accept ours, which in TLS 1.3 it says after the handshake.
func TestUpstreamRefusesOurCertificate(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, protocol := range []string{"h1", "h2", "auto"} {
				o := newStrict(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: version})
				g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("protocol: %s, retries: 0, tls: {ca: %s}", protocol, ca.file)})
				c := g.dial()
				require.Equal(t, 502, c.ask(get("/")).StatusCode)
				c.Close()
				e := g.log()[0]
				require.Equal(t, "upstream_tls_failed", e.Code, "%s, %x: %s", protocol, version, e.Detail)
				require.Contains(t, e.Detail, "the alert")
			}
		}
	})
}

// newStrict starts an origin that speaks either protocol to those it accepts.
func newStrict(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{TLSConfig: cfg, Protocols: new(http.Protocols), ErrorLog: quiet, Handler: http.HandlerFunc(says)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}
