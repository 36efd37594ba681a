package server

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDrainLetsRequestsEnd(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		idle, fresh, half, inFlight, streaming := g.dial(), g.dial(), g.dial(), g.dial(), g.dial()
		require.Equal(t, 200, idle.ask(get("/hello")).StatusCode)
		half.send("GET /hello HTTP/1.1\r\nHo")
		inFlight.send(get("/a"))
		pa := o.accept()
		pa.head()
		streaming.send(get("/b"))
		pb := o.accept()
		pb.head()
		pb.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
		streaming.head("GET")
		read(t, streaming.br, "half")
		eventually(t, "all are connected", func() bool { return g.metric("blitz_downstream_connections_active") == 5 })
		eventually(t, "half a head is in", func() bool { return g.metric("blitz_downstream_received_bytes_total") > float64(3*len(get("/a"))) })

		done := make(chan int)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			done <- g.s.Drain(ctx)
		}()
		idle.closed()
		fresh.closed()
		eventually(t, "new connections are refused", func() bool {
			c, err := net.Dial("tcp", g.addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		half.send("st: a\r\n\r\n")
		r := half.response("GET")
		require.Equal(t, 200, r.StatusCode)
		require.True(t, r.Close)
		half.closed()
		pa.send(ok("answer"))
		r = inFlight.response("GET")
		require.Equal(t, "answer", r.Text)
		require.True(t, r.Close)
		inFlight.closed()
		select {
		case <-done:
			require.Fail(t, "drained while a response was under way")
		default:
		}
		pb.send("half")
		read(t, streaming.br, "half")
		// The head was sent before the drain and promised to keep the connection, yet it ends here.
		streaming.closed()
		require.Zero(t, <-done)
	})
}

func TestDrainCutsWhatTakesTooLong(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send(get("/"))
		p := o.accept()
		p.head()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.Equal(t, 1, g.s.Drain(ctx))
		g.ended = true
		_, err := io.ReadAll(c.br)
		if err != nil {
			require.Contains(t, err.Error(), "reset")
		}
		p.gone()
	})
}

// A client that is slow to read its last response is waited for, and then closed.
func TestDrainWithASlowReader(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		body := strings.Repeat("0123456789", 800_000)
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		require.NoError(t, c.SetReadBuffer(64<<10))
		c.send(get("/"))
		p := o.accept()
		p.head()
		go func() { _, _ = io.WriteString(p, ok(body)) }()
		require.Equal(t, 200, c.head("GET").StatusCode)
		done := make(chan int)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			done <- g.s.Drain(ctx)
		}()
		eventually(t, "the drain has begun", func() bool {
			c, err := net.DialTimeout("tcp", g.addr, time.Second)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		b, err := io.ReadAll(c.br) // the body, and then the end: the connection does not stay open idle
		require.NoError(t, err)
		require.Len(t, b, len(body))
		require.Equal(t, body, string(b))
		require.Zero(t, <-done)
	})
}
