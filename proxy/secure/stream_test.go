//go:build linux

package secure

import (
	"bytes"
	"crypto/tls"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop/looptest"
)

// Both roles stream to each other on a kernel with faults, while both change the way they receive at random; end checks the rules of
// the loop meanwhile.
func TestStreamsUnderFaults(t *testing.T) {
	for _, version := range []string{"1.3", "1.2"} {
		for seed := range uint64(12) {
			t.Run(name("TLS", version, "/", seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, seed, looptest.AllFaults(60))
				cfg := clientConfig(t, version)
				down, up := pattern(700_000, 3), pattern(500_000, 4)
				var server *end
				w.setup = func(e *end) {
					server = e
					e.restless = true
					e.onUp = func() { e.stream(down) }
				}
				c := w.dial(cfg)
				c.restless = true
				c.onUp = func() { c.stream(up) }
				w.until("all of it", func() bool {
					return len(c.got) >= len(down) && server != nil && len(server.got) >= len(up) && c.sent == len(up) && server.sent == len(down)
				})
				require.True(t, bytes.Equal(down, c.got))
				require.True(t, bytes.Equal(up, server.got))
				require.NoError(t, c.upErr)
				// close_notify and FIN from one side, and then from the other.
				c.l.Shutdown(c.id)
				w.until("the end", func() bool { server.wander(); return server.ended == 1 })
				require.Equal(t, io.EOF, server.endErr)
				server.restless, c.restless = false, false
				server.send([]byte("last words"))
				w.until("the answer to a half-close", func() bool { c.wander(); return len(c.got) == len(down)+10 && !server.sending })
				w.k.SetFaults(looptest.Faults{}) // with them the close_notify of a Close may be lost
				server.close()
				w.until("the end", func() bool { return c.ended == 1 })
				require.Equal(t, io.EOF, c.endErr)
				w.idle()
				require.EqualValues(t, 1, w.count.DownstreamTLS.Full)
				require.EqualValues(t, 1, w.count.UpstreamTLS.Full)
			})
		}
	}
}

func TestSessionsAreResumed(t *testing.T) {
	for _, version := range []string{"1.3", "1.2"} {
		t.Run("TLS"+version, func(t *testing.T) {
			w := newWorld(t, 1, looptest.Faults{})
			cfg := clientConfig(t, version)
			w.setup = func(e *end) { e.onRecv = func([]byte) { e.send([]byte("answer")) } }
			for i := range 3 {
				c := w.dial(cfg)
				c.onUp = func() { c.send([]byte("question")) }
				w.until("the answer", func() bool { return string(c.got) == "answer" })
				require.Equal(t, i > 0, c.tls.State().Resumed)
				require.Equal(t, "site.test", w.ends[len(w.ends)-1].tls.State().ServerName)
				c.close()
				w.until("the end", func() bool { return c.closed == 1 })
			}
			w.idle()
			require.EqualValues(t, 1, w.count.DownstreamTLS.Full)
			require.EqualValues(t, 2, w.count.DownstreamTLS.Resumed)
		})
	}
}

// A connection that is broken off at any point gives everything back.
func TestResetsGiveEverythingBack(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed, looptest.AllFaults(30).WithResets(8))
		w.setup = func(e *end) {
			e.restless = true
			e.onUp = func() { e.stream(pattern(100_000, 1)) }
		}
		cfg := clientConfig(t, []string{"1.3", "1.2"}[seed%2])
		for range 6 {
			c := w.dial(cfg)
			c.restless = true
			c.onUp = func() { c.stream(pattern(100_000, 2)) }
		}
		for range 300 {
			_, err := w.k.Step()
			require.NoError(t, err)
			if w.rnd.IntN(100) == 0 {
				e := w.ends[w.rnd.IntN(len(w.ends))]
				if w.rnd.IntN(2) == 0 {
					e.close()
				} else if !e.closing {
					e.closing = true
					e.l.Reset(e.id)
				}
			}
		}
		w.idle()
	}
}

func TestTruncationIsAnError(t *testing.T) {
	w := newWorld(t, 3, looptest.Faults{})
	c := w.dial(clientConfig(t, "1.3"))
	w.until("up", func() bool { return c.up == 1 && len(w.ends) == 2 && w.ends[1].up == 1 })
	w.k.SetFaults(looptest.Faults{})
	// FIN without close_notify, past the TLS of the client.
	w.l.Shutdown(c.id)
	s := w.ends[1]
	w.until("the end", func() bool { return s.ended == 1 })
	require.ErrorContains(t, s.endErr, "truncated")
	w.idle()
}

func TestSlowKeysAndUnknownOnesAreUsedElsewhere(t *testing.T) {
	require.False(t, slowKey(ecdsaPair().PrivateKey.(interfaceSigner)))
	require.True(t, slowKey(rsaPair().PrivateKey.(interfaceSigner)))
	require.True(t, slowKey(otherKey()))
	w := newWorld(t, 5, looptest.Faults{})
	w.server = serverConfig(t, rsaPair())
	for _, version := range []string{"1.3", "1.2"} {
		c := w.dial(clientConfig(t, version))
		w.patiently("up", func() bool { return c.up == 1 })
		require.NoError(t, c.upErr)
		c.close()
	}
	w.idle()
}

func TestConfigurationMadeLater(t *testing.T) {
	w := newWorld(t, 6, looptest.Faults{})
	made, ready := 0, serverConfig(t, ecdsaPair())
	w.server = LaterConfig(func() (*tls.Config, error) { made++; return ready.tls.Load(), nil })
	a, b := w.dial(clientConfig(t, "1.3")), w.dial(clientConfig(t, "1.3"))
	w.patiently("up", func() bool { return a.up == 1 && b.up == 1 })
	require.NoError(t, a.upErr)
	require.NoError(t, b.upErr)
	require.Equal(t, 1, made)
	w.idle()
}
