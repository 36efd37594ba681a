package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const adminToken = "sixteen characters, and more"

// operator speaks to the admin listener of a gateway.
type operator struct {
	t   *testing.T
	url string
}

func (g *gateway) operator() operator {
	return operator{g.t, "http://" + g.s.Admin().Addr().String()}
}

func (o operator) ask(method, path, body string) (int, string) {
	o.t.Helper()
	q, err := http.NewRequest(method, o.url+path, strings.NewReader(body))
	require.NoError(o.t, err)
	q.Header.Set("Authorization", "Bearer "+adminToken)
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Do(q)
	require.NoError(o.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(o.t, err)
	return r.StatusCode, string(b)
}

func (o operator) get(path string, v any) {
	o.t.Helper()
	status, body := o.ask("GET", path, "")
	require.Equal(o.t, 200, status, body)
	require.NoError(o.t, json.Unmarshal([]byte(body), v), body)
}

// withAdmin is a setup with an admin listener.
func withAdmin(s setup) setup {
	s.top += "admin: {address: 127.0.0.1:0, token: \"" + adminToken + "\"}\n"
	return s
}

func TestOperatorsSeeInside(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		up := named(t, "up")
		g := gate(t, engine, withAdmin(setup{endpoints: []string{up}}))
		o := g.operator()
		c := g.dial()
		for range 20 {
			require.Equal(t, "up", c.ask(get("/x")).Text)
		}
		require.Equal(t, "hello\n", c.ask(get("/hello")).Text)

		status, body := o.ask("GET", "/readyz", "")
		require.Equal(t, 200, status)
		require.Regexp(t, `^ready\npid \d+, generation 1, version test\n$`, body)

		var routes struct{ Routes []RouteStatus }
		o.get("/routes", &routes)
		require.Len(t, routes.Routes, 3)
		require.Equal(t, "/*", routes.Routes[2].Path)
		require.Equal(t, "up", routes.Routes[2].Cluster)
		require.EqualValues(t, 20, routes.Routes[2].Requests)
		require.EqualValues(t, 20, routes.Routes[2].Classes["2xx"])
		require.Positive(t, routes.Routes[2].P50)
		require.LessOrEqual(t, routes.Routes[2].P50, routes.Routes[2].P99)

		var clusters []ClusterStatus
		o.get("/clusters", &clusters)
		require.Len(t, clusters, 1)
		require.EqualValues(t, 20, clusters[0].Requests)
		require.Len(t, clusters[0].Endpoints, 1)
		e := clusters[0].Endpoints[0]
		require.Equal(t, up, e.Name)
		require.True(t, e.Healthy)
		require.EqualValues(t, 1, e.Open)
		require.EqualValues(t, 20, e.Attempts)

		var connections struct {
			Total       int
			Connections []ConnectionStatus
		}
		g.dial().ask(get("/hello"))
		o.get("/connections?limit=1", &connections)
		require.Equal(t, 2, connections.Total)
		require.Len(t, connections.Connections, 1)
		require.Equal(t, "edge", connections.Connections[0].Listener)
		status, _ = o.ask("GET", "/connections?limit=x", "")
		require.Equal(t, 400, status)

		var st Status
		o.get("/status", &st)
		require.EqualValues(t, 22, st.Requests)
		require.Equal(t, engine, st.Engine)

		status, body = o.ask("GET", "/histograms", "")
		require.Equal(t, 200, status)
		require.Contains(t, body, "\nTag=cluster:up,")
		require.EqualValues(t, 20, g.metric(`blitz_cluster_requests_total{cluster="up",class="2xx"}`))
		require.EqualValues(t, 20, g.metric(`blitz_route_duration_seconds_count{route="/*"}`))

		status, body = o.ask("GET", "/config", "")
		require.Equal(t, 200, status)
		require.NotContains(t, body, adminToken)
		require.Contains(t, body, `"token": "********"`)
		require.Contains(t, body, up)

		for _, name := range []string{"heap", "goroutine?debug=1"} {
			status, body = o.ask("GET", "/debug/pprof/"+name, "")
			require.Equal(t, 200, status, name)
			require.NotEmpty(t, body)
		}
		status, body = o.ask("GET", "/help", "")
		require.Equal(t, 200, status)
		require.Contains(t, body, "POST /config/reload")
		status, body = o.ask("GET", "/", "")
		require.Equal(t, 200, status)
		require.Contains(t, body, "<title>Blitz</title>")
	})
}

func TestOperatorsReload(t *testing.T) {
	s := withAdmin(setup{})
	g := gate(t, "epoll", s)
	file := filepath.Join(t.TempDir(), "blitz.yaml")
	text := s.yaml("epoll", g.logPath)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(text, "hello\\n", "file", 1)), 0o600))
	r := NewReloader(g.s, file)
	defer r.Close()
	o := g.operator()
	c := g.dial()
	status, body := o.ask("POST", "/config", strings.Replace(text, "hello\\n", "body", 1))
	require.Equal(t, 200, status, body)
	require.Equal(t, "generation 2\n", body)
	require.Equal(t, "body", c.ask(get("/hello")).Text)
	status, body = o.ask("POST", "/config", "routes: 5\n")
	require.Equal(t, 422, status)
	require.Contains(t, body, "body:1:9: found the number 5; expected a list")
	status, body = o.ask("POST", "/config", strings.Replace(text, "count: 1", "count: 2", 1))
	require.Equal(t, 409, status)
	require.Contains(t, body, "blitz upgrade")
	status, body = o.ask("POST", "/config/reload", "")
	require.Equal(t, 200, status, body)
	require.Equal(t, "file", c.ask(get("/hello")).Text)
	status, _ = o.ask("POST", "/log/reopen", "")
	require.Equal(t, 200, status)

	status, body = o.ask("GET", "/debug/pprof/profile?seconds=1", "")
	require.Equal(t, 200, status, body)
	require.NotEmpty(t, body)

	before := LogLevel.Level()
	defer LogLevel.Set(before)
	status, body = o.ask("PUT", "/log/level", "debug")
	require.Equal(t, 200, status)
	require.Equal(t, "debug\n", body)
	require.Equal(t, slog.LevelDebug, LogLevel.Level())
	status, _ = o.ask("PUT", "/log/level", "loud")
	require.Equal(t, 400, status)
	_, body = o.ask("GET", "/log/level", "")
	require.Equal(t, "debug\n", body)
}

// Written in place, replaced, or exchanged behind two links as Kubernetes does it: the change is noticed.
func TestChangesOfTheFileAreNoticed(t *testing.T) {
	s := setup{}
	g := gate(t, "epoll", s)
	text := s.yaml("epoll", g.logPath)
	is := func(word string) []byte { return []byte(strings.Replace(text, "hello\\n", word, 1)) }
	dir := t.TempDir()
	volume := func(name, word string) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "blitz.yaml"), is(word), 0o600))
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	}
	volume("..1", "one")
	file := filepath.Join(dir, "blitz.yaml")
	require.NoError(t, os.Symlink("..data/blitz.yaml", file))
	r := NewReloader(g.s, file)
	defer r.Close()
	require.NoError(t, r.Watch())
	c := g.dial()
	serves := func(word string) {
		t.Helper()
		eventually(t, word+" is served", func() bool { return c.ask(get("/hello")).Text == word })
	}
	volume("..2", "two")
	serves("two")
	volume("..3", "three")
	serves("three")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "..3", "blitz.yaml"), is("in place"), 0o600))
	serves("in place")
	require.NoError(t, os.WriteFile(file+".tmp", is("replaced"), 0o600))
	require.NoError(t, os.Rename(file+".tmp", file))
	serves("replaced")
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(is("x"), []byte("routes:"), []byte("roots:")), 0o600))
	eventually(t, "it is refused", func() bool { return g.metric("blitz_config_reload_failures_total") == 1 })
	serves("replaced")
}
