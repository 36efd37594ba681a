package tlsrec

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// opensslServer runs openssl s_server, which answers each line with its reverse, and returns its address.
func opensslServer(t *testing.T, args ...string) string {
	dir := t.TempDir()
	cert := siteCert()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	certFile, keyFile := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	cmd := exec.Command(needTool(t, "openssl"), append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", certFile, "-key", keyFile, "-rev"}, args...)...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "openssl s_server does not say where it listens")
		if addr, ok := strings.CutPrefix(line, "ACCEPT "); ok {
			go func() { _, _ = lines.WriteTo(discard{}) }()
			return strings.TrimSpace(addr)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestOpenSSLServer: our client with full handshakes, each suite, tickets of OpenSSL, resumption, and KeyUpdate.
func TestOpenSSLServer(t *testing.T) {
	for _, tc := range []struct {
		name    string
		args    []string
		version uint16
		suite   uint16
	}{
		{"AES-128", []string{"-ciphersuites", "TLS_AES_128_GCM_SHA256"}, tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256},
		{"AES-256, five tickets", []string{"-ciphersuites", "TLS_AES_256_GCM_SHA384", "-num_tickets", "5"}, tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384},
		{"ChaCha20", []string{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256},
		{"HelloRetryRequest", []string{"-groups", "P-384"}, tls.VersionTLS13, 0},
		{"padding", []string{"-record_padding", "500"}, tls.VersionTLS13, 0},
		{"TLS 1.2", []string{"-tls1_2"}, tls.VersionTLS12, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr := opensslServer(t, tc.args...)
			cfg := clientConfig()
			cfg.NextProtos = nil
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			for i := range 3 {
				sock, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				defer sock.Close()
				require.NoError(t, sock.SetDeadline(time.Now().Add(20*time.Second)))
				g := newGlue(Client(cfg, Options{}), sock)
				defer g.c.Close()
				require.NoError(t, g.handshake())
				for j := range 3 {
					if tc.name == "AES-128" && i == 0 && j == 1 {
						// Once only: s_server sleeps for a second after a record that has no content.
						require.NoError(t, g.c.UpdateKeys(true))
					}
					require.NoError(t, g.write([]byte("hello\n")))
					got, err := g.read(6)
					require.NoError(t, err)
					require.Equal(t, "olleh\n", string(got))
				}
				state := g.c.State()
				assert.Equal(t, tc.version, state.Version)
				assert.Equal(t, i > 0, state.Resumed)
				if tc.suite != 0 {
					assert.Equal(t, tc.suite, state.Suite)
				}
				g.c.CloseNotify()
				require.NoError(t, g.flush())
				sock.Close() // s_server waits for that, and serves nobody else meanwhile
			}
		})
	}
}
