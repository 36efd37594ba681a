package tlsrec

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payload is content of n bytes that is not the same everywhere.
func payload(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7)
	}
	return p
}

// TestAgainstCryptoTLS runs our server against crypto/tls's client, and our client against its server.
func TestAgainstCryptoTLS(t *testing.T) {
	cases := []struct {
		name  string
		edit  func(server, client *tls.Config)
		check func(t *testing.T, s *State)
		chunk int
	}{
		{name: "defaults", edit: func(s, c *tls.Config) {}, check: func(t *testing.T, s *State) {
			assert.Equal(t, tls.X25519MLKEM768, s.Group)
			assert.Equal(t, "TLSv1.3", s.VersionName())
		}},
		{name: "one byte at a time", edit: func(s, c *tls.Config) {}, chunk: 1},
		{name: "X25519", edit: func(s, c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }, check: func(t *testing.T, s *State) {
			assert.Equal(t, tls.X25519, s.Group)
		}},
		{name: "P-256", edit: func(s, c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} }, check: func(t *testing.T, s *State) {
			assert.Equal(t, tls.CurveP256, s.Group)
		}},
		{name: "HelloRetryRequest", edit: func(s, c *tls.Config) {
			s.CurvePreferences = []tls.CurveID{tls.CurveP384}
			c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
		}, check: func(t *testing.T, s *State) {
			assert.Equal(t, tls.CurveP384, s.Group)
			assert.True(t, s.Retried)
		}},
		{name: "client certificate", edit: func(s, c *tls.Config) {
			s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
			c.Certificates = []tls.Certificate{ca().issue(t, "client.test")}
		}},
		{name: "no tickets", edit: func(s, c *tls.Config) { s.SessionTicketsDisabled = true }},
		{name: "another config for the client", edit: func(s, c *tls.Config) {
			other := s.Clone()
			other.NextProtos = []string{"h2"}
			s.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return other, nil }
			c.NextProtos = []string{"h2"}
		}, check: func(t *testing.T, s *State) { assert.Equal(t, "h2", s.ALPN) }},
		{name: "TLS 1.2", edit: func(s, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, check: func(t *testing.T, s *State) {
			assert.Equal(t, "TLSv1.2", s.VersionName())
		}},
		{name: "TLS 1.2, one byte at a time", edit: func(s, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, chunk: 1},
		{name: "TLS 1.2, client certificate", edit: func(s, c *tls.Config) {
			s.MaxVersion = tls.VersionTLS12
			s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
			c.Certificates = []tls.Certificate{ca().issue(t, "client.test")}
		}},
	}
	for _, tc := range cases {
		for _, role := range []string{"server", "client"} {
			t.Run(tc.name+"/"+role, func(t *testing.T) {
				server, client := serverConfig(), clientConfig()
				tc.edit(server, client)
				a, b := tcpPair(t)
				var ours *Conn
				var theirs *tls.Conn
				if role == "server" {
					ours, theirs = Server(server, Options{Sizer: DefaultSizer}), tls.Client(b, client)
				} else {
					ours, theirs = Client(client, Options{}), tls.Server(b, server)
				}
				defer ours.Close()
				g := newGlue(ours, a)
				g.chunk = tc.chunk
				failed := make(chan error, 1)
				go func() { failed <- converse(theirs) }()
				require.NoError(t, g.handshake())
				g.chunk *= 1000
				require.NoError(t, g.echo())
				require.NoError(t, <-failed)
				if tc.check != nil {
					tc.check(t, ours.State())
				}
				if role == "server" {
					assert.Equal(t, "site.test", ours.State().ServerName)
				}
			})
		}
	}
}

// converse sends contents of several sizes, wants each back, and closes.
func converse(c *tls.Conn) error {
	for _, n := range []int{1, 1200, MaxPlaintext, 3*MaxPlaintext + 5, 100_000} {
		want, got := payload(n), make([]byte, n)
		sent := make(chan error, 1)
		go func() { _, err := c.Write(want); sent <- err }()
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if err := <-sent; err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			return errors.New("what came back is not what was sent")
		}
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return errors.New("no close_notify")
	}
	return nil
}

func TestSuites(t *testing.T) {
	// crypto/tls does not let TLS 1.3 suites be chosen, so what it would not agree on is covered by openssl and here.
	for _, id := range suiteIDs {
		t.Run(tls.CipherSuiteName(id), func(t *testing.T) {
			s, c := bare13(t, id)
			for _, n := range []int{1, 2, 1200, MaxPlaintext, MaxPlaintext + 1, 50_000} {
				want := payload(n)
				sealed, err := c.Seal(nil, want)
				require.NoError(t, err)
				assert.LessOrEqual(t, len(sealed), c.SealedLen(n))
				assert.Equal(t, want, opened(t, s, sealed))
			}
			require.NoError(t, c.UpdateKeys(true))
			sealed, err := c.Seal(nil, []byte("after"))
			require.NoError(t, err)
			assert.Equal(t, "after", string(opened(t, s, sealed)))
			assert.Equal(t, "answer", string(opened(t, c, must(s.Seal(nil, []byte("answer"))))))
			assert.NotEqual(t, byte(1), c.out.secret[0])
			assert.NotEqual(t, byte(2), c.in.secret[0])
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestPairInMemory(t *testing.T) {
	client := clientConfig()
	s, c, _ := pair(t, serverConfig(), client)
	assert.Equal(t, uint64(0), s.out.seq, "a client that keeps no sessions gets no ticket")
	assert.Nil(t, c.hs, "nothing of the handshake is kept")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	s, c, rest := pair(t, serverConfig(), client)
	assert.Equal(t, uint64(1), s.out.seq, "the session ticket has taken a sequence number")
	rest = append(rest, must(s.Seal(nil, []byte("hello")))...)
	assert.Equal(t, "hello", string(opened(t, c, rest)))
	assert.Equal(t, "http/1.1", s.State().ALPN)
	assert.Nil(t, s.hs, "nothing of the handshake is kept")
	assert.Nil(t, c.hs)
	require.Len(t, c.State().PeerCertificates, 1)
	assert.Equal(t, s.State().SuiteName(), c.State().SuiteName())
}

// TestResumption: sessions are kept by crypto/tls although the record layer, not crypto/tls, receives the tickets.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, mutual := range []bool{false, true} {
			server, client := serverConfig(), clientConfig()
			client.MaxVersion = version
			client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			if mutual {
				server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
				client.Certificates = []tls.Certificate{ca().issue(t, "client.test")}
			}
			for i := range 3 {
				s, c, rest := pair(t, server, client)
				assert.Equal(t, i > 0, s.State().Resumed)
				assert.Equal(t, i > 0, c.State().Resumed)
				assert.Equal(t, mutual && i == 0, c.State().Asked)
				rest = append(rest, must(s.Seal(nil, []byte("hello")))...)
				assert.Equal(t, "hello", string(opened(t, c, rest)))
				assert.Equal(t, "up", string(opened(t, s, must(c.Seal(nil, []byte("up"))))))
				if version == tls.VersionTLS13 {
					assert.Nil(t, c.hs, "content has come, so the handshake is dropped")
				}
				if mutual {
					assert.Equal(t, "client.test", s.State().PeerCertificates[0].Subject.CommonName)
				}
			}
		}
	}
}

// TestClientChoosesItsCertificate: noting that the server asks changes nothing about the answer.
func TestClientChoosesItsCertificate(t *testing.T) {
	first, second := ca().issue(t, "first.test"), ca().issue(t, "second.test")
	other := first
	other.Certificate = siteCert().Certificate
	other.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.PKCS1WithSHA256} // which TLS 1.3 does not know
	for want, choose := range map[string]func(*tls.Config){
		"":            func(*tls.Config) {},
		"first.test":  func(c *tls.Config) { c.Certificates = []tls.Certificate{first, second} },
		"second.test": func(c *tls.Config) { c.Certificates = []tls.Certificate{other, second, first} },
		"site.test": func(c *tls.Config) {
			c.Certificates = []tls.Certificate{first}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { own := siteCert(); return &own, nil }
		},
	} {
		server, client := serverConfig(), clientConfig()
		server.ClientAuth = tls.RequestClientCert
		choose(client)
		s, c, _ := pair(t, server, client)
		assert.True(t, c.State().Asked)
		got := ""
		if p := s.State().PeerCertificates; len(p) > 0 {
			got = p[0].Subject.CommonName
		}
		assert.Equal(t, want, got)
	}
}

// TestLockedThread: a loop's goroutine is locked to its thread, and the coroutine must live with that.
func TestLockedThread(t *testing.T) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			s, c, _ := pair(t, serverConfig(), clientConfig())
			assert.Equal(t, "x", string(opened(t, s, must(c.Seal(nil, []byte("x"))))))
			waiting := Server(serverConfig(), Options{})
			_, _, err := waiting.Receive([]byte{22})
			assert.NoError(t, err)
			waiting.Close()
		})
	}
	wg.Wait()
}

// TestManyHandshakesAtOnce runs handshakes turn by turn on one goroutine, as a worker does.
func TestManyHandshakesAtOnce(t *testing.T) {
	const n = 20
	server := serverConfig()
	conns := make([]*Conn, n)
	clients := make([]net.Conn, n)
	for i := range conns {
		conns[i] = Server(server, Options{})
		a, b := net.Pipe()
		clients[i] = a
		go func() {
			c := tls.Client(b, clientConfig())
			_ = c.Handshake()
		}()
	}
	hellos := make([][]byte, n)
	for i := range conns {
		buf := make([]byte, 4096)
		k, err := clients[i].Read(buf)
		require.NoError(t, err)
		hellos[i] = buf[:k]
	}
	for at := 0; at < 4096; at += 400 {
		for i, c := range conns {
			if at < len(hellos[i]) {
				_, ev, err := c.Receive(hellos[i][:min(at+400, len(hellos[i]))])
				require.NoError(t, err)
				require.Equal(t, NeedMore, ev.Kind)
			}
		}
	}
	for i, c := range conns {
		assert.Greater(t, c.Pending(), 500, "the server's flight")
		c.Close()
		clients[i].Close()
	}
}

// TestContentRightBehindTheHandshake: what a client sends together with its Finished is not for crypto/tls to read.
func TestContentRightBehindTheHandshake(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := clientConfig()
		client.MaxVersion = version
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		s, c := Server(serverConfig(), Options{}), Client(client, Options{})
		t.Cleanup(s.Close)
		t.Cleanup(c.Close)
		var up, down []byte
		for c.State() == nil {
			n, _, err := c.Receive(down)
			require.NoError(t, err)
			down = down[n:]
			up = c.AppendPending(up)
			if c.State() != nil {
				break
			}
			n, _, err = s.Receive(up)
			require.NoError(t, err)
			up = up[n:]
			down = s.AppendPending(down)
		}
		up = must(c.Seal(up, []byte("content")))
		c.CloseNotify()
		up = c.AppendPending(up)
		var kinds []Kind
		for {
			n, ev, err := s.Receive(up)
			require.NoError(t, err)
			up = up[n:]
			kinds = append(kinds, ev.Kind)
			if ev.Kind == Data {
				require.Equal(t, "content", string(ev.Data))
			}
			if ev.Kind == Closed || ev.Kind == NeedMore {
				break
			}
		}
		if version == tls.VersionTLS13 {
			assert.Equal(t, []Kind{Established, Data, Closed}, kinds)
			assert.Empty(t, up)
		} else {
			// The client of TLS 1.2 is done last, so its content was behind the server's end.
			assert.Contains(t, kinds, Data)
		}
	}
}
