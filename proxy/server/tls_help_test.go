package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// issuer issues the certificates of a test.
type issuer struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// file holds the authority's certificate.
	file string
	n    int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &issuer{t: t, dir: t.TempDir(), key: key, n: 1}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.file = filepath.Join(a.dir, "ca.pem")
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// issue makes a certificate for the names and returns the names of the files: base.crt and base.key.
func (a *issuer) issue(base string, isRSA bool, names ...string) (cert, key string) {
	a.t.Helper()
	a.n++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: base, Organization: []string{`a "quoted" name`}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	var private any
	var public any
	if isRSA {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(a.t, err)
		private, public = k, k.Public()
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(a.t, err)
		private, public = k, k.Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	require.NoError(a.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(a.t, err)
	cert, key = filepath.Join(a.dir, base+".crt"), filepath.Join(a.dir, base+".key")
	writePEM(a.t, cert, "CERTIFICATE", der)
	writePEM(a.t, key, "PRIVATE KEY", pkcs8)
	return cert, key
}

// pool trusts the authority.
func (a *issuer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// certificates renders the key of a listener's tls for one site.
func (a *issuer) certificates(names ...string) string {
	cert, key := a.issue("site", false, names...)
	return "certificates: [{cert: " + cert + ", key: " + key + "}]"
}

// tlsClient is client over TLS.
type tlsClient struct {
	*client
	tls *tls.Conn
}

// secure connects with Go's TLS.
func (g *gateway) secure(cfg *tls.Config) *tlsClient {
	g.t.Helper()
	c := g.dial()
	conn := tls.Client(c.TCPConn, cfg)
	require.NoError(g.t, conn.Handshake())
	c.br = bufio.NewReader(conn)
	return &tlsClient{client: c, tls: conn}
}

func (c *tlsClient) send(s string) {
	c.t.Helper()
	_, err := c.tls.Write([]byte(s))
	require.NoError(c.t, err)
}

func (c *tlsClient) ask(request string) response {
	c.t.Helper()
	c.send(request)
	r := c.response("GET")
	require.NoError(c.t, r.Err)
	return r
}

// anyCert is a client that accepts any certificate.
func anyCert() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "site.test", NextProtos: []string{"http/1.1"}}
}

// terminator accepts plain connections and carries them to the gateway over TLS: with it every test of the plain gateway tests TLS as well.
func terminator(t *testing.T, addr string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			plain, err := ln.Accept()
			if err != nil {
				return
			}
			go carry(plain.(*net.TCPConn), addr)
		}
	}()
	return ln.Addr().String()
}

func carry(plain *net.TCPConn, addr string) {
	defer plain.Close()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer raw.Close()
	conn := tls.Client(raw, anyCert())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := plain.ReadFrom(conn)
		if err != nil { // not ended by close_notify: the client must not take it for whole
			_ = plain.SetLinger(0)
			_ = plain.Close()
			return
		}
		_ = plain.CloseWrite()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := plain.Read(buf)
		if n > 0 {
			if _, err := conn.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			_ = conn.CloseWrite()
			break
		}
	}
	<-done
}

// tool runs a program that must end by itself, with input, and returns what it printed.
func tool(t *testing.T, input, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed; .ci/deps lists what the tests use")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = bytesReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
