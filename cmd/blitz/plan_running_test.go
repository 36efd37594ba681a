package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// A running gateway shows references and no secrets, wherever they stand: in addresses, in words, in names. That is enough for a plan.
func TestPlanOfWhatRunsWithReferencesAndSecrets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
		return f
	}
	t.Setenv("BLITZ_PLAN_TOKEN", "a token of many characters")
	t.Setenv("BLITZ_PLAN_ADDRESS", "127.0.0.1:0")
	t.Setenv("BLITZ_PLAN_BALANCE", "p2c")
	t.Setenv("BLITZ_PLAN_CLUSTER", "api")
	t.Setenv("BLITZ_PLAN_PATH", "/secret/path")
	write("answer.txt", "from a file")
	for name, token := range map[string]string{"literal": "a token of the file itself", "reference": "${BLITZ_PLAN_TOKEN}"} {
		t.Run(name, func(t *testing.T) {
			text := `
workers: {count: 1, engine: epoll}
admin: {address: "${BLITZ_PLAN_ADDRESS}", token: "` + token + `"}
listeners: [{name: edge, address: "${BLITZ_PLAN_ADDRESS}"}]
clusters: [{name: api, balance: "${BLITZ_PLAN_BALANCE}", sticky: {cookie: c, secret: "${BLITZ_PLAN_TOKEN}"}, endpoints: [{address: "127.0.0.1:${BLITZ_PLAN_PORT:-9}"}]}]
routes:
  - {match: {path: "${BLITZ_PLAN_PATH}"}, respond: {file: answer.txt}}
  - {name: b, match: {path: /b}, cluster: "${BLITZ_PLAN_CLUSTER}"}
`
			file := write("now.yaml", text)
			c, err := config.Load(file)
			require.NoError(t, err)
			snap, err := snapshot.Build(c, 1)
			require.NoError(t, err)
			s, err := server.Start(snap, "test")
			require.NoError(t, err)
			t.Cleanup(s.Stop)
			plan := func(file string) string {
				var out, errs bytes.Buffer
				p := PlanCmd{Config: file, Admin: s.Admin().Addr().String()}
				require.NoError(t, p.run(&out, &errs), errs.String())
				return out.String()
			}
			require.Equal(t, "nothing changes\n", plan(file))
			out := plan(write("next.yaml", strings.Replace(text, "BLITZ_PLAN_PORT:-9", "BLITZ_PLAN_PORT:-10", 1)))
			require.Contains(t, out, `endpoints[0].address: "127.0.0.1:${BLITZ_PLAN_PORT:-9}" → "127.0.0.1:${BLITZ_PLAN_PORT:-10}"`)
			require.NotContains(t, out, "routes:")
		})
	}
}
