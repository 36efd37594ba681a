//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// grave are the severities above LOW in what testssl.sh writes, and those of a scan that did not do its work.
var grave = map[string]bool{"MEDIUM": true, "HIGH": true, "CRITICAL": true, "FATAL": true}

// own are findings about a certificate that the gateway makes for itself, and that nobody is meant to trust.
var own = map[string]bool{
	"cert_trust": true, "cert_chain_of_trust": true, "cert_expirationStatus": true, "cert_notAfter": true, "cert_revocation": true, "cert_subjectAltName": true,
	"cert_commonName": true,
}

// testssl.sh finds nothing worse than LOW in the protocols, suites, curves, server defaults and the vulnerabilities that are quickly tried.
// It starts many processes and takes minutes of one core, so that it runs where BLITZ_TESTSSL is set: make testssl. What it looks at is also
// held by the tests of proxy/server with openssl and curl.
func TestTestSSL(t *testing.T) {
	if os.Getenv("BLITZ_TESTSSL") == "" {
		t.Skip("minutes of one core: make testssl")
	}
	program, err := exec.LookPath("testssl")
	if err != nil {
		program, err = exec.LookPath("testssl.sh")
	}
	require.NoError(t, err, "testssl.sh is needed: apt-get install testssl.sh")
	dir := t.TempDir()
	ca := authority(t, dir, "edge", "shop")
	example, err := os.ReadFile("../../examples/tls.yaml")
	require.NoError(t, err)
	text := strings.NewReplacer(":8443", "127.0.0.1:0", "edge.", filepath.Join(dir, "edge."), "shop.", filepath.Join(dir, "shop.")).Replace(string(example))
	for name, text := range map[string]string{"example": text, "default": ""} {
		t.Run(name, func(t *testing.T) {
			var p *process
			if text == "" {
				p = start(t, "serve") // on its port 8080
			} else {
				p = start(t, "serve", "--config", file(t, text))
			}
			_, port, err := net.SplitHostPort(p.addr)
			require.NoError(t, err)
			report := filepath.Join(t.TempDir(), "report.json")
			cmd := exec.Command(program, "--quiet", "--color", "0", "--warnings", "off", "--fast", "--nodns", "min", "--add-ca", ca, "--jsonfile", report,
				"--ip", "127.0.0.1", "-p", "-s", "-f", "-S", "-H", "-I", "-T", "-R", "-C", "-O", "-Z", "-L", "-D", "localhost:"+port)
			out, _ := cmd.CombinedOutput() // its exit code counts findings
			b, err := os.ReadFile(report)
			require.NoError(t, err, string(out))
			var findings []struct{ ID, Severity, Finding string }
			require.NoError(t, json.Unmarshal(b, &findings), string(b))
			seen := map[string]string{}
			for _, f := range findings {
				seen[f.ID] = f.Severity
				require.False(t, grave[f.Severity] && !(name == "default" && own[f.ID]), "%s %s: %s", f.Severity, f.ID, f.Finding)
			}
			for _, id := range []string{"SSLv3", "TLS1_3", "ALPN_HTTP2", "PFS", "heartbleed", "secure_renego", "LUCKY13"} {
				require.Equal(t, "OK", seen[id], "%s: %s", id, out)
			}
		})
	}
}

// authority makes one with OpenSSL, and certificates for the names. It returns the file of the authority's certificate.
func authority(t *testing.T, dir string, names ...string) string {
	t.Helper()
	openssl := func(args ...string) {
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "200", "-subj", "/CN=test authority")
	for _, name := range names {
		openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name+".key", "-out", name+".csr", "-subj", "/CN="+name+".test")
		more := fmt.Sprintf("subjectAltName=DNS:%s.test,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\ncrlDistributionPoints=URI:http://localhost/ca.crl\n", name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "more"), []byte(more), 0o600))
		openssl("x509", "-req", "-in", name+".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "200", "-out", name+".crt", "-extfile", "more")
	}
	return filepath.Join(dir, "ca.pem")
}
