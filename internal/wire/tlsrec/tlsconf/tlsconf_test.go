package tlsconf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

var start = time.Now()

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
	file string
	next int64
}

func newAuthority(t testing.TB) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority " + t.TempDir()}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{cert: cert, key: key, dir: t.TempDir(), next: 2}
	a.file = a.write(t, "ca.crt", pemOf("CERTIFICATE", der))
	return a
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (a *authority) write(t testing.TB, name string, text []byte) string {
	path := filepath.Join(a.dir, name)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// issue writes an identity; its serial number is returned for staples.
func (a *authority) issue(t testing.TB, kind string, until time.Time, names ...string) (Certificate, *big.Int) {
	var key crypto.Signer
	var err error
	if kind == "rsa" {
		key, err = rsaKey()
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	require.NoError(t, err)
	serial := big.NewInt(a.next)
	a.next++
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "cn." + serial.String()}, DNSNames: names,
		NotBefore: start.Add(-time.Hour), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	base := "id" + serial.String()
	chain := append(pemOf("CERTIFICATE", der), pemOf("CERTIFICATE", a.cert.Raw)...)
	return Certificate{CertFile: a.write(t, base+".crt", chain), KeyFile: a.write(t, base+".key", pemOf("PRIVATE KEY", keyDER))}, serial
}

func (a *authority) staple(t testing.TB, serial *big.Int, status int, until time.Time) string {
	der, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
		Status: status, SerialNumber: serial, ThisUpdate: start.Add(-time.Minute), NextUpdate: until, RevokedAt: start,
	}, a.key)
	require.NoError(t, err)
	a.next++
	return a.write(t, "staple"+big.NewInt(a.next).String(), der)
}

func build(t testing.TB, s Server) *tls.Config {
	t.Helper()
	cfg, warnings, err := s.Build()
	require.NoError(t, err)
	require.Empty(t, warnings)
	return cfg
}

// shake runs a handshake in memory; the client reads one byte so that it has seen session tickets.
func shake(t testing.TB, server, client *tls.Config) (s, c *tlsrec.State, err error) {
	t.Helper()
	sc, cc := tlsrec.Server(server, tlsrec.Options{}), tlsrec.Client(client, tlsrec.Options{})
	defer sc.Close()
	defer cc.Close()
	var up, down []byte
	for range 20 {
		n, ev, err := cc.Receive(down)
		if err != nil {
			return nil, nil, err
		}
		down = down[n:]
		up = cc.AppendPending(up)
		if ev.Kind == tlsrec.Data {
			return sc.State(), cc.State(), nil
		}
		n, ev, err = sc.Receive(up)
		down = sc.AppendPending(down)
		if err != nil {
			return nil, nil, err
		}
		up = up[n:]
		if ev.Kind == tlsrec.Established {
			if down, err = sc.Seal(down, []byte("!")); err != nil {
				return nil, nil, err
			}
		}
	}
	t.Fatal("the handshake does not end")
	return nil, nil, nil
}

// ask is a client that checks the name itself, whatever it asks for.
func ask(name string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

func TestCertificateByServerName(t *testing.T) {
	a := newAuthority(t)
	hour := start.Add(time.Hour)
	first, _ := a.issue(t, "ecdsa", hour, "first.test", "also.first.test")
	wild, _ := a.issue(t, "ecdsa", hour, "*.Wild.test", "wild.test")
	exact, _ := a.issue(t, "ecdsa", hour, "exact.wild.test")
	open := build(t, Server{Certificates: []Certificate{first, wild, exact}})
	strict := build(t, Server{Certificates: []Certificate{first, wild, exact}, StrictSNI: true})
	for _, tc := range []struct {
		name, want string
		known      bool
	}{
		{"first.test", "first.test", true}, {"also.first.test", "first.test", true}, {"FIRST.test", "first.test", true},
		{"wild.test", "*.Wild.test", true}, {"a.wild.test", "*.Wild.test", true}, {"exact.wild.test", "exact.wild.test", true},
		{"a.b.wild.test", "first.test", false}, {"other.test", "first.test", false}, {"test", "first.test", false}, {"", "first.test", false},
	} {
		s, c, err := shake(t, open, ask(tc.name))
		require.NoError(t, err)
		assert.Equal(t, tc.want, c.PeerCertificates[0].DNSNames[0], tc.name)
		assert.Equal(t, strings.ToLower(tc.name), strings.ToLower(s.ServerName))
		_, _, err = shake(t, strict, ask(tc.name))
		if tc.known {
			require.NoError(t, err, tc.name)
			continue
		}
		var e *tlsrec.Error
		require.ErrorAs(t, err, &e, tc.name)
		assert.Equal(t, "no_certificate", e.Code)
	}
}

func TestCertificateByKindOfKey(t *testing.T) {
	a := newAuthority(t)
	ec, _ := a.issue(t, "ecdsa", start.Add(time.Hour), "two.test")
	rs, _ := a.issue(t, "rsa", start.Add(time.Hour), "two.test")
	cfg := build(t, Server{Certificates: []Certificate{ec, rs}})
	for suite, want := range map[uint16]x509.PublicKeyAlgorithm{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: x509.RSA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: x509.ECDSA,
	} {
		for _, name := range []string{"two.test", ""} {
			client := ask(name)
			client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{suite}
			_, c, err := shake(t, cfg, client)
			require.NoError(t, err)
			assert.Equal(t, want, c.PeerCertificates[0].PublicKeyAlgorithm)
		}
	}
}

func TestTicketsAreShared(t *testing.T) {
	a := newAuthority(t)
	id, _ := a.issue(t, "ecdsa", start.Add(time.Hour), "site.test")
	tickets := NewTickets()
	worker := func(tk *Tickets) *tls.Config { return build(t, Server{Certificates: []Certificate{id}, Tickets: tk}) }
	one, two := worker(tickets), worker(tickets)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := ask("site.test")
		client.MaxVersion = version
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		resumed := func(server *tls.Config) bool {
			s, c, err := shake(t, server, client)
			require.NoError(t, err)
			require.Equal(t, s.Resumed, c.Resumed)
			return s.Resumed
		}
		assert.False(t, resumed(one))
		assert.True(t, resumed(two), "another worker")
		for range keptKeys - 1 {
			tickets.Rotate()
			assert.True(t, resumed(one), "an old key still opens, and a ticket under the new one is given")
		}
		for range keptKeys {
			tickets.Rotate()
		}
		assert.False(t, resumed(one), "keys that old are forgotten")
		// A fleet: the same file, different processes.
		file := a.write(t, "keys", []byte("# keys\n\n"+strings.Repeat("ab", 32)+"\n"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n"))
		here, there := NewTickets(), NewTickets()
		require.NoError(t, here.LoadFile(file))
		require.NoError(t, there.LoadFile(file))
		resumed(worker(here))
		assert.True(t, resumed(worker(there)))
		assert.False(t, resumed(worker(NewTickets())))
		assert.False(t, resumed(worker(nil)))
	}
}

func TestTicketsWhileRotating(t *testing.T) {
	a := newAuthority(t)
	id, _ := a.issue(t, "ecdsa", start.Add(time.Hour), "site.test")
	tickets := NewTickets()
	cfg := build(t, Server{Certificates: []Certificate{id}, Tickets: tickets})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				tickets.Rotate()
			}
		}
	})
	for range 2 {
		client := ask("site.test")
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for range 5 {
			_, _, err := shake(t, cfg, client)
			require.NoError(t, err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestTicketKeyFiles(t *testing.T) {
	good := hex.EncodeToString(make([]byte, 32))
	for text, want := range map[string]string{
		"":                                   "no keys",
		"# nothing\n\n":                      "no keys",
		"abc":                                "line 1: expected 32 bytes",
		good + "\n" + good[2:]:               "line 2: expected 32 bytes",
		good + "\r\n# c\n" + good + "zz":     "line 3: expected",
		strings.Repeat(good+"\n", maxKeys+1): "line 17: more than 16 keys",
	} {
		_, err := ParseTicketKeys([]byte(text))
		require.ErrorContains(t, err, want)
	}
	keys, err := ParseTicketKeys([]byte(good + "\r\n\n" + good + "\n"))
	require.NoError(t, err)
	assert.Len(t, keys, 2)
	tk := NewTickets()
	require.Error(t, tk.Set(nil))
	require.Error(t, tk.LoadFile(filepath.Join(t.TempDir(), "none")))
	bad := filepath.Join(t.TempDir(), "bad")
	require.NoError(t, os.WriteFile(bad, []byte("x"), 0o600))
	require.ErrorContains(t, tk.LoadFile(bad), bad)
}

func TestStaples(t *testing.T) {
	a := newAuthority(t)
	hour := start.Add(time.Hour)
	id, serial := a.issue(t, "ecdsa", hour, "site.test")
	for _, tc := range []struct{ name, file, warning string }{
		{"good", a.staple(t, serial, ocsp.Good, hour), ""},
		{"revoked", a.staple(t, serial, ocsp.Revoked, hour), "revoked"},
		{"unknown", a.staple(t, serial, ocsp.Unknown, hour), "unknown to the issuer"},
		{"old", a.staple(t, serial, ocsp.Good, start.Add(-time.Second)), "valid until"},
		{"of another", a.staple(t, big.NewInt(999), ocsp.Good, hour), "another certificate"},
		{"garbage", a.write(t, "garbage", []byte("garbage")), "not stapled"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id.OCSPFile = tc.file
			s := Server{Certificates: []Certificate{id}}
			cfg, warnings, err := s.Build()
			require.NoError(t, err)
			var seen []byte
			client := ask("site.test")
			client.VerifyConnection = func(cs tls.ConnectionState) error { seen = cs.OCSPResponse; return nil }
			_, _, err = shake(t, cfg, client)
			require.NoError(t, err)
			if tc.warning == "" {
				assert.Empty(t, warnings)
				assert.NotEmpty(t, seen)
				return
			}
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], tc.warning)
			assert.Empty(t, seen)
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	hour := start.Add(time.Hour)
	id, _ := a.issue(t, "ecdsa", hour, "site.test")
	mine, _ := a.issue(t, "ecdsa", hour, "client.test")
	theirs, _ := stranger.issue(t, "ecdsa", hour, "client.test")
	for _, tc := range []struct {
		mode   ClientAuth
		shown  *Certificate
		served bool
	}{
		{NoClientCert, &mine, true}, {NoClientCert, nil, true},
		{OptionalClientCert, &mine, true}, {OptionalClientCert, nil, true}, {OptionalClientCert, &theirs, true},
		{RequireClientCert, &mine, true}, {RequireClientCert, nil, false}, {RequireClientCert, &theirs, false},
	} {
		s := Server{Certificates: []Certificate{id}, ClientAuth: tc.mode}
		if tc.mode != NoClientCert {
			s.ClientCAFile = a.file
		}
		client := Client{ServerName: "site.test", CAFile: a.file, Identity: tc.shown, Policy: Policy{MinVersion: "1.3"}}
		cfg, warnings, err := client.Build()
		require.NoError(t, err)
		require.Empty(t, warnings)
		state, _, err := shake(t, build(t, s), cfg)
		if !tc.served {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		// A client that is asked for certificates of certain authorities shows none of another.
		assert.Equal(t, tc.mode != NoClientCert && tc.shown == &mine, len(state.VerifiedChains) > 0)
	}
}

func TestClientVerifies(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	id, _ := a.issue(t, "ecdsa", start.Add(time.Hour), "site.test")
	server := build(t, Server{Certificates: []Certificate{id}, Policy: Policy{ALPN: []string{"h2", "http/1.1"}}, Tickets: NewTickets()})
	for _, tc := range []struct {
		client Client
		code   string
	}{
		{Client{ServerName: "site.test", CAFile: a.file, Policy: Policy{ALPN: []string{"h2"}}, Sessions: 1}, ""},
		{Client{ServerName: "other.test", CAFile: a.file}, "certificate_name_mismatch"},
		{Client{ServerName: "site.test", CAFile: stranger.file}, "certificate_unknown_authority"},
		{Client{ServerName: "site.test"}, "certificate_unknown_authority"},
		{Client{Insecure: true}, ""},
	} {
		cfg, _, err := tc.client.Build()
		require.NoError(t, err)
		_, _, err = shake(t, server, cfg)
		if tc.code == "" {
			require.NoError(t, err)
			continue
		}
		var e *tlsrec.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, tc.code, e.Code)
	}
}

func TestPolicy(t *testing.T) {
	a := newAuthority(t)
	id, _ := a.issue(t, "ecdsa", start.Add(time.Hour), "site.test")
	cfg := build(t, Server{Certificates: []Certificate{id}, Policy: Policy{
		Groups: []string{"P-256"}, Suites12: []string{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}}})
	client := ask("site.test")
	_, c, err := shake(t, cfg, client)
	require.NoError(t, err)
	assert.Equal(t, tls.CurveP256, c.Group)
	client.MaxVersion = tls.VersionTLS12
	_, c, err = shake(t, cfg, client)
	require.NoError(t, err)
	assert.Equal(t, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", c.SuiteName())
	assert.Contains(t, GroupNames(), "X25519MLKEM768")
	_, c, err = shake(t, build(t, Server{Certificates: []Certificate{id}}), ask("site.test"))
	require.NoError(t, err)
	assert.Equal(t, tls.X25519MLKEM768, c.Group)
}

func TestWhatIsRefused(t *testing.T) {
	a := newAuthority(t)
	hour := start.Add(time.Hour)
	id, _ := a.issue(t, "ecdsa", hour, "site.test")
	other, _ := a.issue(t, "ecdsa", hour, "other.test")
	nameless, _ := a.issue(t, "ecdsa", hour)
	missing := filepath.Join(a.dir, "missing")
	ids := []Certificate{id}
	for want, s := range map[string]Server{
		"needs a certificate":        {},
		"certificate: open":          {Certificates: []Certificate{{CertFile: missing, KeyFile: id.KeyFile}}},
		"private key: open":          {Certificates: []Certificate{{CertFile: id.CertFile, KeyFile: missing}}},
		"private key does not match": {Certificates: []Certificate{{CertFile: id.CertFile, KeyFile: other.KeyFile}}},
		"OCSP response: open":        {Certificates: []Certificate{{id.CertFile, id.KeyFile, missing}}},
		"has no DNS name":            {Certificates: []Certificate{nameless}, StrictSNI: true},
		"without its parsed leaf":    {Pairs: []*tls.Certificate{{}}},
		"expected 1.2 or 1.3":        {Certificates: ids, Policy: Policy{MinVersion: "1.1"}},
		"expected one of P-256":      {Certificates: ids, Policy: Policy{Groups: []string{"p256"}}},
		"expected one of TLS_ECDHE":  {Certificates: ids, Policy: Policy{Suites12: []string{"AES128-SHA"}}},
		"expected 1 to 255 bytes":    {Certificates: ids, Policy: Policy{ALPN: []string{""}}},
		"clients are not asked":      {Certificates: ids, ClientCAFile: a.file},
		"name the file":              {Certificates: ids, ClientAuth: RequireClientCert},
		"authorities: open":          {Certificates: ids, ClientAuth: RequireClientCert, ClientCAFile: missing},
		"contains no certificate":    {Certificates: ids, ClientAuth: OptionalClientCert, ClientCAFile: id.KeyFile},
	} {
		_, _, err := s.Build()
		require.ErrorContains(t, err, want)
	}
	for want, c := range map[string]Client{
		"needs the name":      {},
		"authorities: open":   {ServerName: "a", CAFile: missing},
		"certificate: open":   {ServerName: "a", Identity: &Certificate{CertFile: missing}},
		"expected 1.2 or 1.3": {ServerName: "a", Policy: Policy{MinVersion: "tls"}},
	} {
		_, _, err := c.Build()
		require.ErrorContains(t, err, want)
	}
	expired, _ := a.issue(t, "ecdsa", start.Add(-time.Minute), "site.test")
	s := Server{Certificates: []Certificate{expired}}
	_, warnings, err := s.Build()
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "expired at")
	s = Server{Certificates: ids, Now: start.Add(-2 * time.Hour)}
	_, warnings, err = s.Build()
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "not valid before")
}

func TestSelfSigned(t *testing.T) {
	pair, err := SelfSigned("localhost", "127.0.0.1", "::1")
	require.NoError(t, err)
	cfg := build(t, Server{Pairs: []*tls.Certificate{pair}})
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		client := ask(host)
		client.InsecureSkipVerify = false
		client.RootCAs = x509.NewCertPool()
		client.RootCAs.AddCert(pair.Leaf)
		_, _, err = shake(t, cfg, client)
		require.NoError(t, err, host)
	}
	_, err = SelfSigned()
	require.Error(t, err)
}
