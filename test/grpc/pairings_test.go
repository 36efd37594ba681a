package grpc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// pairings are all ways of encrypting the two sides.
func pairings(t *testing.T) []pairing {
	t.Helper()
	cert, certFile, keyFile := certificate(t)
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	var (
		listener = fmt.Sprintf(", tls: {certificates: [{cert: %q, key: %q}]}", certFile, keyFile)
		cluster  = fmt.Sprintf(", tls: {ca: %q, server_name: grpc.test}", certFile)
		client   = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "grpc.test"}))
		clear    = grpc.WithTransportCredentials(insecure.NewCredentials())
		server   = []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&cert))}
	)
	return []pairing{
		{name: "h2c to h2c", client: clear},
		{name: "TLS to h2c", client: client, listener: listener},
		{name: "h2c to TLS", client: clear, cluster: cluster, server: server},
		{name: "TLS to TLS", client: client, listener: listener, cluster: cluster, server: server},
	}
}

// certificate makes one for grpc.test that vouches for itself.
func certificate(t *testing.T) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "grpc.test"}, DNSNames: []string{"grpc.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	certFile, keyFile = filepath.Join(t.TempDir(), "grpc.crt"), filepath.Join(t.TempDir(), "grpc.key")
	must(os.WriteFile(certFile, certPEM, 0o600))
	must(os.WriteFile(keyFile, keyPEM, 0o600))
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	must(err)
	return cert, certFile, keyFile
}
