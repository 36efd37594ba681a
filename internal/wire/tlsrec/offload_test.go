package tlsrec

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rsaCert is an identity whose key is slow.
var rsaCert = sync.OnceValue(func() *tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(9), DNSNames: []string{"site.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca().cert, key.Public(), ca().key)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func offloading() *tls.Config {
	cfg := serverConfig()
	cfg.Certificates = nil
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return rsaCert(), nil }
	return cfg
}

func anyKey(crypto.Signer) bool { return true }

func TestOffload(t *testing.T) {
	chosen := serverConfig()
	chosen.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return offloading(), nil }
	for name, server := range map[string]*tls.Config{"plain": offloading(), "config for the client": chosen} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+"/"+tls.VersionName(version), func(t *testing.T) {
				client := clientConfig()
				client.MaxVersion = version
				s, c := Server(server, Options{Offload: anyKey}), Client(client, Options{})
				defer s.Close()
				defer c.Close()
				_, _, err := c.Receive(nil)
				require.NoError(t, err)
				hello := c.AppendPending(nil)
				n, ev, err := s.Receive(hello)
				require.NoError(t, err)
				require.Equal(t, Working, ev.Kind)
				require.Equal(t, len(hello), n)
				for range 3 {
					n, again, err := s.Receive([]byte("not looked at"))
					require.NoError(t, err)
					require.Equal(t, Working, again.Kind)
					require.Nil(t, again.Work, "it is to be done once")
					require.Zero(t, n)
				}
				done := make(chan struct{})
				go func() { ev.Work(); close(done) }()
				<-done
				var up []byte
				for s.State() == nil || c.State() == nil {
					n, _, err := s.Receive(up)
					require.NoError(t, err)
					up = up[n:]
					down := s.AppendPending(nil)
					for {
						n, ev, err := c.Receive(down)
						require.NoError(t, err)
						if down = down[n:]; ev.Kind == NeedMore {
							break
						}
					}
					up = c.AppendPending(up)
				}
				assert.Equal(t, "x", string(opened(t, s, must(c.Seal(nil, []byte("x"))))))
			})
		}
	}
}

func TestOffloadIsCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	hello := firstFlight(t, clientConfig())
	for range 10 {
		s := Server(offloading(), Options{Offload: anyKey})
		_, ev, err := s.Receive(hello)
		require.NoError(t, err)
		s.Close()
		ev.Work() // late, and harmless
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// badKey cannot sign.
type badKey struct{ *rsa.PrivateKey }

func (badKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key is away")
}

func TestOffloadFails(t *testing.T) {
	cfg := offloading()
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := *rsaCert()
		c.PrivateKey = badKey{c.PrivateKey.(*rsa.PrivateKey)}
		return &c, nil
	}
	s := Server(cfg, Options{Offload: anyKey})
	_, ev, err := s.Receive(firstFlight(t, clientConfig()))
	require.NoError(t, err)
	ev.Work()
	_, _, err = s.Receive(nil)
	require.ErrorContains(t, err, "the key is away")
}
