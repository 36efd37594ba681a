package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// The test binary is blitzlab itself.
func TestMain(m *testing.M) {
	if os.Getenv("BLITZLAB_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(labtest.Run(m))
}

// blitzlab prepares the command with a lock, a scratch directory and a machine of its own.
func blitzlab(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer, tmp string) {
	t.Helper()
	if runtime.NumCPU() < 2 {
		t.Skip("server and load need a CPU each")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	tmp = t.TempDir()
	cmd = exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "BLITZLAB_TEST_MAIN=1", "TMPDIR="+tmp, "BLITZLAB_STATE="+filepath.Join(tmp, "state"))
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr, tmp
}

func exit(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Run()
	var e *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &e)
		return e.ExitCode()
	}
	return 0
}

// assertGone fails if a process still works in dir.
func assertGone(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool {
		all, err := filepath.Glob("/proc/[0-9]*/cwd")
		require.NoError(t, err)
		for _, p := range all {
			if cwd, err := os.Readlink(p); err == nil && strings.HasPrefix(cwd, dir) {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond, "a process is left in %s", dir)
}

func machines(t *testing.T) string {
	dir := t.TempDir()
	text := fmt.Sprintf("name: here\nexpect: {cpus: %d}\nroles: {server: \"0\", load: \"1\", origin: \"1\"}\n", runtime.NumCPU())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "here.yaml"), []byte(text), 0o644))
	return dir
}

func TestBenchWritesResultsAndReport(t *testing.T) {
	out, bin := t.TempDir(), labtest.Programs(t)
	cmd, stdout, stderr, tmp := blitzlab(t, "bench", "--scenario", "h1-static", "--targets", "blitz", "--pairs", "1", "--duration", "50ms", "--connections", "1",
		"--bin-dir", bin, "--out", out, "--force", "--no-report", "--json", "--seed", "7")
	require.Zero(t, exit(t, cmd), stderr.String())
	var printed []*result.Result
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &printed))
	require.Len(t, printed, 1)
	all, err := result.ReadAll(out)
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, printed[0].Groups, all[0].Groups)
	assert.Contains(t, all[0].Run.Command, "--seed 7")
	assert.NotContains(t, all[0].Run.Command, tmp)

	md, page := filepath.Join(tmp, "c.md"), filepath.Join(tmp, "r.html")
	cmd, _, stderr, _ = blitzlab(t, "report", "--results", out, "--markdown", md, "--html", page)
	require.Zero(t, exit(t, cmd), stderr.String())
	text, err := os.ReadFile(md)
	require.NoError(t, err)
	assert.Contains(t, string(text), "h1-static")

	// One byte of a result changed, and nothing is published.
	require.NoError(t, os.Remove(md))
	file := filepath.Join(all[0].Dir, result.FileName)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.Replace(b, []byte(`"pairs": 1`), []byte(`"pairs": 9`), 1), 0o644))
	cmd, _, stderr, _ = blitzlab(t, "report", "--results", out, "--markdown", md, "--html", page)
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "edited")
	assert.NoFileExists(t, md)
}

func TestWrongUseIsExplained(t *testing.T) {
	exe := filepath.Join(labtest.Programs(t), "blitz")
	for want, args := range map[string][]string{
		"no scenario":     {"bench", "--scenario", "h9-static"},
		"no target":       {"bench", "--targets", "apache", "--bin-dir", labtest.Programs(t)},
		"--bin-dir":       {"bench", "--bin-dir", "/nonexistent"},
		"must be one of":  {"bench", "--profile", "slow"},
		"neither":         {"gate", "--baseline", "no-such-revision", "--candidate", "x", "--bin-dir", labtest.Programs(t)},
		"missing flags":   {"gate"},
		"expired on":      {"gate", "--baseline", "x", "--candidate", "y", "--waivers", waiverFile(t)},
		"no metric":       {"gate", "--baseline", "x", "--candidate", "y", "--metrics", "speed"},
		"not be negative": {"bench", "--pairs=-1"},
		"vm-2core":        {"doctor", "--machine", "no-such-machine"}, // those that there are
		"--sample 0s":     {"doctor", "--sample", "0s"},
		"--ports 99999":   {"doctor", "--ports", "99999"},
		"must not be neg": {"gate", "--baseline", "x", "--candidate", "y", "--budget=-1s"},
		"not a load sce":  {"gate", "--baseline", "x", "--candidate", "y", "--scenario", "idle-10k"},
		"several hosts":   {"gate", "--baseline", exe, "--candidate", exe, "--machine", "three-host-lab", "--bin-dir", labtest.Programs(t)},
		"no results in /": {"query", "--results", "/nonexistent", "SELECT 1"},
		"blitzlab bench ": {"history", "--results", "/nonexistent"},
		"nothing is publ": {"report", "--results", "/nonexistent"},
		"holds no machin": {"project", "--machines", t.TempDir()},
	} {
		cmd, _, stderr, _ := blitzlab(t, args...)
		assert.Equal(t, 2, exit(t, cmd), want)
		assert.Contains(t, stderr.String(), want)
	}
}

// A gate does not begin while another laboratory measures: it would be the neighbour that spoils the other one's figures.
func TestAGateWaitsForNobodyAndDisturbsNobody(t *testing.T) {
	bin := labtest.Programs(t)
	cmd, _, stderr, tmp := blitzlab(t, "gate", "--baseline", filepath.Join(bin, "blitz"), "--candidate", filepath.Join(bin, "blitz"), "--bin-dir", bin)
	t.Setenv("TMPDIR", tmp)
	unlock, err := lab.Lock()
	require.NoError(t, err)
	defer unlock()
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "another blitzlab is measuring")
}

func waiverFile(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "waivers.yaml")
	text := "waivers:\n  - {metric: cpu, scenario: h1-static, max_effect: 8%, reason: it was worth it, expires: 2020-01-31}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

func TestOnlyPublishedResultsFillTheComparison(t *testing.T) {
	assert.Equal(t, "/repo/COMPARISON.md", defaultPaths("/repo", "/repo/results").markdown)
	assert.Equal(t, "/tmp/x/COMPARISON.md", defaultPaths("/repo", "/tmp/x").markdown)
	assert.Equal(t, "/tmp/x/report.html", defaultPaths("/repo", "/tmp/x").html)
}

// A bench that is interrupted, politely or not, leaves no process behind.
func TestInterruptedBenchLeavesNothingBehind(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, _, stderr, tmp := blitzlab(t, "bench", "--scenario", "h1-proxy-1k", "--targets", "blitz", "--pairs", "1", "--duration", "10m", "--connections", "1",
				"--bin-dir", labtest.Programs(t), "--out", t.TempDir(), "--force", "--no-report", "--keep-sysctls")
			require.NoError(t, cmd.Start())
			running := func() bool {
				m, _ := filepath.Glob(filepath.Join(tmp, "blitzlab-*", "*-load", "log"))
				return len(m) > 0
			}
			if !assert.Eventually(t, running, 30*time.Second, 10*time.Millisecond) {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				t.Fatal(stderr.String())
			}
			require.NoError(t, cmd.Process.Signal(sig))
			require.Error(t, cmd.Wait())
			assertGone(t, tmp)
			if sig != syscall.SIGKILL {
				assert.Equal(t, 2, cmd.ProcessState.ExitCode())
				assert.Contains(t, stderr.String(), "interrupted")
				assert.Contains(t, stderr.String(), "nothing is kept: begin anew")
				left, err := filepath.Glob(filepath.Join(tmp, "blitzlab-*", "*"))
				require.NoError(t, err)
				assert.Empty(t, left, "the scratch directory is removed")
			}
		})
	}
}

// Two executables of which one burns a hundred times the CPU time: no noise hides that.
func TestGateCatchesARegression(t *testing.T) {
	good, bad, dir := filepath.Join(labtest.Programs(t), "blitz"), filepath.Join(labtest.Programs(t, "BURN=5ms"), "blitz"), machines(t)
	md, junit := filepath.Join(t.TempDir(), "gate.md"), filepath.Join(t.TempDir(), "gate.xml")
	// Six pairs are the fewest that can be significant after Holm's correction over two metrics.
	cmd, stdout, stderr, tmp := blitzlab(t, "gate", "--baseline", good, "--candidate", bad, "--scenario", "h1-static", "--pairs", "6", "--budget", "10m", "--metrics", "cpu,rps",
		"--duration", "30ms", "--bin-dir", labtest.Programs(t), "--machines", dir, "--force", "--markdown", md, "--junit", junit, "--seed", "1")
	assert.Equal(t, 1, exit(t, cmd), "%s%s", stdout, stderr)
	assertGone(t, tmp)
	assert.Contains(t, stdout.String(), "REGRESSION")
	assert.Contains(t, stdout.String(), "Nobody watched")
	text, err := os.ReadFile(md)
	require.NoError(t, err)
	assert.Contains(t, string(text), "Performance gate: REGRESSION")
	text, err = os.ReadFile(junit)
	require.NoError(t, err)
	assert.Contains(t, string(text), `<testcase classname="h1-static" name="CPU per request">`)
}

// One pair proves nothing: the figures are written all the same, and the exit code says that they show too little.
func TestGateProofWritesWhatItSaw(t *testing.T) {
	built, out, page := t.TempDir(), filepath.Join(t.TempDir(), "proof.json"), filepath.Join(t.TempDir(), "GATE.md")
	require.NoError(t, os.Symlink(filepath.Join(labtest.Programs(t), "blitz"), filepath.Join(built, "aa")))
	require.NoError(t, os.WriteFile(page, []byte("# Gate\n\n<!-- proof: made by blitzlab gate-proof -->\nold\n<!-- end of proof -->\n"), 0o644))
	cmd, stdout, stderr, tmp := blitzlab(t, "gate-proof", "--built", built, "--case", "aa,loaded", "--same", "1", "--loaded", "0", "--pairs", "1", "--force",
		"--bin-dir", labtest.Programs(t), "--machines", machines(t), "--out", out, "--document", page)
	assert.Equal(t, 1, exit(t, cmd), "%s%s", stdout, stderr)
	assertGone(t, tmp)
	assert.Contains(t, stderr.String(), "loaded: no gate was run")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(text), "| the same executable twice | 1 | 0 | 0 |")
	assert.NotContains(t, string(text), "old")
	assert.NotContains(t, string(text), built, "no path of this machine")
	text, err = os.ReadFile(out)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"verdict": "inconclusive"`)
}

func TestHistoryOfNothing(t *testing.T) {
	cmd, stdout, stderr, _ := blitzlab(t, "history", "--results", t.TempDir())
	require.Zero(t, exit(t, cmd), stderr.String())
	assert.Contains(t, stdout.String(), "0 change points in 0 series")
	cmd, _, stderr, _ = blitzlab(t, "history", "--alpha", "2")
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "--alpha")
}

// A machine that is not the one described cannot decide: inconclusive, exit code 3, never a pass.
func TestGateOnAnUnfitMachineIsInconclusive(t *testing.T) {
	dir := t.TempDir()
	text := "name: other\nexpect: {cpus: 4096}\nroles: {server: \"0\", load: \"1\", origin: \"1\"}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.yaml"), []byte(text), 0o644))
	bin := labtest.Programs(t)
	exe := filepath.Join(bin, "blitz")
	cmd, stdout, stderr, _ := blitzlab(t, "gate", "--baseline", exe, "--candidate", exe, "--bin-dir", bin, "--machines", dir, "--machine", "other")
	assert.Equal(t, 3, exit(t, cmd), stderr.String())
	assert.Contains(t, stdout.String(), "not fit")
}

// A machine in quarantine is measured on by nobody: the bench refuses, the gate says that it cannot tell, the doctor says why.
func TestAMachineInQuarantineIsRefused(t *testing.T) {
	bin, dir := labtest.Programs(t), machines(t)
	exe := filepath.Join(bin, "blitz")
	for want, args := range map[int][]string{
		1: {"doctor", "--machine", "here", "--sample", "50ms"},
		2: {"bench", "--machine", "here", "--scenario", "h1-static", "--targets", "blitz", "--bin-dir", bin, "--out", t.TempDir(), "--keep-sysctls"},
		3: {"gate", "--machine", "here", "--baseline", exe, "--candidate", exe, "--bin-dir", bin},
	} {
		cmd, stdout, stderr, tmp := blitzlab(t, append(args, "--machines", dir)...)
		require.NoError(t, machine.Quarantine(filepath.Join(tmp, "state"), "here", "its A/A run drifted by 9 %", machine.Observe("/"), time.Now()))
		assert.Equal(t, want, exit(t, cmd), args)
		assert.Contains(t, stdout.String()+stderr.String(), "its A/A run drifted by 9 %", args)
		assert.Contains(t, stdout.String()+stderr.String(), "blitzlab doctor --calibrate", args)
	}
}
