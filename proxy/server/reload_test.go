package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// reload puts another configuration in force and returns why that failed.
func (g *gateway) reload(text string) error {
	g.t.Helper()
	prev := g.s.Snapshot()
	next, err := snapshot.Parse("next.yaml", []byte(text), prev, prev.Generation+1)
	if err != nil {
		return err
	}
	return g.s.Publish(next)
}

func TestReloadChangesRoutesAndKeepsConnections(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		s := setup{endpoints: []string{o.addr}}
		g := gate(t, engine, s)
		c, inFlight := g.dial(), g.dial()
		require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
		// One request makes a pooled connection, the other is under way while the configuration changes.
		c.send(get("/a"))
		pooled := o.accept()
		pooled.head()
		pooled.send(ok("one"))
		require.Equal(t, "one", c.response("GET").Text)
		inFlight.send(get("/slow"))
		pooled.head()

		s.routes = "  - {match: {path: /hello}, respond: {body: changed}}\n"
		text := strings.Replace(s.yaml(engine, g.logPath), "  - {match: {path: /hello}, respond: {body: \"hello\\n\"}}\n", "", 1)
		require.NoError(t, g.reload(text))
		require.Equal(t, "changed", c.ask(get("/hello")).Text, "the connection goes on, with the new routes")
		require.Equal(t, 200, g.dial().ask(get("/hello")).StatusCode, "the socket is still there")
		pooled.send(ok("late"))
		require.Equal(t, "late", inFlight.response("GET").Text)

		// The cluster is the same, and so is its connection.
		c.send(get("/b"))
		require.Contains(t, pooled.head(), "GET /b ")
		pooled.send(ok("two"))
		require.Equal(t, "two", c.response("GET").Text)
		require.EqualValues(t, 1, g.metric("blitz_upstream_connects_total"))
		require.EqualValues(t, 2, g.s.Snapshot().Generation)
	})
}

func TestReloadOfAClusterLetsItsRequestsEnd(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := listen(t), listen(t)
		s := setup{endpoints: []string{a.addr}, routes: "  - {match: {path: /*}, cluster: up, allow_upgrade: true}\n"}
		g := gate(t, engine, s)
		c, ws, busy := g.dial(), g.dial(), g.dial()
		c.send(get("/1"))
		idle := a.accept()
		idle.head()
		ws.send(get("/ws", "Connection: Upgrade", "Upgrade: websocket"))
		tunnel := a.accept()
		tunnel.head()
		tunnel.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		require.Equal(t, 101, ws.head("GET").StatusCode)
		busy.send(get("/busy"))
		working := a.accept()
		working.head()
		idle.send(ok("1"))
		require.Equal(t, "1", c.response("GET").Text)

		s.endpoints = []string{b.addr}
		require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
		idle.gone()
		c.send(get("/2"))
		p := b.accept()
		p.head()
		p.send(ok("2"))
		require.Equal(t, "2", c.response("GET").Text)
		working.send(ok("old"))
		require.Equal(t, "old", busy.response("GET").Text)
		working.gone()
		ws.send("ping")
		read(t, tunnel.br, "ping")
		tunnel.send("pong")
		read(t, ws.br, "pong")
		ws.Close()
		tunnel.gone()
	})
}

func TestReloadOfListeners(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := setup{}
		g := gate(t, engine, s)
		text := s.yaml(engine, g.logPath)
		sock := filepath.Join(t.TempDir(), "s")
		with := strings.Replace(text, "listeners:\n", "listeners:\n  - {name: second, address: \"unix:"+sock+"\"}\n", 1)
		require.NoError(t, g.reload(with))
		conn, err := net.Dial("unix", sock)
		require.NoError(t, err)
		_, err = io.WriteString(conn, get("/hello"))
		require.NoError(t, err)
		b := make([]byte, 8)
		_, err = io.ReadFull(conn, b)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1", string(b))

		// Other settings: for new connections, on the same socket.
		old := g.dial()
		require.Equal(t, "blitz", old.ask(get("/hello")).Header.Get("Server"))
		require.NoError(t, g.reload(strings.Replace(with, "address: 127.0.0.1:0", "address: 127.0.0.1:0, server_name: other", 1)))
		require.Equal(t, "other", g.dial().ask(get("/hello")).Header.Get("Server"))
		require.Equal(t, "blitz", old.ask(get("/hello")).Header.Get("Server"))

		// Gone: nobody listens, and what is connected ends.
		require.NoError(t, g.reload(text))
		_, err = io.Copy(io.Discard, conn)
		require.NoError(t, err)
		conn.Close()
		eventually(t, "nobody listens", func() bool {
			c, err := net.Dial("unix", sock)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		require.Equal(t, 200, old.ask(get("/hello")).StatusCode)
	})
}

func TestReloadIsRefusedWhole(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := setup{}
		g := gate(t, engine, s)
		text := s.yaml(engine, g.logPath)
		taken := listen(t)
		for name, bad := range map[string]string{
			"routes: 5":           "routes: 5\nlisteners: []\n",
			"unknown cluster":     text + "  - {match: {path: /x}, cluster: nowhere}\n",
			"address is in use":   strings.Replace(text, "listeners:\n", "listeners:\n  - {address: \""+taken.addr+"\"}\n", 1),
			"no such file":        strings.Replace(text, g.logPath, "/nonexistent/access.log", 1),
			"workers.count is 1":  strings.Replace(text, "count: 1", "count: 2", 1),
			"workers.buffers is ": strings.Replace(text, "engine: ", "buffers: 32MiB, engine: ", 1),
		} {
			err := g.reload(bad)
			require.Error(t, err, name)
			if name != "routes: 5" {
				require.ErrorContains(t, err, name)
			}
			require.Equal(t, strings.HasPrefix(name, "workers."), errors.Is(err, ErrNeedsUpgrade), name)
		}
		require.EqualValues(t, 1, g.s.Snapshot().Generation)
		require.Equal(t, 200, g.dial().ask(get("/hello")).StatusCode)
	})
}

func TestReloadMovesTheAccessLog(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := setup{}
		g := gate(t, engine, s)
		c := g.dial()
		c.ask(get("/hello?1"))
		first := g.logPath
		g.logPath = filepath.Join(t.TempDir(), "second.log")
		require.NoError(t, g.reload(s.yaml(engine, g.logPath)))
		b, err := os.ReadFile(first)
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(b), "\n"), "written out before the log is closed")
		c.ask(get("/hello?2"))
		require.Len(t, g.log(), 1)
	})
}

func TestReloaderReadsTheFileAndTellsWhatIsWrong(t *testing.T) {
	s := setup{}
	g := gate(t, "epoll", s)
	file := filepath.Join(t.TempDir(), "blitz.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	text := s.yaml("epoll", g.logPath)
	r := NewReloader(g.s, file)
	defer r.Close()
	ctx := context.Background()
	c := g.dial()
	write(strings.Replace(text, "hello\\n", "second", 1))
	require.NoError(t, r.Reload(ctx))
	require.Equal(t, "second", c.ask(get("/hello")).Text)

	write("routes: [}\n")
	require.ErrorContains(t, r.Reload(ctx), file+":1:")
	require.Equal(t, "second", c.ask(get("/hello")).Text)
	require.EqualValues(t, 1, g.metric("blitz_config_reload_failures_total"))
	require.EqualValues(t, 2, g.metric("blitz_config_generation"))

	require.NoError(t, r.Replace(ctx, "sent", []byte(strings.Replace(text, "hello\\n", "third", 1))))
	require.Equal(t, "third", c.ask(get("/hello")).Text)
	require.ErrorContains(t, r.Replace(ctx, "sent", nil), "sent:1:1")

	write(text)
	r.Trigger("test")
	eventually(t, "reloaded", func() bool { return g.s.Snapshot().Generation == 4 })
	require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
	r.Close()
	require.ErrorIs(t, r.Reload(ctx), errReloadGone)
}

// A storm of wishes makes few reloads, and the last wish is always served.
func TestReloadsAreCoalesced(t *testing.T) {
	s := setup{}
	g := gate(t, "epoll", s)
	file := filepath.Join(t.TempDir(), "blitz.yaml")
	text := s.yaml("epoll", g.logPath)
	r := NewReloader(g.s, file)
	defer r.Close()
	const storm = 2000
	for i := range storm {
		require.NoError(t, os.WriteFile(file+".new", []byte(strings.Replace(text, "hello\\n", fmt.Sprint(i), 1)), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
		r.Trigger("storm")
	}
	c := g.dial()
	eventually(t, "the last one is in force", func() bool { return c.ask(get("/hello")).Text == fmt.Sprint(storm-1) })
	reloads := g.metric("blitz_config_reloads_total")
	require.Less(t, reloads, float64(storm)/2)
	require.Greater(t, g.metric("blitz_config_reloads_coalesced_total"), float64(0))
	require.Zero(t, g.metric("blitz_config_reload_failures_total"))
}

// With a grace, a connection that is unused when the drain begins has one more request.
func TestDrainWaitsForRequestsOnTheirWay(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{top: "drain_idle: 1m\n"})
		idle, fresh := g.dial(), g.dial()
		require.False(t, idle.ask(get("/hello")).Close)
		eventually(t, "both are accepted", func() bool { return g.metric("blitz_downstream_connections_active") == 2 })
		done := make(chan int, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			done <- g.s.Drain(ctx)
		}()
		eventually(t, "nobody listens", func() bool {
			c, err := net.Dial("tcp", g.addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		for _, c := range []*client{idle, fresh} {
			r := c.ask(get("/hello"))
			require.Equal(t, http.StatusOK, r.StatusCode)
			require.True(t, r.Close)
			c.closed()
		}
		require.Zero(t, <-done)
	})
}
