package snapshot

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The same text, another file: what is made of it is made again, and nothing else is.
func TestFilesAreLookedAtWhenTheTextIsTheSame(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	put := func(content []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(ca+".new", content, 0o600))
		old := time.Unix(1e9, 0) // as long ago as the one before: only the file is another
		require.NoError(t, os.Chtimes(ca+".new", old, old))
		require.NoError(t, os.Rename(ca+".new", ca))
	}
	authority := testCA(t)
	put(authority)
	text := []byte(fmt.Sprintf(`listeners: [{address: "127.0.0.1:0"}]
clusters:
  - {name: plain, endpoints: [{address: "127.0.0.1:9"}]}
  - {name: secure, endpoints: [{address: "127.0.0.1:9"}], tls: {ca: %s}}
  - {name: checked, endpoints: [{address: "127.0.0.1:9"}], health_check: {protocol: http, tls: true, ca: %s}}
routes: [{cluster: plain}]
`, ca, ca))
	first, err := Parse("a.yaml", text, nil, 1)
	require.NoError(t, err)
	require.Equal(t, []string{ca}, first.Files())
	second, err := Parse("a.yaml", text, first, 2)
	require.NoError(t, err)
	for i := range first.Clusters {
		require.Same(t, first.Clusters[i], second.Clusters[i])
	}
	put(authority)
	third, err := Parse("a.yaml", text, second, 3)
	require.NoError(t, err)
	require.Same(t, second.Clusters[0], third.Clusters[0])
	require.NotSame(t, second.Clusters[1], third.Clusters[1])
	require.NotSame(t, second.Clusters[2], third.Clusters[2])
	require.True(t, third.Clusters[1].SameConnections(second.Clusters[1]), "the content is the same")
	put(append(authority, testCA(t)...))
	fourth, err := Parse("a.yaml", text, third, 4)
	require.NoError(t, err)
	require.False(t, fourth.Clusters[1].SameConnections(third.Clusters[1]), "connections were checked against another authority")
	put([]byte("damaged"))
	_, err = Parse("a.yaml", text, fourth, 5)
	require.ErrorContains(t, err, ca)
}

// testCA is the certificate of an authority, in PEM.
func testCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
