//go:build linux

package secure

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop/looptest"
)

// A turn of the loop begins a few handshakes only, however many arrive in it, so that other connections wait for no more than those.
func TestHandshakesAreSpreadOverTurns(t *testing.T) {
	w := newWorld(t, 11, looptest.Faults{})
	most := 0
	w.setup = func(*end) {}
	for range 40 {
		w.dial(clientConfig(t, "1.3"))
	}
	begun := func() int { return w.env.Handshakes() + int(w.count.DownstreamTLS.Full) }
	for before := 0; w.count.UpstreamTLS.Full < 40; {
		_, err := w.k.Step()
		require.NoError(t, err)
		most = max(most, begun()-before)
		before = begun()
	}
	require.Positive(t, most)
	require.LessOrEqual(t, most, 2*perTurn, "what waits is begun at the end of a turn, what arrives in its events")
	require.NotZero(t, w.count.DownstreamTLS.Queued)
	w.idle()
}

// Handshakes beyond the limit wait, and beyond the limit of those are refused. Clients that never go on do not hold the others up for ever:
// when they are closed, the next ones have their turn.
func TestHandshakeLimits(t *testing.T) {
	w := newWorld(t, 12, looptest.Faults{})
	w.server.MaxHandshakes, w.server.MaxWaiting = 3, 2
	hello := clientHello(t)
	for range 3 { // they say hello and nothing more
		p, err := w.k.Dial(w.addr)
		require.NoError(t, err)
		p.Write(hello)
	}
	require.NoError(t, w.k.Settle())
	require.Equal(t, 3, w.env.Handshakes())
	a, b := w.dial(clientConfig(t, "1.3")), w.dial(clientConfig(t, "1.2"))
	require.NoError(t, w.k.Settle())
	require.Equal(t, 2, w.env.Waiting())
	refused := w.dial(clientConfig(t, "1.3"))
	w.until("refused", func() bool { return refused.up == 1 })
	require.Error(t, refused.upErr)
	require.EqualValues(t, 1, w.count.DownstreamTLS.Failures.Get("tls_handshakes_refused"))
	require.Zero(t, a.up+b.up)
	for _, e := range w.ends {
		if e.server && e.tls != nil && e.up == 0 && e.tls.phase == phaseHandshake {
			e.close()
		}
	}
	w.until("their turn", func() bool { return a.up == 1 && b.up == 1 })
	require.NoError(t, a.upErr)
	require.NoError(t, b.upErr)
	w.idle()
}

// clientHello is the first flight of a client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	w := newWorld(t, 13, looptest.Faults{})
	l := w.k.Listen(elsewhere)
	e := &end{w: w}
	c := w.env.Dial(clientConfig(t, "1.3"), "peer", elsewhere, e)
	e.l, e.id, e.tls = c, c.ID(), c
	var hello []byte
	w.until("the first flight", func() bool {
		if p := l.Accept(); p != nil {
			w.peer = p
		}
		if w.peer != nil {
			hello = append(hello, w.peer.Read()...)
		}
		return len(hello) > 0
	})
	return hello
}
