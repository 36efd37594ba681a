//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurl(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p := start(t, "serve", "--config", file(t, proxy(engine, origin(t, reflect))))
		require.Contains(t, p.log(), "engine="+engine)
		url := "http://" + p.addr
		curl := func(args ...string) string {
			return tool(t, "curl", append([]string{"-sS", "--max-time", "15"}, args...)...)
		}
		require.Equal(t, "hello\n", curl(url+"/hello"))
		require.Equal(t, "GET /a?b=c 0 bytes\n", curl(url+"/a?b=c"))
		require.Equal(t, "ping", curl("-d", "ping", url+"/echo/"))
		head := curl("-I", url+"/hello")
		require.Contains(t, head, "HTTP/1.1 200 OK\r\n")
		require.Contains(t, head, "content-length: 6\r\n")
		require.Equal(t, "GET /1 0 bytes\nGET /2 0 bytes\n", curl(url+"/1", url+"/2"), "one connection for both")
		require.Equal(t, "GET /old 0 bytes\n", curl("-0", url+"/old"))

		// Big enough for curl to ask with Expect: 100-continue, by length and in chunks.
		big := filepath.Join(t.TempDir(), "big")
		require.NoError(t, os.WriteFile(big, []byte(strings.Repeat("0123456789abcdef", 128<<10)), 0o600))
		verbose := curl("-v", "--data-binary", "@"+big, url+"/up")
		require.Contains(t, verbose, "POST /up 2097152 bytes\n")
		require.Contains(t, verbose, "< HTTP/1.1 100 Continue")
		require.Equal(t, "PUT /up 2097152 bytes\n", curl("-T", big, "-H", "Transfer-Encoding: chunked", url+"/up"))
		require.Equal(t, "404 Not Found: no_route: no route matches this host and path\n", curl("-X", "OPTIONS", "--request-target", "*", url+"/"))
	})
}

func TestWrk(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p := start(t, "serve", "--config", file(t, proxy(engine, origin(t, reflect))))
		for _, path := range []string{"/hello", "/proxied"} {
			out := tool(t, "wrk", "-t1", "-c16", "-d1s", "http://"+p.addr+path)
			require.NotContains(t, out, "Socket errors", out)
			require.NotContains(t, out, "Non-2xx", out)
			m := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(out)
			require.NotNil(t, m, out)
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			require.Positive(t, n)
		}
	})
}

func TestH2load(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p := start(t, "serve", "--config", file(t, proxy(engine, origin(t, reflect))))
		for _, path := range []string{"/hello", "/proxied"} {
			out := tool(t, "h2load", "--h1", "-n2000", "-c10", "http://"+p.addr+path)
			require.Contains(t, out, "2000 succeeded, 0 failed, 0 errored, 0 timeout", out)
			require.Contains(t, out, "status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx", out)
		}
	})
}

func TestGoClient(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p := start(t, "serve", "--config", file(t, proxy(engine, origin(t, reflect))))
		c := &http.Client{Timeout: patience}
		defer c.CloseIdleConnections()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 50 {
					body := strings.Repeat("x", j*257)
					want := fmt.Sprintf("POST /%d/%d %d bytes\n", i, j, len(body))
					var r io.Reader = strings.NewReader(body)
					if j%2 == 1 {
						r = io.MultiReader(r) // hides the length: chunked
					}
					res, err := c.Post(fmt.Sprintf("http://%s/%d/%d", p.addr, i, j), "text/plain", r)
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil || string(got) != want || res.Header.Get("X-Origin") != "yes" {
						t.Errorf("%q %v, want %q", got, err, want)
					}
				}
			})
		}
		all.Wait()
	})
}
