package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// endpoint answers at once, waits at /slow, and makes a tunnel of an upgrade.
func endpoint(t *testing.T, release <-chan struct{}) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Upgrade") != "":
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			<-release
		case r.URL.Path == "/slow":
			<-release
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// The plan tells how many connections of the running gateway a change concerns.
func TestPlanCountsWhatIsAffected(t *testing.T) {
	release := make(chan struct{})
	a, b := endpoint(t, release), endpoint(t, release)
	t.Cleanup(func() { close(release) }) // before the endpoints end
	dir := t.TempDir()
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
		return f
	}
	const top = "workers: {count: 2, engine: epoll}\nadmin: {address: 127.0.0.1:0}\n"
	text := top + fmt.Sprintf(`
listeners:
  - {name: edge, address: 127.0.0.1:0}
  - {name: inner, address: "unix:%s/inner"}
clusters:
  - {name: api, endpoints: [{address: %q}]}
  - {name: pair, balance: round_robin, endpoints: [{address: %q}, {address: %q}]}
  - {name: chat, endpoints: [{address: %q}]}
routes:
  - {name: api, match: {path: /api}, cluster: api}
  - {name: slow, match: {path: /slow}, cluster: api}
  - {name: pair, match: {path: /pair}, cluster: pair}
  - {name: chat, match: {path: /chat}, cluster: chat, allow_upgrade: true}
`, dir, a, a, b, b)
	c, err := config.Load(write("now.yaml", text))
	require.NoError(t, err)
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	s, err := server.Start(snap, "test")
	require.NoError(t, err)
	t.Cleanup(s.Stop)

	dial := func(network, addr string) *bufio.ReadWriter {
		conn, err := net.Dial(network, addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		return bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
	}
	ask := func(c *bufio.ReadWriter, path, fields string) {
		_, err := c.WriteString("GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")
		require.NoError(t, err)
		require.NoError(t, c.Flush())
	}
	answer := func(c *bufio.ReadWriter, status int) {
		r, err := http.ReadResponse(c.Reader, nil)
		require.NoError(t, err)
		require.Equal(t, status, r.StatusCode)
		if status == 200 {
			_, err = io.Copy(io.Discard, r.Body)
			require.NoError(t, err)
		}
	}
	edge := s.Addrs()[0].TCP.String()
	for range 3 { // one after another, so that both endpoints of the pair are used
		c := dial("tcp", edge)
		for range 2 {
			ask(c, "/pair", "")
			answer(c, 200)
		}
	}
	c1 := dial("tcp", edge)
	ask(c1, "/slow", "")
	c2 := dial("tcp", edge)
	ask(c2, "/chat", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	answer(c2, 101)
	c3 := dial("unix", dir+"/inner")
	ask(c3, "/api", "")
	answer(c3, 200)

	next := strings.NewReplacer(
		"  - {name: inner, address: \"unix:"+dir+"/inner\"}\n", "",
		"name: edge, ", "name: edge, max_requests: 100, ",
		"{name: api, endpoints", "{name: api, proxy_protocol: v1, endpoints",
		fmt.Sprintf("  - {name: chat, endpoints: [{address: %q}]}\n", b), "",
		fmt.Sprintf(", {address: %q}]", b), "]",
		"cluster: chat, allow_upgrade: true", "respond: {status: 410}",
	).Replace(text)
	admin := s.Admin().Addr().String()
	plan := func(json bool) string {
		var out, errs bytes.Buffer
		p := PlanCmd{Config: write("next.yaml", next), Admin: admin, JSON: json}
		require.NoError(t, p.run(&out, &errs), errs.String())
		require.Empty(t, errs.String())
		return out.String()
	}
	require.Eventually(t, func() bool { // the slow request may still be on its way
		text := plan(false)
		return strings.Contains(text, "1 request, 1 tunnel in flight") && strings.Contains(text, "open connections, 1 request in flight")
	}, 20*time.Second, 10*time.Millisecond)
	out := plan(false)
	require.Contains(t, out, "  ~ edge: keeps its sockets and connections (5 open connections, 1 request, 1 tunnel in flight)\n")
	require.Contains(t, out, "  - inner: closes, its connections end after their request (1 open connection)\n")
	require.Contains(t, out, "  - chat: its connections close after their requests (1 open connection, 1 tunnel in flight)\n")
	require.Regexp(t, `  ~ api: its connections are replaced, each closes after its requests \([12] open connections?, 1 request in flight\)\n`, out)
	require.Regexp(t, `  ~ pair: keeps its connections \(\d+ open connections\)\n      `+b+` goes, its connections close after their requests \([1-9] open, 0 in flight\)\n`, out)

	var p struct {
		Changes   bool
		Listeners struct {
			Removed []struct {
				Name, Effect string
				Load         struct{ Connections, Idle, Requests, Tunnels int }
			}
		}
		Clusters struct {
			Unchanged int
			Changed   []struct {
				Name, Effect string
				Keys         []struct{ Key, Old, New string }
				Gone         []struct {
					Name        string
					Connections int
				} `json:"endpoints_gone"`
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(plan(true)), &p))
	require.True(t, p.Changes)
	require.Equal(t, "inner", p.Listeners.Removed[0].Name)
	require.Equal(t, "closed", p.Listeners.Removed[0].Effect)
	require.Equal(t, 1, p.Listeners.Removed[0].Load.Connections)
	require.Equal(t, 1, p.Listeners.Removed[0].Load.Idle)
	require.Zero(t, p.Clusters.Unchanged)
	require.Equal(t, "replaced", p.Clusters.Changed[0].Effect)
	require.Equal(t, "proxy_protocol", p.Clusters.Changed[0].Keys[0].Key)
	require.Equal(t, b, p.Clusters.Changed[1].Gone[0].Name)
	require.Positive(t, p.Clusters.Changed[1].Gone[0].Connections)
}

// What the plan says of a cluster's connections is what the gateway does with them.
func TestPlanKnowsWhichChangesReplaceConnections(t *testing.T) {
	build := func(cluster string) (*config.Config, *snapshot.Snapshot) {
		c, err := config.Parse("a.yaml", []byte("listeners: [{address: \":8080\"}]\nroutes: [{match: {path: /}, cluster: up}]\nclusters: [{name: up, endpoints: [{address: 127.0.0.1:1}], "+cluster+"}]\n"))
		require.NoError(t, err)
		s, err := snapshot.Build(c, 1)
		require.NoError(t, err)
		return c, s
	}
	for cluster, want := range map[string]string{
		"max_idle: 2": effectKept, "balance: p2c": effectKept, "retries: 3": effectKept, "outlier: {}": effectKept, "timeouts: {connect: 7s}": effectKept,
		"health_check: {path: /x}": effectKept, "circuit_breaker: {max_requests: 5}": effectKept, "max_connections: 5": effectKept, "slow_start: 3s": effectKept,
		"protocol: h2": effectReplaced, "proxy_protocol: v2": effectReplaced, "tls: {}": effectReplaced, "protocol: h2, http2: {max_streams: 7}": effectReplaced,
	} {
		now, was := build("max_idle: 1")
		if strings.Contains(cluster, "http2") {
			now, was = build("protocol: h2")
		}
		next, is := build(cluster)
		p := newPlan(now, next, nil)
		require.Equal(t, want, p.Clusters.Changed[0].Effect, cluster)
		require.Equal(t, want == effectKept, is.Clusters[0].SameConnections(was.Clusters[0]), cluster)
	}
}
