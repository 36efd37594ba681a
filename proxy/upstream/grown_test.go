//go:build linux

package upstream

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// client is the downstream side of one exchange, which keeps the failures it is told of. Nothing else is expected of it.
type client struct {
	exchange.Downstream
	failures []*exchange.Failure
}

func (c *client) Client() *exchange.Client { return &exchange.Client{IP: []byte("192.0.2.1")} }

func (c *client) Fail(f *exchange.Failure) { c.failures = append(c.failures, f) }

// An endpoint that has chosen HTTP/1.1 under protocol auto gets what is kept in the connection's buffers. When the pool has none left for the piece of a body that
// has just come, the request fails within BodyBuffer: it is free when Flush returns, and must not be touched.
func TestBodyThatMeetsAnEmptyPoolEndsItsRequest(t *testing.T) {
	const small, large = 8 << 10, 64 << 10
	k := looptest.NewKernel(1, looptest.Faults{})
	l, err := k.Loop(loop.Options{})
	require.NoError(t, err)
	addr := loop.Addr{TCP: netip.MustParseAddrPort("192.0.2.2:80")}
	origin := k.Listen(addr)
	pool := flow.NewPool(small, large, 1<<20)
	env := &Env{Loop: l, Pool: pool, Count: new(telemetry.Counters), BufferSize: loop.DefaultBufferSize}
	cl := NewClient(env, cluster.New(cluster.Cluster{
		Endpoints: []*endpoint.Endpoint{endpoint.New("origin", addr, 1)}, Balance: balance.RoundRobin, Protocol: cluster.VersionAuto,
		ConnectTimeout: time.Minute, FirstByteTimeout: time.Minute, IdleTimeout: time.Minute, HTTP2: cluster.HTTP2{MaxStreams: 1, StreamWindow: large},
	}))
	cl.pools[0].auto, cl.pools[0].h1 = true, true // as after a handshake that settled on HTTP/1.1

	var r wire.Request
	_, bad := h1.ParseRequest([]byte("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"), &r, nil)
	require.Nil(t, bad)
	down := &client{}
	x := &exchange.Exchange{Down: down, Method: r.Method, BodyKind: r.Body, BodyLength: r.Length}
	cl.Start(x, &r, []byte("/up"), Options{})
	x.Up.Flush()
	var peer *looptest.Peer
	got := ""
	receives := func(n int) {
		t.Helper()
		require.NoError(t, k.RunUntil(func() bool {
			if peer == nil {
				peer = origin.Accept()
			}
			if peer != nil {
				got += string(peer.Read())
			}
			return strings.HasSuffix(got, "\r\n\r\n"+strings.Repeat("x", n))
		}, time.Minute))
		require.NoError(t, k.Settle())
	}
	receives(0)
	body := func() []byte {
		b := pool.LargeBuffer()
		require.NotNil(t, b)
		copy(b, strings.Repeat("x", len(b)))
		return b
	}
	require.True(t, x.Up.BodyBuffer(body(), maxKept+1))
	receives(maxKept + 1)
	require.Empty(t, down.failures)

	last := body()
	var taken [][]byte // others use up the pool
	for b := pool.SmallBuffer(); b != nil; b = pool.SmallBuffer() {
		taken = append(taken, b)
	}
	require.True(t, x.Up.BodyBuffer(last, maxKept+1), "nobody waits for Resume")
	require.Equal(t, []*exchange.Failure{exchange.ErrOverload}, down.failures)
	require.Nil(t, x.Up)
	require.Zero(t, cl.active)
	require.NotNil(t, env.freeReq)
	for _, b := range taken {
		pool.Put(b)
	}
	require.NoError(t, k.Settle())
	require.Zero(t, pool.InUse())
	require.Zero(t, cl.open, "the connection, on which the request is incomplete, is closed")
	require.Zero(t, l.Stats().Timers)
	l.Stop()
	require.NoError(t, l.Run())
}
