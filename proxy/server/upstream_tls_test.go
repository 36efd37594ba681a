package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{t: t, cert: cert, key: key, file: filepath.Join(t.TempDir(), name+".pem")}
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// issue signs a certificate for names and addresses, and writes it beside the authority's.
func (a *authority) issue(names ...string) (cert tls.Certificate, certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	certFile, keyFile = filepath.Join(filepath.Dir(a.file), names[0]+".crt"), filepath.Join(filepath.Dir(a.file), names[0]+".key")
	require.NoError(a.t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(a.t, os.WriteFile(keyFile, keyPEM, 0o600))
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(a.t, err)
	return cert, certFile, keyFile
}

// quiet takes the complaints of origins that a test makes unhappy.
var quiet = log.New(io.Discard, "", 0)

// serveTLS starts an origin that answers over TLS, with HTTP/2 where protocol is h2 and HTTP/1.1 otherwise.
func serveTLS(t *testing.T, protocol string, cfg *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h, TLSConfig: cfg, Protocols: new(http.Protocols), ErrorLog: quiet}
	s.Protocols.SetHTTP1(protocol == "h1")
	s.Protocols.SetHTTP2(protocol == "h2")
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}

// says answers with what the handshake settled.
func says(w http.ResponseWriter, r *http.Request) {
	who := "nobody"
	if c := r.TLS.PeerCertificates; len(c) > 0 {
		who = c[0].Subject.CommonName
	}
	fmt.Fprintf(w, "%s %s %s %s", r.Proto, r.Host, r.TLS.ServerName, who)
}

func TestUpstreamTLS(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
		cert, _, _ := ca.issue("origin.test", "127.0.0.1")
		_, certFile, keyFile := ca.issue("gateway.test")
		for protocol, proto := range map[string]string{"h1": "HTTP/1.1", "h2": "HTTP/2.0"} {
			open := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}}, says)
			old := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12}, says)
			strict := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert}, says)
			plain := serve(t, func(http.ResponseWriter, *http.Request) {})
			for _, x := range []struct {
				name, addr, tls, answer, code string
			}{
				{"by address", open, "ca: " + ca.file, proto + " example.com  nobody", ""},
				{"by name", open, "ca: " + ca.file + ", server_name: origin.test", proto + " example.com origin.test nobody", ""},
				{"TLS 1.2", old, "ca: " + ca.file, proto + " example.com  nobody", ""},
				{"another name", open, "ca: " + ca.file + ", server_name: elsewhere.test", "", "upstream_certificate_refused"},
				{"another authority", open, "ca: " + other.file, "", "upstream_certificate_refused"},
				{"the system's authorities", open, "", "", "upstream_certificate_refused"},
				{"unverified", open, "verify: false", proto + " example.com  nobody", ""}, // an address is no server name
				{"own certificate", strict, fmt.Sprintf("ca: %s, cert: %s, key: %s", ca.file, certFile, keyFile), proto + " example.com  gateway.test", ""},
				{"too old", old, "min_version: \"1.3\", ca: " + ca.file, "", "upstream_tls_failed"},
				{"not TLS", plain, "ca: " + ca.file, "", "upstream_tls_failed"},
			} {
				t.Run(protocol+"/"+x.name, func(t *testing.T) {
					g := gate(t, engine, setup{endpoints: []string{x.addr}, cluster: fmt.Sprintf("protocol: %s, retries: 0, tls: {%s}", protocol, x.tls)})
					c := g.dial()
					r := c.ask(get("/"))
					if x.code != "" {
						require.Equal(t, 502, r.StatusCode, r.Text)
						require.Contains(t, r.Text, x.code)
						c.Close()
						e := g.log()[0]
						require.Equal(t, x.code, e.Code)
						require.Equal(t, "UF", e.Flags)
						require.NotEmpty(t, e.Detail)
						require.EqualValues(t, 1, g.counters().UpstreamConnectFailures)
						return
					}
					require.Equal(t, x.answer, r.Text)
					c.Close()
				})
			}
		}
	})
}

// A client certificate that an endpoint wants and does not get fails the request, in TLS 1.3 only after the handshake.
func TestUpstreamTLSWithoutTheCertificateItWants(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		for _, protocol := range []string{"h1", "h2"} {
			o := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert}, says)
			g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("protocol: %s, retries: 0, tls: {ca: %s}", protocol, ca.file)})
			c := g.dial()
			require.Equal(t, 502, c.ask(get("/")).StatusCode)
			c.Close()
		}
	})
}

// Bodies beyond every window and record, both ways at once, over both protocols and both record layers.
func TestUpstreamTLSLargeBodies(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		for _, protocol := range []string{"h1", "h2"} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				o := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version}, func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					_, _ = w.Write(b)
				})
				g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("protocol: %s, tls: {ca: %s}", protocol, ca.file)})
				res, err := http.Post("http://"+g.addr+"/", "application/octet-stream", bytes.NewReader(body))
				require.NoError(t, err)
				b, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.True(t, bytes.Equal(body, b))
				res.Body.Close()
				http.DefaultClient.CloseIdleConnections()
			}
		}
	})
}

// The second connection to an endpoint resumes the session of the first.
func TestUpstreamTLSResumesSessions(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		for _, reuse := range []bool{true, false} {
			o := serveTLS(t, "h1", &tls.Config{Certificates: []tls.Certificate{cert}}, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, r.TLS.DidResume)
			})
			g := gate(t, engine, setup{endpoints: []string{o}, cluster: fmt.Sprintf("max_idle: 0, tls: {ca: %s, session_reuse: %v}", ca.file, reuse)})
			c := g.dial()
			require.Equal(t, "false", c.ask(get("/")).Text)
			require.Equal(t, fmt.Sprint(reuse), c.ask(get("/")).Text)
			c.Close()
		}
	})
}

// A server that speaks TLS but not HTTP/2 is refused before it gets a request.
func TestUpstreamTLSWithoutH2(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
		require.NoError(t, err)
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, c); c.Close() }()
			}
		}()
		g := gate(t, engine, setup{endpoints: []string{ln.Addr().String()}, cluster: fmt.Sprintf("protocol: h2, retries: 0, tls: {ca: %s}", ca.file)})
		c := g.dial()
		r := c.ask(get("/"))
		require.Equal(t, 502, r.StatusCode)
		require.Contains(t, r.Text, "upstream_not_http2")
		c.Close()
	})
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}
