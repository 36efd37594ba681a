package target_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/caddy"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
	"github.com/blitz-gateway/blitz/internal/programs"
)

func ownBlitz(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, programs.Build(dir, "blitz"))
	return filepath.Join(dir, "blitz")
}

func fetch(addr, path string) (string, error) {
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Get("http://" + addr + path)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

// Each reloadable target, by its own program: routes, the origin and a WebSocket's upgrade go where they should, and a new marker is taken up while it runs.
func TestReloadableConfigurations(t *testing.T) {
	own := ownBlitz(t)
	for _, sys := range []target.Target{blitz.New("blitz", own), nginx.New(), haproxy.New(), caddy.New()} {
		t.Run(sys.Name(), func(t *testing.T) {
			bin, err := sys.Locate(context.Background())
			if err != nil {
				t.Skipf("%v: its configuration was not tried by the program itself", err)
			}
			re := sys.(target.Reloader)
			o := newOrigin(t)
			ws, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ws.Close()
			go func() {
				for {
					c, err := ws.Accept()
					if err != nil {
						return
					}
					req, err := http.ReadRequest(bufio.NewReader(c))
					if err == nil && strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
						_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhi")
					}
					defer c.Close()
				}
			}()
			set := proc.NewSet(nil)
			defer func() { assert.NoError(t, set.Close()) }()
			dir, err := os.MkdirTemp("", "reload") // names of sockets are short
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			run, err := target.Start(set, target.Reloadable(re), bin, target.Plan{
				Dir: dir, Host: "127.0.0.1", Port: freePort(t), AdminPort: freePort(t), OriginHost: "127.0.0.1", OriginPort: o.addr.Port,
				WebSocketPort: ws.Addr().(*net.TCPAddr).Port, CPUs: []int{0}, Proxied: true, Routes: 20, Marker: "first",
			})
			require.NoError(t, err)
			require.NoError(t, run.AwaitReady(context.Background(), target.MarkerPath, 10*time.Second))
			for path, want := range map[string]string{target.MarkerPath: "first", "/r/0": "0", "/r/19": "19", "/large": string(o.body)} {
				got, err := fetch(run.Plan.Addr(), path)
				require.NoError(t, err, path)
				require.True(t, want == got, "%s: %.100q", path, got)
			}
			c, err := net.Dial("tcp", run.Plan.Addr())
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
			_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.WebSocketPath)
			require.NoError(t, err)
			br := bufio.NewReader(c)
			res, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
			two := make([]byte, 2)
			_, err = io.ReadFull(br, two)
			require.NoError(t, err)
			assert.Equal(t, "hi", string(two))

			w, err := target.NewRewriter(run)
			require.NoError(t, err)
			for _, marker := range []string{"second", "third", "fourth", "fifth", "sixth"} {
				require.NoError(t, w.Write(marker))
				if a, ok := re.(target.Awaiter); ok {
					require.NoError(t, a.Ready(context.Background(), run))
				}
				require.NoError(t, re.Reload(context.Background(), run))
				require.Eventually(t, func() bool {
					got, err := fetch(run.Plan.Addr(), target.MarkerPath)
					return err == nil && got == marker
				}, 10*time.Second, 5*time.Millisecond, marker)
			}
			got, err := fetch(run.Plan.Addr(), "/r/19")
			require.NoError(t, err)
			assert.Equal(t, "19", got)
			require.NoError(t, run.Stop())
		})
	}
}

// The configuration with everything on has what it says, and its access log has a line for each request.
func TestFullConfiguration(t *testing.T) {
	sys := blitz.New("blitz", ownBlitz(t))
	bin, err := sys.Locate(context.Background())
	require.NoError(t, err)
	full := target.Full(sys.(target.Equipped))
	assert.Equal(t, "blitz-full", full.Name())
	assert.True(t, target.IsFull(full.Name()))
	assert.False(t, target.IsFull(sys.Name()))
	o := newOrigin(t)
	set := proc.NewSet(nil)
	defer func() { assert.NoError(t, set.Close()) }()
	run, err := target.Start(set, full, bin, target.Plan{
		Dir: t.TempDir(), Host: "127.0.0.1", Port: freePort(t), AdminPort: freePort(t), OriginHost: "127.0.0.1", OriginPort: o.addr.Port, CPUs: []int{0}, Proxied: true,
	})
	require.NoError(t, err)
	require.NoError(t, run.AwaitReady(context.Background(), target.StaticPath, 10*time.Second))
	assert.Equal(t, target.FullRoutes, strings.Count(run.Launch.Files[0].Text, "- match:"))
	for _, path := range []string{"/1k", "/service/97/x"} {
		got, err := fetch(run.Plan.Addr(), path)
		require.NoError(t, err)
		assert.True(t, string(o.body) == got)
	}
	lost, err := full.(target.Equipped).Lost(context.Background(), run)
	require.NoError(t, err)
	assert.Zero(t, lost)
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join(run.Plan.Dir, target.FullLog))
		return err == nil && strings.Contains(string(b), `"/service/97/x"`)
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, run.Stop())
}
