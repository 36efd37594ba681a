package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A response that OpenSSL's responder made is stapled, and OpenSSL's client takes it for good.
func TestOCSPResponseIsStapled(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		cert, key := a.issue("site", false, "site.test")
		caKey, response, index := filepath.Join(a.dir, "ca.key"), filepath.Join(a.dir, "ocsp.der"), filepath.Join(a.dir, "index.txt")
		der, err := x509.MarshalPKCS8PrivateKey(a.key)
		require.NoError(t, err)
		writePEM(t, caKey, "PRIVATE KEY", der)
		line := fmt.Sprintf("V\t%s\t\t%02X\tunknown\t/CN=site\n", time.Now().Add(time.Hour).UTC().Format("060102150405Z"), a.n)
		require.NoError(t, os.WriteFile(index, []byte(line), 0o600))
		out, err := tool(t, "", "openssl", "ocsp", "-index", index, "-CA", a.file, "-rsigner", a.file, "-rkey", caKey, "-issuer", a.file, "-cert", cert,
			"-ndays", "1", "-respout", response)
		require.NoError(t, err, out)
		with := fmt.Sprintf("tls: {certificates: [{cert: %s, key: %s, ocsp: %s}]}", cert, key, response)
		for listener, want := range map[string]string{
			with: "OCSP Response Status: successful", "tls: {certificates: [{cert: " + cert + ", key: " + key + "}]}": "OCSP response: no response sent",
		} {
			g := gate(t, engine, setup{listener: listener})
			for _, version := range []string{"-tls1_2", "-tls1_3"} {
				out, _ := tool(t, get("/hello", "Connection: close"), "openssl", "s_client", "-connect", g.addr, "-servername", "site.test", "-CAfile", a.file,
					"-ign_eof", "-status", version)
				require.Contains(t, out, want, version)
				require.Contains(t, out, "Verify return code: 0 (ok)")
				require.Equal(t, listener == with, strings.Contains(out, "Cert Status: good"), out)
			}
		}
	})
}

// Gateways with the same file of ticket keys resume each other's sessions, others do not; and a key that was moved behind a new one still
// opens what it has sealed.
func TestTicketKeysOfAFileAreShared(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		keys := func(first ...byte) string {
			text := ""
			for _, b := range first {
				text += hex.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32))) + "\n"
			}
			name := filepath.Join(a.dir, fmt.Sprintf("keys-%x", first))
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			return name
		}
		site := a.certificates("site.test")
		one := gate(t, engine, setup{listener: "tls: {" + site + ", tickets: {key_file: " + keys('a') + "}}"})
		for file, resumes := range map[string]bool{keys('a'): true, keys('b', 'a'): true, keys('b'): false} {
			two := gate(t, engine, setup{listener: "tls: {" + site + ", tickets: {key_file: " + file + "}}"})
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cfg := anyCert()
				cfg.MaxVersion, cfg.ClientSessionCache = version, tls.NewLRUClientSessionCache(4)
				for _, x := range []struct {
					g       *gateway
					resumes bool
				}{{one, false}, {two, resumes}} {
					c := x.g.secure(cfg)
					require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
					require.Equal(t, x.resumes, c.tls.ConnectionState().DidResume, "TLS %x, %s", version, file)
					c.Close()
				}
			}
		}
	})
}
