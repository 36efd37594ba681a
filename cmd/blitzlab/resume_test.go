package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/result"
)

// A bench that is ended between two scenarios, politely or not, goes on with the second one: one run, the first result untouched, nothing left over.
func TestInterruptedBenchIsResumed(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			out, bin := t.TempDir(), labtest.Programs(t)
			cmd, _, stderr, tmp := blitzlab(t, "bench", "--scenario", "h1-static,h1-proxy-1k", "--targets", "blitz", "--pairs", "1", "--duration", "400ms",
				"--connections", "1", "--bin-dir", bin, "--out", out, "--force", "--no-report", "--keep-sysctls", "--seed", "7")
			require.NoError(t, cmd.Start())
			first := func() string {
				m, _ := filepath.Glob(filepath.Join(out, "*", "*", "h1-static", result.FileName))
				if len(m) == 0 {
					return ""
				}
				return m[0]
			}
			if !assert.Eventually(t, func() bool { return first() != "" }, 60*time.Second, time.Millisecond) {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				t.Fatal(stderr.String())
			}
			require.NoError(t, cmd.Process.Signal(sig))
			require.Error(t, cmd.Wait())
			assertGone(t, tmp)
			if sig == syscall.SIGTERM {
				assert.Contains(t, stderr.String(), "to go on: blitzlab bench --resume "+filepath.Dir(filepath.Dir(first())))
			}
			before, err := os.ReadFile(first())
			require.NoError(t, err)
			dir := filepath.Dir(filepath.Dir(first()))
			require.NoDirExists(t, filepath.Join(dir, "h1-proxy-1k"), "it was ended before the second scenario was done")

			// Another executable is another run.
			other, _, stderr, _ := blitzlab(t, "bench", "--resume", dir, "--bin-dir", labtest.Programs(t, "BODY=x"))
			assert.Equal(t, 2, exit(t, other))
			assert.Contains(t, stderr.String(), "executable of")

			again, _, stderr, tmp := blitzlab(t, "bench", "--resume", dir)
			require.Zero(t, exit(t, again), stderr.String())
			assertGone(t, tmp)
			assert.Contains(t, stderr.String(), "was finished before the interruption")
			after, err := os.ReadFile(first())
			require.NoError(t, err)
			assert.Equal(t, string(before), string(after))
			all, err := result.ReadAll(out)
			require.NoError(t, err)
			require.Len(t, all, 2)
			assert.Equal(t, all[0].Run.ID, all[1].Run.ID)
			left, err := filepath.Glob(filepath.Join(dir, ".*"))
			require.NoError(t, err)
			assert.Empty(t, left)

			again, _, stderr, _ = blitzlab(t, "bench", "--resume", dir)
			assert.Equal(t, 2, exit(t, again))
			assert.Contains(t, stderr.String(), "nothing to resume")
		})
	}
}
