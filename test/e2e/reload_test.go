//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reloadable is the configuration of a gateway whose /generation answers with a word, and which has further routes that nobody asks for.
func reloadable(engine, origin, word string, routes int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `workers: {count: 1, engine: %s}
listeners:
  - {name: edge, address: 127.0.0.1:0}
clusters:
  - {name: up, endpoints: [{address: %s}]}
routes:
  - {match: {path: /generation}, respond: {body: %q}}
  - {match: {path: /ws}, cluster: up, allow_upgrade: true}
  - {match: {path: /*}, cluster: up}
`, engine, origin, word)
	for i := range routes {
		fmt.Fprintf(&b, "  - {match: {host: h%d.example.com, path: \"/api/%d/*\"}, cluster: up}\n", i%100, i)
	}
	return b.String()
}

// replaceFile changes a file in one step.
func replaceFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}

// Reloads one after another, under requests over kept connections, over new ones, and through WebSockets: nobody notices anything but the
// change itself. BLITZ_RELOADS=1000 is the long version.
func TestReloadsUnderLoad(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			up := echoing(t)
			config := file(t, reloadable(engine, up, "0", 10))
			p := start(t, "serve", "--config", config)
			l := load(t, p.addr, 16, 8, 4)
			l.flowing(true)
			url := "http://" + p.addr + "/generation"
			c := &http.Client{Timeout: patience}
			defer c.CloseIdleConnections()
			n := many(t, "BLITZ_RELOADS", 60)
			for i := 1; i <= n; i++ {
				word := fmt.Sprint(i)
				replaceFile(t, config, reloadable(engine, up, word, 10))
				p.signal(syscall.SIGHUP)
				for end := time.Now().Add(patience); ; {
					r, err := c.Get(url)
					require.NoError(t, err)
					b, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.NoError(t, r.Body.Close())
					if string(b) == word {
						break
					}
					require.Equal(t, fmt.Sprint(i-1), string(b), "either the old one or the new one")
					require.True(t, time.Now().Before(end), "reload %d does not come into force", i)
				}
			}
			l.flowing(true)
			require.Empty(t, l.end())
			p.signal(syscall.SIGTERM)
			require.Zero(t, p.exit(), p.log())
			require.Equal(t, n, strings.Count(p.log(), "INFO configuration reloaded"))
		})
	}
}

// How long it takes from the signal to the first request under the new configuration: the figures are in the log of the test (-v), which holds only that the
// change happens. BLITZ_RELOAD_ROUTES=10000 measures with as many routes.
func TestTimeToTheFirstRequestOnTheNewConfiguration(t *testing.T) {
	up := echoing(t)
	routes := many(t, "BLITZ_RELOAD_ROUTES", 10)
	config := file(t, reloadable("auto", up, "0", routes))
	p := start(t, "serve", "--config", config)
	url := "http://" + p.addr + "/generation"
	c := &http.Client{Timeout: patience}
	defer c.CloseIdleConnections()
	var took []time.Duration
	var inside []string
	for i := 1; i <= 21; i++ {
		word := fmt.Sprint(i)
		replaceFile(t, config, reloadable("auto", up, word, routes))
		begin := time.Now()
		p.signal(syscall.SIGHUP)
		for got := ""; got != word; {
			r, err := c.Get(url)
			require.NoError(t, err)
			b, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
			got = string(b)
			require.Less(t, time.Since(begin), patience)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	for _, m := range regexp.MustCompile(`took=(\S+)`).FindAllStringSubmatch(p.log(), -1) {
		inside = append(inside, m[1])
	}
	t.Logf("as the gateway tells: %v", inside)
	t.Logf("%d routes: median %v, fastest %v, slowest %v", routes, took[len(took)/2], took[0], took[len(took)-1])
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit(), p.log())
}
