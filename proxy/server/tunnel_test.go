package server

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
const upgradeResponse = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
const upgradeRoute = "  - {match: {path: /ws}, cluster: up, allow_upgrade: true}\n"

func read(t *testing.T, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	_, err := io.ReadFull(r, b)
	require.NoError(t, err)
	require.Equal(t, want, string(b))
}

func TestUpgradeOpensATunnel(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: upgradeRoute})
		c := g.dial()
		c.send(upgradeRequest + "early from client;")
		p := o.accept()
		r, _ := p.request()
		require.Equal(t, "websocket", r.Header.Get("Upgrade"))
		require.Equal(t, "upgrade", r.Header.Get("Connection"))
		require.Equal(t, "x", r.Header.Get("Sec-WebSocket-Key"))
		p.send(upgradeResponse + "early from origin;")
		res := c.head("GET")
		require.Equal(t, 101, res.StatusCode)
		require.Equal(t, "websocket", res.Header.Get("Upgrade"))
		require.Equal(t, "upgrade", res.Header.Get("Connection"))
		require.Equal(t, "y", res.Header.Get("Sec-WebSocket-Accept"))
		read(t, c.br, "early from origin;")
		read(t, p.br, "early from client;")
		for range 3 {
			c.send("ping")
			read(t, p.br, "ping")
			p.send("pong")
			read(t, c.br, "pong")
		}
		// The client is done sending; the origin goes on.
		require.NoError(t, c.CloseWrite())
		_, err := p.br.ReadByte()
		require.Equal(t, io.EOF, err)
		p.send("last words")
		p.Close()
		b, err := io.ReadAll(c.br)
		require.NoError(t, err)
		require.Equal(t, "last words", string(b))
		e := g.log()[0]
		require.Equal(t, 101, e.Status)
		require.Empty(t, e.Flags)
		require.EqualValues(t, len("early from client;")+12, e.BytesIn)
	})
}

// Much data both ways at once: back-pressure on both sides, and every byte arrives.
func TestTunnelUnderLoad(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: upgradeRoute})
		c := g.dial()
		c.send(upgradeRequest)
		p := o.accept()
		p.request()
		p.send(upgradeResponse)
		c.head("GET")
		const size = 8 << 20
		var seed [32]byte
		send := func(w io.Writer, close func() error) {
			_, _ = io.CopyN(w, rand.NewChaCha8(seed), size)
			_ = close()
		}
		go send(c, c.CloseWrite)
		go send(p, func() error { return nil })
		want, got := sha256.New(), sha256.New()
		_, _ = io.CopyN(want, rand.NewChaCha8(seed), size)
		_, err := io.CopyN(got, c.br, size)
		require.NoError(t, err)
		require.Equal(t, want.Sum(nil), got.Sum(nil))
		got.Reset()
		n, err := io.Copy(got, p.br)
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		require.Equal(t, want.Sum(nil), got.Sum(nil))
		p.Close()
		c.closed()
	})
}

func TestUpgradeIsRemovedWhereItIsNotAllowed(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send(upgradeRequest)
		p := o.accept()
		r, _ := p.request()
		require.Empty(t, r.Header.Get("Upgrade"))
		require.Empty(t, r.Header.Get("Connection"))
		p.send(ok("plain"))
		require.Equal(t, "plain", c.response("GET").Text)
		c.Close()
	})
}

func TestUpgradeThatTheOriginDeclines(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: upgradeRoute})
		c := g.dial()
		c.send(upgradeRequest)
		p := o.accept()
		p.request()
		p.send(ok("no websocket here"))
		require.Equal(t, "no websocket here", c.response("GET").Text)
		require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
		c.Close()
	})
}

func TestTunnelEndsWhenTheOriginDoes(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: upgradeRoute})
		for _, reset := range []bool{false, true} {
			c := g.dial()
			c.send(upgradeRequest)
			p := o.accept()
			p.request()
			p.send(upgradeResponse + "bye")
			c.head("GET")
			read(t, c.br, "bye")
			if reset {
				p.reset()
			} else {
				p.Close()
			}
			c.closed()
		}
	})
}

func TestIdleTunnelEnds(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr},
			routes: "  - {match: {path: /ws}, cluster: up, allow_upgrade: true, timeouts: {idle: 50ms}}\n"})
		c := g.dial()
		c.send(upgradeRequest)
		p := o.accept()
		p.request()
		p.send(upgradeResponse)
		c.head("GET")
		c.closed()
		p.gone()
		require.Equal(t, "upstream_idle_timeout", g.log()[0].Code)
	})
}

func TestConnectOpensATunnelWhereItIsAllowed(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, routes: "  - {match: {host: db.example.com, methods: [CONNECT]}, cluster: up, allow_upgrade: true}\n"})
		c := g.dial()
		c.send("CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n")
		p := o.accept()
		head := p.head()
		require.True(t, strings.HasPrefix(head, "CONNECT db.example.com:5432 HTTP/1.1\r\n"), head)
		p.send("HTTP/1.1 200 Connected\r\n\r\nhello from the database")
		require.Equal(t, 200, c.head("CONNECT").StatusCode)
		read(t, c.br, "hello from the database")
		c.send("select 1")
		read(t, p.br, "select 1")
		c.Close()
		p.gone()

		c = g.dial()
		c.send("CONNECT other.example.com:5432 HTTP/1.1\r\nHost: other.example.com:5432\r\n\r\n")
		require.Equal(t, 403, c.response("GET").StatusCode)
	})
}
