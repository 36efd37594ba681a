package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
)

const planBefore = `
listeners:
  - {name: edge, address: 127.0.0.1:8080}
  - {name: old, address: 127.0.0.1:8081}
clusters:
  - {name: api, endpoints: [{address: 127.0.0.1:1}]}
  - {name: same, endpoints: [{address: 127.0.0.1:2}]}
routes:
  - {name: a, match: {path: /a}, cluster: api}
  - {name: b, match: {path: /b}, cluster: same}
  - {name: c, match: {path: /c}, respond: {body: "${BLITZ_PLAN_SECRET:-x}"}}
`

const planAfter = `
listeners:
  - {name: edge, address: 127.0.0.1:8080, max_requests: 100}
  - {name: new, address: 127.0.0.1:8082}
clusters:
  - {name: api, endpoints: [{address: 127.0.0.1:1}, {address: 127.0.0.1:3}], timeouts: {connect: 1s}}
  - {name: same, endpoints: [{address: 127.0.0.1:2}]}
routes:
  - {name: a, match: {path: /a, methods: [GET]}, cluster: same}
  - {name: c, match: {path: /c}, respond: {body: "${BLITZ_PLAN_SECRET:-x}"}}
  - {name: d, match: {path: /d}, echo: true}
workers: {count: 3}
`

const planned = `listeners: 1 added, 1 changed, 1 removed, 0 as before
  + new: begins to accept
  ~ edge: keeps its sockets and connections
      max_requests: (not given) → 100
  - old: closes, its connections end after their request
clusters: 0 added, 1 changed, 0 removed, 1 as before
  ~ api: keeps its connections
      endpoints[1].address: (not given) → "127.0.0.1:3"
      endpoints[1].weight: (not given) → 1
      timeouts.connect: 2s → 1s
routes: 1 added, 1 changed, 1 removed, 1 as before
  + d
  ~ a
      match.methods: (not given) → [GET]
      cluster: api → same
  - b
settings:
  workers.count: (not given) → 3
  workers.count needs a restart
`

func TestPlan(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
		return f
	}
	before, after, bad := write("before.yaml", planBefore), write("after.yaml", planAfter), write("bad.yaml", "routes: 5\n")
	run := func(c PlanCmd) (string, string, error) {
		var out, errs bytes.Buffer
		err := c.run(&out, &errs)
		return out.String(), errs.String(), err
	}
	out, _, err := run(PlanCmd{Config: after, Current: before})
	require.NoError(t, err)
	require.Equal(t, planned, out)
	out, _, err = run(PlanCmd{Config: after, Current: after})
	require.NoError(t, err)
	require.Equal(t, "nothing changes\n", out)
	_, errs, err := run(PlanCmd{Config: bad, Current: before})
	require.Equal(t, exitStatus(1), err)
	require.Contains(t, errs, bad+":1:9: found the number 5; expected a list\n")

	// The same from a gateway's admin listener, which shows references and no secrets.
	t.Setenv("BLITZ_PLAN_SECRET", "secret")
	c, err := config.Load(before)
	require.NoError(t, err)
	text := config.YAML(c)
	require.NotContains(t, string(text), "secret\"")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	status := "200 OK"
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			head := make([]byte, 1024)
			n, _ := conn.Read(head)
			if bytes.HasPrefix(head[:n], []byte("GET /config.yaml ")) {
				_, _ = conn.Write(append([]byte("HTTP/1.1 "+status+"\r\nConnection: close\r\n\r\n"), text...))
				status = "404 Not Found"
			} else {
				_, _ = conn.Write([]byte("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"))
			}
			conn.Close()
		}
	}()
	out, errs, err = run(PlanCmd{Config: after, Admin: ln.Addr().String()})
	require.NoError(t, err)
	require.Equal(t, planned, out)
	require.Contains(t, errs, "connections are not known: GET /load: 404 Not Found", "an older gateway")
	_, _, err = run(PlanCmd{Config: after, Admin: ln.Addr().String()})
	require.ErrorContains(t, err, "404 Not Found")
}
