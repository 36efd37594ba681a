//go:build linux

package secure

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// identity makes a self-signed certificate with a key of the kind.
func identity(kind string) *tls.Certificate {
	if kind == "ecdsa" {
		c, err := tlsconf.SelfSigned("site.test", "localhost", "127.0.0.1")
		if err != nil {
			panic(err)
		}
		return c
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "site.test"}, DNSNames: []string{"site.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

var (
	ecdsaPair = sync.OnceValue(func() *tls.Certificate { return identity("ecdsa") })
	rsaPair   = sync.OnceValue(func() *tls.Certificate { return identity("rsa") })
	otherKey  = sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func serverConfig(t testing.TB, pair *tls.Certificate) *Config {
	t.Helper()
	s := tlsconf.Server{Pairs: []*tls.Certificate{pair}, Tickets: tlsconf.NewTickets()}
	cfg, _, err := s.Build()
	require.NoError(t, err)
	return NewConfig(cfg)
}

func clientConfig(t testing.TB, version string) *Config {
	t.Helper()
	c := tlsconf.Client{ServerName: "site.test", Insecure: true, Sessions: 4}
	cfg, _, err := c.Build()
	require.NoError(t, err)
	if version == "1.2" {
		cfg.MaxVersion = tls.VersionTLS12
	}
	return NewConfig(cfg)
}

// world is one loop on a fake kernel with both ends of its connections on it.
type world struct {
	t     *testing.T
	k     *looptest.Kernel
	l     loop.Loop
	pool  *flow.Pool
	count telemetry.Counters
	env   *Env
	rnd   *mrand.Rand

	server *Config
	addr   loop.Addr
	ends   []*end
	setup  func(*end) // of accepted ends
	peer   *looptest.Peer
}

var listenAt = loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:443")}

var elsewhere = loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:444")}

func newWorld(t *testing.T, seed uint64, f looptest.Faults) *world {
	t.Helper()
	w := &world{t: t, k: looptest.NewKernel(seed, f), rnd: mrand.New(mrand.NewPCG(seed, 7)), addr: listenAt}
	l, err := w.k.Loop(loop.Options{BufferSize: 2048, Buffers: 64})
	require.NoError(t, err)
	w.l = l
	w.pool = flow.NewPool(8<<10, 64<<10, 8<<20)
	w.env = NewEnv(l, w.pool, &w.count)
	w.server = serverConfig(t, ecdsaPair())
	l.Listen(w.k.ListenFD(w.addr), w)
	return w
}

// OnAccept implements loop.Acceptor.
func (w *world) OnAccept(fd int) {
	e := &end{w: w, server: true}
	e.l = w.l
	e.id = w.l.Attach(fd, e)
	w.ends = append(w.ends, e)
	if w.setup != nil {
		w.setup(e)
	}
	e.recv = multi
	w.l.StartRecv(e.id)
}

func (w *world) OnAcceptError(error) {}
func (w *world) OnListenClosed()     {}

// dial starts a client.
func (w *world) dial(cfg *Config) *end {
	e := &end{w: w}
	c := w.env.Dial(cfg, "peer", w.addr, e)
	e.l, e.id, e.tls = c, c.ID(), c
	w.ends = append(w.ends, e)
	return e
}

// until runs the kernel until cond.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	require.NoError(w.t, w.k.RunUntil(cond, time.Minute), what)
}

// patiently is until where other goroutines work for the loop.
func (w *world) patiently(what string, cond func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); {
		_, err := w.k.Step()
		require.NoError(w.t, err)
		runtime.Gosched()
		require.True(w.t, time.Now().Before(end), what)
	}
}

// idle checks that nothing is left when all ends are closed.
func (w *world) idle() {
	w.t.Helper()
	for _, e := range w.ends {
		e.close()
	}
	w.until("all closed", func() bool {
		for _, e := range w.ends {
			if e.closed == 0 {
				return false
			}
		}
		return true
	})
	require.Zero(w.t, w.pool.InUse())
	require.Zero(w.t, w.count.DownstreamTLS.Active)
	require.Zero(w.t, w.count.UpstreamTLS.Active)
	require.Zero(w.t, w.env.Handshakes())
	require.Zero(w.t, w.env.Waiting())
	require.Zero(w.t, w.env.lingering.n)
	require.Zero(w.t, w.l.Stats().Sockets)
}

const (
	off = iota
	multi
	stopping
	into
)

// end is the connection above: it checks the rules of the loop while it uses it.
type end struct {
	w      *world
	l      loop.Loop
	id     loop.ID
	tls    *Conn
	server bool

	up, ended, closed, sends int
	upErr, endErr, sendErr   error
	sent                     int
	recv                     int
	buf                      []byte
	got                      []byte
	sending                  bool
	closing                  bool
	onRecv                   func([]byte)
	onSend                   func()
	onUp                     func()
	restless                 bool // changes the way it receives at random
}

func (e *end) OnConnect(err error) {
	e.w.t.Helper()
	require.Zero(e.w.t, e.up, "OnConnect twice")
	e.up++
	e.upErr = err
	if err != nil {
		e.close()
		return
	}
	if !e.server {
		e.recv = multi
		e.l.StartRecv(e.id)
	}
	if e.onUp != nil {
		e.onUp()
	}
}

func (e *end) OnRecv(p []byte) {
	t := e.w.t
	require.Zero(t, e.closed)
	require.Zero(t, e.ended, "OnRecv after OnRecvEnd")
	require.NotEmpty(t, p)
	require.False(t, e.closing, "OnRecv after Close")
	if e.tls == nil && e.server {
		e.tls = e.w.env.Serve(e.w.server, e.id, e)
		e.l = e.tls
		e.tls.OnRecv(p)
		return
	}
	require.Equal(t, 1, e.up, "content before OnConnect")
	require.NotEqual(t, off, e.recv, "content that nobody asked for")
	if e.recv == into {
		require.True(t, &p[0] == &e.buf[0] && len(p) <= len(e.buf), "RecvInto is exact")
		e.recv = off
	}
	e.got = append(e.got, p...)
	if e.onRecv != nil {
		e.onRecv(p)
	}
	e.wander()
}

// wander changes the way of receiving.
func (e *end) wander() {
	if e.closing || e.ended > 0 {
		return
	}
	if !e.restless {
		if e.recv == off {
			e.recv = multi
			e.l.StartRecv(e.id)
		}
		return
	}
	switch e.recv {
	case multi:
		if e.w.rnd.IntN(3) == 0 {
			e.recv = stopping
			e.l.StopRecv(e.id)
		}
	case stopping:
		if e.w.rnd.IntN(4) == 0 {
			e.recv = multi
			e.l.StartRecv(e.id)
		}
	case off:
		switch e.w.rnd.IntN(3) {
		case 0:
			e.recv = multi
			e.l.StartRecv(e.id)
		case 1:
			e.recv = into
			sizes := []int{1, 10, 1000, 16384, 40000}
			e.buf = make([]byte, sizes[e.w.rnd.IntN(len(sizes))])
			e.l.RecvInto(e.id, e.buf)
		default: // later, from outside of any callback of this connection
			e.w.l.Post(e.wander)
		}
	}
}

func (e *end) OnRecvEnd(err error) {
	require.Zero(e.w.t, e.ended, "OnRecvEnd twice")
	e.ended++
	e.endErr = err
	e.recv = off
}

func (e *end) OnRecvStopped() {
	require.Equal(e.w.t, stopping, e.recv, "OnRecvStopped that nobody waits for")
	require.Zero(e.w.t, e.ended)
	e.recv = off
	e.wander()
}

func (e *end) OnSend(n int, err error) {
	require.True(e.w.t, e.sending)
	e.sending = false
	e.sends++
	e.sent += n
	e.sendErr = err
	if e.onSend != nil && err == nil {
		e.onSend()
	}
}

func (e *end) OnClose() {
	require.Zero(e.w.t, e.closed)
	require.True(e.w.t, e.closing)
	e.closed++
}

func (e *end) send(p []byte) {
	e.sending = true
	e.l.Send(e.id, p)
}

func (e *end) close() {
	if !e.closing {
		e.closing = true
		e.l.Close(e.id)
	}
}

// stream sends p in pieces of random size, each when the one before has left.
func (e *end) stream(p []byte) {
	e.onSend = func() {
		if len(p) == 0 || e.closing {
			return
		}
		n := min(len(p), 1+e.w.rnd.IntN(100_000))
		if e.w.rnd.IntN(2) == 0 {
			n = min(n, 1+e.w.rnd.IntN(500))
		}
		b := p[:n]
		p = p[n:]
		e.send(b)
	}
	e.onSend()
}

func pattern(n, salt int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + salt)
	}
	return b
}

func name(parts ...any) string { return fmt.Sprint(parts...) }

type interfaceSigner = crypto.Signer
