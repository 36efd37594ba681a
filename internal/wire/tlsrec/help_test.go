package tlsrec

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority is a certificate authority that lives as long as the test binary.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var ca = sync.OnceValue(func() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
})

// issue makes a certificate for names.
func (a *authority) issue(t testing.TB, names ...string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var siteCert = sync.OnceValue(func() tls.Certificate { return ca().issue(&testing.T{}, "site.test") })

func serverConfig() *tls.Config {
	cfg := &tls.Config{Certificates: []tls.Certificate{siteCert()}, NextProtos: []string{"h2", "http/1.1"}}
	cfg.SetSessionTicketKeys([][32]byte{{1}})
	return cfg
}

func clientConfig() *tls.Config {
	return &tls.Config{RootCAs: ca().pool, ServerName: "site.test", NextProtos: []string{"http/1.1"}}
}

// glue runs a Conn over a blocking connection, as a loop would over completions: what arrives goes into a buffer of
// MaxRecord bytes, what is pending is written.
type glue struct {
	c    *Conn
	sock io.ReadWriter
	buf  []byte
	have int
	out  []byte
	// chunk bounds what one read takes, 0 for no bound.
	chunk int
	// event is told of everything but data.
	kinds []Kind
}

func newGlue(c *Conn, sock io.ReadWriter) *glue {
	return &glue{c: c, sock: sock, buf: make([]byte, MaxRecord)}
}

func (g *glue) flush() error {
	g.out = g.c.AppendPending(g.out[:0])
	if len(g.out) == 0 {
		return nil
	}
	_, err := g.sock.Write(g.out)
	return err
}

// next returns the next event other than NeedMore; data is copied.
func (g *glue) next() (Event, error) {
	for {
		n, ev, err := g.c.Receive(g.buf[:g.have])
		ev.Data = bytes.Clone(ev.Data)
		g.have = copy(g.buf, g.buf[n:g.have])
		if werr := g.flush(); werr != nil && err == nil {
			err = werr
		}
		if err != nil {
			return ev, err
		}
		if ev.Kind != NeedMore {
			g.kinds = append(g.kinds, ev.Kind)
			return ev, nil
		}
		if ev.Need <= g.have {
			return ev, errors.New("asks for no more than it has")
		}
		room := g.buf[g.have:]
		if g.chunk > 0 && len(room) > g.chunk {
			room = room[:g.chunk]
		}
		r, err := g.sock.Read(room)
		g.have += r
		if r == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				if err := g.c.EOF(); err != nil {
					return Event{}, err
				}
				return Event{Kind: Closed}, nil
			}
			return Event{}, err
		}
	}
}

func (g *glue) handshake() error {
	ev, err := g.next()
	if err == nil && ev.Kind != Established {
		err = errors.New("no handshake")
	}
	return err
}

func (g *glue) read(n int) ([]byte, error) {
	var got []byte
	for len(got) < n {
		ev, err := g.next()
		if err != nil {
			return got, err
		}
		if ev.Kind == Closed {
			return got, io.EOF
		}
		got = append(got, ev.Data...)
	}
	return got, nil
}

func (g *glue) write(p []byte) error {
	var err error
	if g.out, err = g.c.Seal(g.out[:0], p); err != nil {
		return err
	}
	_, err = g.sock.Write(g.out)
	return err
}

// echo answers everything with itself until the peer closes.
func (g *glue) echo() error {
	for {
		ev, err := g.next()
		if err != nil {
			return err
		}
		switch ev.Kind {
		case Data:
			if err := g.write(ev.Data); err != nil {
				return err
			}
		case Closed:
			g.c.CloseNotify()
			return g.flush()
		}
	}
}

// tcpPair is a connected pair of sockets with room for what tests send without reading.
func tcpPair(t testing.TB) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	a, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b, err = l.Accept()
	require.NoError(t, err)
	for _, c := range []net.Conn{a, b} {
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		t.Cleanup(func() { c.Close() })
	}
	return a, b
}

// pair shakes hands between our server and our client in memory and returns both. Tickets are still on their way.
func pair(t testing.TB, server, client *tls.Config) (s, c *Conn, toClient []byte) {
	t.Helper()
	s, c = Server(server, Options{}), Client(client, Options{})
	t.Cleanup(s.Close)
	t.Cleanup(c.Close)
	var toServer []byte
	for range 20 {
		if s.State() != nil && c.State() != nil {
			return s, c, toClient
		}
		if c.State() == nil {
			n, _, err := c.Receive(toClient)
			require.NoError(t, err)
			toClient = toClient[n:]
			toServer = c.AppendPending(toServer)
		}
		if s.State() == nil {
			n, _, err := s.Receive(toServer)
			require.NoError(t, err)
			toServer = toServer[n:]
			toClient = s.AppendPending(toClient)
		}
	}
	t.Fatal("the handshake does not end")
	return nil, nil, nil
}

// opened gives input to c and returns all content.
func opened(t testing.TB, c *Conn, input []byte) []byte {
	t.Helper()
	var got []byte
	for {
		n, ev, err := c.Receive(input)
		require.NoError(t, err)
		got = append(got, ev.Data...)
		input = input[n:]
		if ev.Kind == NeedMore || ev.Kind == Closed {
			return got
		}
	}
}

// bare13 returns two established Conns with given secrets, without a handshake.
func bare13(t testing.TB, id uint16) (s, c *Conn) {
	t.Helper()
	su, err := suiteByID(id)
	require.NoError(t, err)
	up, down := bytes.Repeat([]byte{1}, su.hashLen), bytes.Repeat([]byte{2}, su.hashLen)
	s, c = &Conn{phase: phaseRecords, server: true, state: &State{}}, &Conn{phase: phaseRecords, state: &State{}}
	require.NoError(t, s.in.set(su, up, 0))
	require.NoError(t, s.out.set(su, down, 0))
	require.NoError(t, c.in.set(su, down, 0))
	require.NoError(t, c.out.set(su, up, 0))
	return s, c
}

var suiteIDs = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
