package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// files writes files into a folder and returns it.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func TestInclude(t *testing.T) {
	dir := files(t, map[string]string{
		"main.yaml":     "include: [conf.d/*.yaml, none.d/*.yaml]\nlisteners: [{address: ':8080'}]\nroutes:\n  - {match: {path: /a}, respond: {body: main}}\n",
		"conf.d/2.yaml": "routes:\n  - {match: {path: /c}, cluster: x}\n  - {match: {path: /d}, respond: {file: d.txt}}\n",
		"conf.d/1.yaml": "include: [../deep.yaml]\nclusters:\n  - {name: x, endpoints: [{address: 127.0.0.1:1}]}\ndrain_timeout: 3s\n",
		"conf.d/d.txt":  "from a file",
		"deep.yaml":     "routes:\n  - {match: {path: /b}, cluster: x}\n",
	})
	c, err := Load(filepath.Join(dir, "main.yaml"))
	require.NoError(t, err)
	var paths []string
	for _, r := range c.Routes {
		paths = append(paths, r.Match.Path)
	}
	require.Equal(t, []string{"/a", "/b", "/c", "/d"}, paths)
	require.Equal(t, "3s", c.DrainTimeout.String())
	require.Equal(t, "from a file", string(c.Routes[3].Respond.Content()))
}

func TestIncludeProblems(t *testing.T) {
	dir := files(t, map[string]string{
		"main.yaml":   "include: [a.yaml, a.yaml, missing.yaml, '[', bad.yaml]\nlisteners: [{address: ':8080'}]\ndrain_timeout: 1s\nroutes: [{echo: true}]\n",
		"a.yaml":      "include: [main.yaml]\ndrain_timeout: 2s\nroutes:\n  - {match: {path: /x}, clutser: x}\n",
		"bad.yaml":    "a: [\n",
		"second.yaml": "include: [third.yaml]\nlisteners: [{name: l, address: ':8080'}]\nroutes: [{name: r, echo: true}]\n",
		"third.yaml":  "routes:\n  - {match: {path: /y}, cluster: nope}\n  - {name: r, match: {path: /z}, echo: true}\n",
	})
	_, err := Load(filepath.Join(dir, "main.yaml"))
	require.Error(t, err)
	text := strings.ReplaceAll(err.Error(), dir+"/", "")
	require.Contains(t, text, "a.yaml:1:11: main.yaml includes itself in the end; expected no circle\n")
	require.Contains(t, text, "a.yaml:2:1: key \"drain_timeout\" is given twice; it is already at main.yaml:3:1\n")
	require.Contains(t, text, "main.yaml:1:19: a.yaml is included twice; it is already at main.yaml:1:11\n")
	require.Contains(t, text, "main.yaml:1:27: cannot read missing.yaml: no such file or directory; expected a readable file; a pattern may match none\n")
	require.Contains(t, text, "\"[\" is not a pattern")
	require.Contains(t, text, "bad.yaml:1:")

	_, err = Load(filepath.Join(dir, "second.yaml"))
	text = strings.ReplaceAll(err.Error(), dir+"/", "")
	require.Equal(t, "third.yaml:2:34: unknown cluster \"nope\"; no clusters are defined\nthird.yaml:3:12: route name \"r\" is taken; line 3 of second.yaml has it already", text)
}

// What a reference stands for is put in, and shown to nobody.
func TestReferencesStaySecret(t *testing.T) {
	dir := files(t, map[string]string{"secret": "hunter22\n"})
	t.Setenv("BLITZ_TEST_SECRET", "tops3cret")
	text := "listeners: [{address: ':8080'}]\nroutes:\n  - {match: {path: /a}, respond: {headers: {X-A: '${BLITZ_TEST_SECRET}'}, body: '${file:secret}'}}\n"
	c, err := Parse(filepath.Join(dir, "f.yaml"), []byte(text))
	require.NoError(t, err)
	require.Equal(t, "hunter22", c.Routes[0].Respond.Body)
	require.Equal(t, "tops3cret", c.Routes[0].Respond.Headers[0].Value)
	out := string(YAML(c))
	require.NotContains(t, out, "hunter22")
	require.NotContains(t, out, "tops3cret")
	require.Contains(t, out, `body: "${file:secret}"`)

	_, err = Parse("f.yaml", []byte("listeners: [{address: '${BLITZ_TEST_SECRET}'}]\nroutes: [{cluster: '${BLITZ_TEST_SECRET}'}]\ndrain_timeout: ${BLITZ_TEST_SECRET}\n"))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "tops3cret")
	require.Contains(t, err.Error(), `unknown cluster "${BLITZ_TEST_SECRET}"`)
}
