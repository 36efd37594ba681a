package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	var out, errs bytes.Buffer
	validate := func(file string) error { return (&ValidateCmd{File: file}).run(&out, &errs) }
	require.NoError(t, validate("../../examples/proxy.yaml"))
	require.Equal(t, "../../examples/proxy.yaml: ok (1 listener, 2 clusters, 7 routes)\n", out.String())
	require.Empty(t, errs.String())

	file := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(file, []byte("listeners:\n  - adress: :8080\nroutes:\n  - cluster: x\n"), 0o600))
	out.Reset()
	require.Equal(t, exitStatus(1), validate(file))
	require.Empty(t, out.String())
	require.Equal(t, file+":2:5: unknown key \"adress\"; did you mean \"address\"?\n"+file+":4:14: unknown cluster \"x\"; no clusters are defined\n", errs.String())

	errs.Reset()
	require.Equal(t, exitStatus(1), validate(filepath.Join(t.TempDir(), "none.yaml")))
	require.Contains(t, errs.String(), "no such file or directory")

	// Certificates may be on another machine only; --full wants them here.
	file = filepath.Join(t.TempDir(), "tls.yaml")
	require.NoError(t, os.WriteFile(file, []byte("listeners: [{address: ':8443', tls: {certificates: [{cert: /none/edge.crt, key: /none/edge.key}]}}]\n"+
		"clusters: [{name: a, endpoints: [{address: '127.0.0.1:1'}], tls: {ca: /none/ca.pem}}]\nroutes: [{cluster: a}]\n"), 0o600))
	require.NoError(t, validate(file))
	errs.Reset()
	require.Equal(t, exitStatus(1), (&ValidateCmd{File: file, Full: true}).run(&out, &errs))
	require.Contains(t, errs.String(), "/none/edge.crt")
	require.Contains(t, errs.String(), "/none/ca.pem")
	out.Reset()
	require.NoError(t, (&ValidateCmd{File: "../../examples/proxy.yaml", Full: true}).run(&out, &errs))
	require.Contains(t, out.String(), "ok (")
}

func TestExplainCommand(t *testing.T) {
	var out, errs bytes.Buffer
	c := ExplainCmd{Config: "../../examples/proxy.yaml", Headers: []string{"host: api.example.com", "Accept: */*"}, Method: "GET", URL: "/users/7/posts"}
	require.NoError(t, c.run(&out, &errs))
	require.Contains(t, out.String(), "→ route user posts (api.example.com, /users/{id}/posts, GET, POST)\n  forwards to cluster api, round_robin over 127.0.0.1:9000, 127.0.0.1:9001\n  {id} is 7\n")

	out.Reset()
	c.JSON = true
	require.NoError(t, c.run(&out, &errs))
	var e snapshot.Explanation
	require.NoError(t, json.Unmarshal(out.Bytes(), &e))
	require.Equal(t, "user posts", e.Route.Name)
	require.Len(t, e.Others, 6)

	out.Reset()
	c = ExplainCmd{Method: "GET", URL: "http://localhost:8080/hello"}
	require.NoError(t, c.run(&out, &errs))
	require.Contains(t, out.String(), "→ route /hello (any host, /hello, any method)\n  answers 200 from the configuration\n")

	c = ExplainCmd{Headers: []string{"Host"}, Method: "GET", URL: "/"}
	require.ErrorContains(t, c.run(&out, &errs), `header "Host": expected a name, a colon and a value`)
	require.Empty(t, errs.String())

	file := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(file, []byte("routes: 5\n"), 0o600))
	c = ExplainCmd{Config: file, Method: "GET", URL: "/"}
	require.Equal(t, exitStatus(1), c.run(&out, &errs))
	require.Contains(t, errs.String(), file+":1:9: found the number 5; expected a list\n")
}
