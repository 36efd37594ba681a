package server

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// A load balancer sees that the gateway is about to end before the first connection is refused.
func TestReadinessIsGivenUpBeforeConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, withAdmin(setup{top: "drain_delay: 1h\n"}))
		o := g.operator()
		ready := func() bool { status, _ := o.ask("GET", "/readyz", ""); return status == 200 }
		require.True(t, ready())
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan int, 1)
		go func() { done <- g.s.Drain(ctx) }()
		eventually(t, "it is not ready", func() bool { return !ready() })
		_, body := o.ask("GET", "/readyz", "")
		require.Contains(t, body, "draining")
		status, _ := o.ask("GET", "/healthz", "")
		require.Equal(t, 200, status, "it lives")
		for range 3 {
			c := g.dial()
			r := c.ask(get("/hello"))
			require.Equal(t, 200, r.StatusCode)
			require.False(t, r.Close, "the connection may be used again")
			c.Close()
		}
		select {
		case <-done:
			require.Fail(t, "drained before the delay was over")
		default:
		}
		cancel()
		<-done
		g.ended = true
	})
}

// After the delay the drain goes on by itself.
func TestDrainDelayEnds(t *testing.T) {
	g := gate(t, "epoll", setup{top: "drain_delay: 10ms\n"})
	g.end()
	_, err := net.Dial("tcp", g.addr)
	require.Error(t, err)
}
