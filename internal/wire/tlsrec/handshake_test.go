package tlsrec

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// firstFlight is what a client begins with.
func firstFlight(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	c := Client(cfg, Options{})
	defer c.Close()
	_, ev, err := c.Receive(nil)
	require.NoError(t, err)
	require.Equal(t, NeedMore, ev.Kind)
	return c.AppendPending(nil)
}

// TestHandshakesThatFail: what each side sees, by label, and that the alert reaches the peer.
func TestHandshakesThatFail(t *testing.T) {
	cases := []struct {
		name           string
		edit           func(server, client *tls.Config)
		server, client string // codes, "" for a handshake that this side believes in
	}{
		{"no common version", func(s, c *tls.Config) { s.MinVersion, c.MaxVersion = tls.VersionTLS13, tls.VersionTLS12 }, "protocol_version", "remote_protocol_version"},
		{"no common suite", func(s, c *tls.Config) {
			s.MaxVersion = tls.VersionTLS12
			s.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
		}, "no_cipher_suite", "remote_handshake_failure"},
		{"no common group", func(s, c *tls.Config) {
			s.CurvePreferences, c.CurvePreferences = []tls.CurveID{tls.X25519}, []tls.CurveID{tls.CurveP256}
		}, "no_group", "remote_handshake_failure"},
		{"no common ALPN", func(s, c *tls.Config) { c.NextProtos = []string{"x"} }, "no_application_protocol", "remote_no_application_protocol"},
		{"no certificate for the name", func(s, c *tls.Config) {
			s.Certificates = nil
			s.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}, "no_certificate", "remote_unrecognized_name"},
		{"client does not trust the issuer", func(s, c *tls.Config) { c.RootCAs = x509.NewCertPool() }, "remote_bad_certificate", "certificate_unknown_authority"},
		{"client wants another name", func(s, c *tls.Config) { c.ServerName = "other.test" }, "remote_bad_certificate", "certificate_name_mismatch"},
		{"client certificate is missing", func(s, c *tls.Config) {
			s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
		}, "certificate_required", ""},
		{"client certificate of a stranger", func(s, c *tls.Config) {
			s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			c.Certificates = []tls.Certificate{ca().issue(t, "client.test")}
		}, "certificate_unknown_authority", ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			server, client := serverConfig(), clientConfig()
			tc.edit(server, client)
			a, b := tcpPair(t)
			s, c := newGlue(Server(server, Options{}), a), newGlue(Client(client, Options{}), b)
			defer s.c.Close()
			defer c.c.Close()
			served := make(chan error, 1)
			go func() { served <- s.handshake() }()
			clientErr, serverErr := c.handshake(), <-served
			check := func(code string, err error) {
				if code == "" {
					require.NoError(t, err)
					return
				}
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, code, e.Code, e.Error())
				assert.Equal(t, strings.HasPrefix(code, "remote_"), e.Received)
				assert.NotContains(t, e.Detail, "tls: ")
				assert.Error(t, e.Cause)
			}
			check(tc.server, serverErr)
			check(tc.client, clientErr)
			if tc.client == "" {
				// TLS 1.3: the client was done before the server looked at its certificate.
				_, err := c.next()
				var e *Error
				require.ErrorAs(t, err, &e)
				assert.True(t, e.Received, e.Error())
			}
		})
	}
}

func TestNotTLS(t *testing.T) {
	for _, in := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x80\x2e\x01\x03\x01", "\x00\x00\x00\x00\x00", strings.Repeat("\xff", 100)} {
		s := Server(serverConfig(), Options{})
		_, _, err := s.Receive([]byte(in))
		var e *Error
		require.ErrorAs(t, err, &e, "%q", in)
		assert.Equal(t, "not_tls", e.Code)
		s.Close()
	}
	s := Server(serverConfig(), Options{})
	_, _, err := s.Receive([]byte{22, 3, 1, 0xff, 0xff}) // refused by its header: nobody waits for 64 KiB
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, AlertRecordOverflow, e.Alert)
	assert.Positive(t, s.Pending())
	s.Close()
}

// TestHandshakeIsBounded: a ClientHello of 60,000 bytes in many records is within the limits of crypto/tls, not of ours.
func TestHandshakeIsBounded(t *testing.T) {
	s := Server(serverConfig(), Options{MaxHandshakeBytes: 8 << 10})
	defer s.Close()
	input := []byte{22, 3, 1, 0x10, 0, 1, 0, 0xea, 0x60}
	input = append(input, make([]byte, 0x1000-4)...)
	for range 10 {
		input = append(append(input, 22, 3, 1, 0x10, 0), make([]byte, 0x1000)...)
	}
	_, _, err := s.Receive(input)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "handshake_too_long", e.Code)
}

// TestHandshakeCutAtEveryByte: the handshake waits, can be cancelled there, and the transport's end is an error.
func TestHandshakeCutAtEveryByte(t *testing.T) {
	cfg := clientConfig()
	cfg.CurvePreferences = []tls.CurveID{tls.X25519}
	hello := firstFlight(t, cfg)
	server := serverConfig()
	for i := range hello {
		s := Server(server, Options{})
		n, ev, err := s.Receive(hello[:i])
		require.NoError(t, err)
		require.Zero(t, n, "a record is taken as a whole")
		require.Equal(t, NeedMore, ev.Kind)
		require.Greater(t, ev.Need, i)
		require.Zero(t, s.Pending())
		require.Error(t, s.EOF())
		s.Close()
	}
}

// TestNoGoroutineIsLeft: neither a finished, nor a failed, nor a cancelled handshake leaves a coroutine behind.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	hello := firstFlight(t, clientConfig())
	server := serverConfig()
	for range 50 {
		never := Server(server, Options{})
		never.Close()
		waiting := Server(server, Options{})
		_, _, err := waiting.Receive(hello)
		require.NoError(t, err)
		waiting.Close()
		failed := Server(server, Options{})
		_, _, err = failed.Receive([]byte("GET / HTTP/1.1"))
		require.Error(t, err)
		s, c, _ := pair(t, server, clientConfig())
		require.Nil(t, s.hs)
		require.Nil(t, c.hs)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// TestSlowPathErrors: TLS 1.2 after the handshake.
func TestSlowPathErrors(t *testing.T) {
	client := clientConfig()
	client.MaxVersion = tls.VersionTLS12
	code := func(input func(s, c *Conn) []byte) (*Conn, *Conn, string) {
		s, c, rest := pair(t, serverConfig(), client)
		require.Empty(t, rest)
		in := input(s, c)
		for {
			n, ev, err := s.Receive(in)
			var e *Error
			if errors.As(err, &e) {
				require.Empty(t, ev.Data)
				return s, c, e.Code
			}
			require.NoError(t, err)
			in = in[n:]
			if ev.Kind != Data {
				return s, c, "none"
			}
		}
	}
	good := func(s, c *Conn) []byte { return must(c.Seal(nil, payload(50))) }
	s, c, got := code(func(s, c *Conn) []byte { b := good(s, c); b[len(b)-1] ^= 1; return b })
	assert.Equal(t, "bad_record_mac", got)
	_, _, err := c.Receive(s.AppendPending(nil))
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "remote_bad_record_mac", e.Code)
	_, _, got = code(func(s, c *Conn) []byte { return []byte{23, 3, 3, 0xff, 0} })
	assert.Equal(t, "record_overflow", got)
	_, _, got = code(func(s, c *Conn) []byte { b := good(s, c); b[0] = 99; return b })
	assert.NotEqual(t, "none", got)
	// A renegotiation is refused.
	_, _, got = code(func(s, c *Conn) []byte { b := good(s, c); b[0] = 22; return b })
	assert.NotEqual(t, "none", got)

	s, c, _ = pair(t, serverConfig(), client)
	rec := good(s, c)
	for i := range rec {
		n, ev, err := s.Receive(bytes.Clone(rec[:i]))
		require.NoError(t, err)
		require.Zero(t, n)
		require.Greater(t, ev.Need, i)
	}
	rec = must(c.Seal(rec, []byte("second")))
	c.CloseNotify()
	rec = c.AppendPending(rec)
	want := append(payload(50), "second"...)
	assert.Equal(t, want, opened(t, s, rec))
	require.NoError(t, s.EOF())
	_, err = c.Seal(nil, []byte("x"))
	require.Error(t, err)
	require.Error(t, c.UpdateKeys(true))
	require.LessOrEqual(t, len(must(s.Seal(nil, payload(40_000)))), s.SealedLen(40_000))
}

// TestKeyUpdateWithCryptoTLS: crypto/tls answers requests.
func TestKeyUpdateWithCryptoTLS(t *testing.T) {
	a, b := tcpPair(t)
	peer := tls.Client(b, clientConfig())
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(peer, peer)
		done <- errors.Join(err, peer.CloseWrite())
	}()
	g := newGlue(Server(serverConfig(), Options{}), a)
	defer g.c.Close()
	require.NoError(t, g.handshake())
	for i := range 10 {
		in, out := g.c.in.secret, g.c.out.secret
		require.NoError(t, g.c.UpdateKeys(i%2 == 0))
		require.NoError(t, g.write(payload(100)))
		got, err := g.read(100)
		require.NoError(t, err)
		require.Equal(t, payload(100), got)
		require.NotEqual(t, out, g.c.out.secret)
		require.Equal(t, i%2 == 0, in != g.c.in.secret)
	}
	g.c.CloseNotify()
	require.NoError(t, g.flush())
	_, err := g.read(1)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, <-done)
}

// TestSecretsOfAnotherConnection: lines that do not belong together are not believed.
func TestSecretsOfAnotherConnection(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	other := strings.Repeat("cd", 32)
	var s secrets
	for _, line := range []string{
		"CLIENT_HANDSHAKE_TRAFFIC_SECRET " + hex + " " + hex + "\n",
		"CLIENT_TRAFFIC_SECRET_0 " + hex + " " + hex + "\n",
		"SERVER_TRAFFIC_SECRET_0 " + other + " " + hex + "\n",
		"SERVER_TRAFFIC_SECRET_0 zz\n",
		"SERVER_TRAFFIC_SECRET_0 " + hex + " " + strings.Repeat("ab", 49) + "\n",
		"SERVER_TRAFFIC_SECRET_0 " + hex + " zz\n",
		"SERVER_TRAFFIC_SECRET_0 " + strings.Repeat("zz", 32) + " " + hex + "\n",
		"", "\n",
	} {
		n, err := s.Write([]byte(line))
		require.NoError(t, err)
		require.Len(t, line, n)
	}
	assert.Equal(t, 32, s.clientLen)
	assert.Zero(t, s.serverLen)
	h := &handshake{secrets: s}
	assert.ErrorIs(t, h.keys(new(half), new(half), tls.TLS_AES_128_GCM_SHA256), errNoSecrets)
	s.wipe()
	assert.Zero(t, s)
}
