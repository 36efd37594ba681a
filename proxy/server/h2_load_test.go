package server

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
