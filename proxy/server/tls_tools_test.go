package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What OpenSSL's client and curl negotiate, and what they are told when it cannot be.
func TestOpenSSLAndCurl(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		ecdsaCert, ecdsaKey := a.issue("site", false, "site.test", "localhost")
		rsaCert, rsaKey := a.issue("rsa", true, "rsa.test")
		clientCert, clientKey := a.issue("someone", false)
		other := newIssuer(t)
		badCert, badKey := other.issue("nobody", false)
		site := "certificates: [{cert: " + ecdsaCert + ", key: " + ecdsaKey + "}, {cert: " + rsaCert + ", key: " + rsaKey + "}]"
		g := gate(t, engine, setup{listener: "protocols: [h1, h2], tls: {" + site + "}"})
		strict := gate(t, engine, setup{listener: "tls: {" + site + `, min_version: "1.3", curves: [P-256], client_auth: {mode: require, ca: ` + a.file + "}}"})
		ask := "GET /hello HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"
		client := func(addr, input string, args ...string) string {
			out, _ := tool(t, input, "openssl", append([]string{"s_client", "-connect", addr, "-CAfile", a.file, "-ign_eof", "-brief"}, args...)...)
			return out
		}
		for _, c := range []struct {
			args, want string
		}{
			{"-servername site.test", "TLSv1.3"},
			{"-tls1_2 -servername site.test", "TLSv1.2"},
			{"-servername site.test -ciphersuites TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
			{"-servername site.test -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"},
			{"-servername site.test -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
			{"-tls1_2 -servername site.test -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
			{"-tls1_2 -servername site.test -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
			{"-tls1_2 -servername site.test -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
			{"-tls1_2 -servername rsa.test -cipher ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
			{"-servername rsa.test", "RSA-PSS"},
			{"-servername site.test -groups X25519", "X25519"},
			{"-servername site.test -groups P-256", "prime256v1"},
			{"-servername site.test -groups P-384:P-256", "secp384r1"},
			{"-servername site.test -verify_return_error -verify_hostname site.test", "Verification: OK"},
		} {
			out := client(g.addr, ask, strings.Fields(c.args)...)
			require.Contains(t, out, c.want, c.args)
			require.Contains(t, out, "\r\n\r\nhello\n", c.args)
		}
		for _, c := range []struct{ args, want string }{
			{"-tls1_1 -cipher ALL:@SECLEVEL=0", "alert protocol version"},
			{"-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "alert handshake failure"},
			{"-tls1_2 -cipher AES128-GCM-SHA256", "alert handshake failure"},
			{"-groups secp521r1", "alert handshake failure"},
		} {
			require.Contains(t, client(g.addr, ask, strings.Fields(c.args)...), c.want, c.args)
		}

		// Resumption, in both versions.
		for _, version := range []string{"-tls1_3", "-tls1_2"} {
			session := filepath.Join(t.TempDir(), "session")
			out, _ := tool(t, ask, "openssl", "s_client", "-connect", g.addr, version, "-ign_eof", "-sess_out", session)
			require.Contains(t, out, "New, TLSv1.")
			out, _ = tool(t, ask, "openssl", "s_client", "-connect", g.addr, version, "-ign_eof", "-sess_in", session)
			require.Contains(t, out, "Reused, TLSv1.", version)
			require.Contains(t, out, "hello\n")
		}

		// HelloRetryRequest: the client's first share is for a group that the listener does not allow.
		cert := []string{"-cert", clientCert, "-key", clientKey}
		out := client(strict.addr, ask, append(cert, "-groups", "X25519:P-256")...)
		require.Contains(t, out, "ECDH, prime256v1")
		require.Contains(t, out, "hello\n")
		require.Contains(t, client(strict.addr, ask), "certificate required")
		require.Contains(t, client(strict.addr, ask, "-cert", badCert, "-key", badKey), "alert unknown ca")
		require.Contains(t, client(strict.addr, ask, "-tls1_2"), "alert protocol version")

		// curl, which checks names and speaks HTTP/2.
		_, port, _ := strings.Cut(g.addr, ":")
		url := "https://site.test:" + port + "/hello"
		curl := func(args ...string) (string, error) {
			return tool(t, "", "curl", append([]string{"-sS", "--max-time", "10", "--cacert", a.file, "--resolve", "site.test:" + port + ":127.0.0.1", "--resolve", "other.test:" + port + ":127.0.0.1"}, args...)...)
		}
		for _, c := range []struct{ args, want string }{
			{"--http1.1", "hello\n1.1"}, {"--http2", "hello\n2"}, {"--http1.1 --tls-max 1.2", "hello\n1.1"}, {"--http2 --tls-max 1.2", "hello\n2"},
		} {
			out, err := curl(append(strings.Fields(c.args), "-w", "%{http_version}", url)...)
			require.NoError(t, err, out)
			require.Equal(t, c.want, out, c.args)
		}
		out, err := curl("https://other.test:" + port + "/hello")
		require.Error(t, err)
		require.Contains(t, out, "other.test", "the certificate is for another name")
		big := strings.Repeat("x", 2<<20)
		file := filepath.Join(t.TempDir(), "big")
		require.NoError(t, os.WriteFile(file, []byte(big), 0o600))
		for _, version := range []string{"--http1.1", "--http2"} {
			out, err := curl(version, "--data-binary", "@"+file, "https://site.test:"+port+"/echo/x")
			require.NoError(t, err)
			require.True(t, out == big, "a large body both ways, %s", version)
		}
	})
}
