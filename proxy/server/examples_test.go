package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// exercise is a request to an example and what must come of it.
type exercise struct {
	request string // method, path, then fields as "Name: value", separated by |
	status  int
	want    string // in the body, or of a redirect in Location
}

// exercises has an entry for each file in examples.
var exercises = map[string][]exercise{
	"default":      {{"GET /hello", 200, "hello\n"}, {"POST /echo/x", 200, "sent"}, {"GET /none", 404, "no_route"}},
	"grpc":         {{"POST /helloworld.Greeter/SayHello", 200, `"URI":"/helloworld.Greeter/SayHello"`}},
	"hardened":     {{"POST /upload", 200, `"Body":"sent"`}, {"GET /x", 200, `"URI":"/x"`}},
	"maintenance":  {{"GET /health", 200, "ok\n"}, {"GET /x", 503, "Down for maintenance"}},
	"minimal":      {{"GET /x", 200, `"URI":"/x"`}},
	"http2":        {{"GET /hello", 200, "hello\n"}, {"GET /x", 200, `"URI":"/x"`}},
	"operations":   {{"GET /", 200, "it works"}, {"GET /api/x", 200, `"URI":"/api/x"`}},
	"pinned":       {{"GET /x", 200, `"URI":"/x"`}},
	"proxy":        {{"GET /users/7/posts|Host: api.example.com", 200, `"URI":"/users/7/posts"`}},
	"unix-socket":  {{"GET /x", 200, `"URI":"/x"`}},
	"upstream-tls": {{"GET /partner/x", 200, `"URI":"/partner/x"`}, {"GET /x", 200, `"URI":"/x"`}},
}

// elsewhere are the examples that need a world of their own: tls_examples_test.go, cluster_examples_test.go and test/e2e start them.
var elsewhere = []string{"cluster-dns", "cluster-everything", "everything", "mtls", "tls"}

// Every example is started as it is, but for addresses, certificates and CPUs, which belong to a machine, and does what it is there for.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	files = slices.DeleteFunc(files, func(file string) bool {
		return slices.Contains(elsewhere, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	})
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		require.NotEmpty(t, exercises[name], "%s: nothing says what it should do", file)
	}
	require.Len(t, exercises, len(files), "exercises of files that are gone")
	engines(t, func(t *testing.T, engine string) {
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".yaml")
			t.Run(name, func(t *testing.T) { runExample(t, engine, file, exercises[name]) })
		}
	})
}

func runExample(t *testing.T, engine, file string, list []exercise) {
	c, err := config.Load(file)
	require.NoError(t, err)
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(seen{"origin", r.Method, r.Host, r.RequestURI, string(body), r.Header})
	}))
	origin.Config.Protocols = new(http.Protocols)
	origin.Config.Protocols.SetHTTP1(true)
	origin.Config.Protocols.SetUnencryptedHTTP2(true)
	origin.Start()
	defer origin.Close()
	c.Workers.Count, c.Workers.CPUs, c.Workers.Engine = 1, nil, engine
	c.Workers.Accept = "hash" // by CPU needs pinned workers
	c.Admin.Address = ""
	c.AccessLog.Path = filepath.Join(t.TempDir(), "access.log")
	c.DrainIdle = 0
	for i := range c.Listeners {
		c.Listeners[i].Address, c.Listeners[i].TLS, c.Listeners[i].ProxyProtocol = "127.0.0.1:0", nil, false
	}
	for i := range c.Clusters {
		cl := &c.Clusters[i]
		cl.TLS, cl.ProxyProtocol = nil, "off"
		if cl.Protocol == "auto" {
			cl.Protocol = "h1" // without TLS there is nobody to ask
		}
		for j := range cl.Endpoints {
			cl.Endpoints[j].Address = origin.Listener.Addr().String()
		}
	}
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	s, err := Start(snap, "test")
	require.NoError(t, err)
	g := &gateway{t: t, s: s, addr: s.Addrs()[0].TCP.String()}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.Zero(t, s.Drain(ctx))
	}()
	hc := httpClient(t)
	defer hc.CloseIdleConnections()
	for _, x := range list {
		parts := strings.Split(x.request, "|")
		method, path, _ := strings.Cut(parts[0], " ")
		body := ""
		if method != "GET" {
			body = "sent"
		}
		resp, _ := g.ask(hc, method, path, body, parts[1:]...)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, x.status, resp.StatusCode, "%s: %s", x.request, text)
		if where := resp.Header.Get("Location"); where != "" {
			text = []byte(where)
		}
		require.Contains(t, string(text), x.want, x.request)
	}
}
