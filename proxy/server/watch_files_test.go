package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// What the configuration is made of is watched as it is itself: certificates behind links that are exchanged, included files, new ones too, and files of references,
// also while a configuration is refused because of them.
func TestChangesOfFilesBesideTheConfigurationAreNoticed(t *testing.T) {
	a := newIssuer(t)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	volume := func(name, common string) {
		cert, key := a.issue(common, false, "site.test")
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.Rename(cert, filepath.Join(dir, name, "tls.crt")))
		require.NoError(t, os.Rename(key, filepath.Join(dir, name, "tls.key")))
		require.NoError(t, os.Symlink(name, filepath.Join(dir, "..new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	}
	volume("..1", "first")
	for _, name := range []string{"tls.crt", "tls.key"} {
		require.NoError(t, os.Symlink("..data/"+name, filepath.Join(dir, name)))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "conf.d"), 0o700))
	write("word", "one")
	write("conf.d/a.yaml", "routes: [{match: {path: /a}, respond: {body: a}}]\n")
	file := filepath.Join(dir, "blitz.yaml")
	write("blitz.yaml", fmt.Sprintf("workers: {count: 1, engine: epoll}\ninclude: [conf.d/*.yaml]\nlisteners: [{address: \"127.0.0.1:0\", tls: {certificates: [{cert: %[1]s/tls.crt, key: %[1]s/tls.key}]}}]\nroutes: [{match: {path: /word}, respond: {body: \"${file:word}\"}}]\n", dir))
	c, err := config.Load(file)
	require.NoError(t, err)
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	s, err := Start(snap, "test")
	require.NoError(t, err)
	defer s.Stop()
	r := NewReloader(s, file)
	defer r.Close()
	require.NoError(t, r.Watch())
	g := &gateway{t: t, s: s, addr: s.Addrs()[0].TCP.String()}
	ask := func(path string) string {
		c := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "site.test"})
		defer c.Close()
		return c.ask(get(path)).Text
	}
	name := func() string {
		c := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "site.test"})
		defer c.Close()
		return c.tls.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	require.Equal(t, "first", name())
	volume("..2", "second")
	eventually(t, "the second certificate", func() bool { return name() == "second" })
	write("word", "two")
	eventually(t, "the other word", func() bool { return ask("/word") == "two" })
	write("conf.d/a.yaml", "routes: [{match: {path: /a}, respond: {body: other}}]\n")
	eventually(t, "the other answer", func() bool { return ask("/a") == "other" })
	write("conf.d/b.yaml", "routes: [{match: {path: /b}, respond: {body: \"${file:../later}\"}}]\n")
	eventually(t, "it is refused", func() bool { return s.registry.Config.Failures.Load() > 0 })
	write("later", "now")
	eventually(t, "what was missing is there", func() bool { return ask("/b") == "now" })
	volume("..3", "third")
	eventually(t, "the third certificate", func() bool { return name() == "third" })
}

// What cannot be put in force although it is well formed is tried again when a file that only it is made of is mended.
func TestMendingAnIncludedFileOfARefusedConfigurationIsNoticed(t *testing.T) {
	g := gate(t, "epoll", setup{})
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	text := setup{}.yaml("epoll", g.logPath)
	write("blitz.yaml", text)
	r := NewReloader(g.s, filepath.Join(dir, "blitz.yaml"))
	defer r.Close()
	require.NoError(t, r.Watch())
	write("extra.yaml", fmt.Sprintf("listeners: [{name: extra, address: %q}]\n", listen(t).addr))
	write("blitz.yaml", "include: [extra.yaml]\n"+text)
	eventually(t, "it is refused", func() bool { return g.metric("blitz_config_reload_failures_total") == 1 })
	require.EqualValues(t, 1, g.s.Snapshot().Generation)
	write("extra.yaml", "listeners: [{name: extra, address: \"127.0.0.1:0\"}]\n")
	eventually(t, "the mended one is in force", func() bool { return g.s.Snapshot().Generation == 2 })
	require.Len(t, g.s.Addrs(), 2)
}
