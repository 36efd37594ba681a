package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// h2load, a client that is not ours, with many streams on a few connections: nothing fails and nothing is answered by another status.
func TestH2Load(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, engine string) {
		handler := func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%d bytes", n)
		}
		g := gate(t, engine, setup{endpoints: []string{serve(t, handler)}})
		up := gate(t, engine, setup{endpoints: []string{serveH2(t, handler)}, cluster: "protocol: h2"})
		body := filepath.Join(t.TempDir(), "body")
		require.NoError(t, os.WriteFile(body, make([]byte, 100<<10), 0o600))
		for _, args := range [][]string{
			{"-n2000", "-c4", "-m16", g.url("/hello")},
			{"-n500", "-c3", "-m8", g.url("/proxied")},
			{"-n60", "-c3", "-m8", "-d", body, g.url("/echo/x")},
			{"-n60", "-c3", "-m8", "-d", body, g.url("/proxied")},
			{"-n500", "-c3", "-m8", up.url("/proxied")},
			{"-n60", "-c3", "-m8", "-d", body, up.url("/proxied")},
		} {
			out, err := tool(t, "", "h2load", args...)
			require.NoError(t, err, out)
			n := strings.TrimPrefix(args[0], "-n")
			require.Contains(t, out, n+" succeeded, 0 failed, 0 errored, 0 timeout", "%v", args)
			require.Contains(t, out, "status codes: "+n+" 2xx", "%v", args)
		}
	})
}

// nghttpd serves files over HTTP/2 with prior knowledge and sends uploads back. It returns the address.
func nghttpd(t *testing.T, dir string) string {
	t.Helper()
	path, err := exec.LookPath("nghttpd")
	if err != nil {
		path = "/usr/sbin/nghttpd"
		if _, err := os.Stat(path); err != nil {
			t.Skip("nghttpd is not installed; .ci/deps lists what the tests use")
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	ln.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--no-tls", "--echo-upload", "-a", "127.0.0.1", "-d", dir, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	eventually(t, "nghttpd listens", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return addr
}

// An upstream of HTTP/2 that is neither ours nor Go's.
func TestH2UpstreamNghttpd(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600))
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{endpoints: []string{nghttpd(t, dir)}, cluster: "protocol: h2"})
		c := g.dial()
		for range 3 {
			r := c.ask(get("/file"))
			require.Equal(t, 200, r.StatusCode)
			require.True(t, r.Text == text, "%d bytes, not those of the file", len(r.Text))
			require.Contains(t, r.Header.Get("Server"), "nghttpd")
		}
		require.Equal(t, 404, c.ask(get("/none")).StatusCode)
		r := c.ask(request("POST", "/upload", text[:100<<10]))
		require.Equal(t, 200, r.StatusCode)
		require.True(t, r.Text == text[:100<<10], "%d bytes came back", len(r.Text))
		h := g.dialH2()
		h.headers(1, true, "GET", "/file")
		require.True(t, h.read(1).body == text)
		c.Close()
		h.Close()
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
	})
}
