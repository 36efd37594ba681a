package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// threeHosts describes a laboratory whose hosts are all this machine, reached without ssh, and returns its directory and the agent to start on them.
func threeHosts(t *testing.T) (dir, agent string) {
	t.Helper()
	bin := t.TempDir()
	root, err := lab.ModuleRoot()
	require.NoError(t, err)
	require.NoError(t, lab.Build(context.Background(), root, bin, "", "blitzload"))
	self, err := os.Executable()
	require.NoError(t, err)
	agent = filepath.Join(bin, "blitzlab")
	// In a session of its own, as behind sshd: the agent must end because its input does, for nobody here can kill it.
	script := fmt.Sprintf("#!/bin/sh\nPATH='%s':\"$PATH\" BLITZLAB_TEST_MAIN=1 exec setsid -w '%s' \"$@\"\n", bin, self)
	require.NoError(t, os.WriteFile(agent, []byte(script), 0o755))
	dir = t.TempDir()
	text := `name: three
expect: {cpus: 1}
hosts:
  - {name: proxy, address: 127.0.0.1, ssh: local, roles: [proxy], cpus: "0"}
  - {name: origin, address: 127.0.0.1, ssh: local, roles: [origin], cpus: "0"}
  - {name: load, address: 127.0.0.1, ssh: local, roles: [load], cpus: "0", generators: 2}
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "three.yaml"), []byte(text), 0o644))
	return dir, agent
}

// Two generators begin at one instant, and what they measured is one sample.
func TestBenchOverSeveralHosts(t *testing.T) {
	dir, agent := threeHosts(t)
	out := t.TempDir()
	cmd, _, stderr, tmp := blitzlab(t, "bench", "--machine", "three", "--machines", dir, "--agent", agent, "--scenario", "h1-static", "--targets", "floor",
		"--pairs", "1", "--duration", "200ms", "--connections", "5", "--out", out, "--force", "--no-report")
	require.Zero(t, exit(t, cmd), stderr.String())
	assertGone(t, tmp)
	all, err := result.ReadAll(out)
	require.NoError(t, err)
	require.Len(t, all, 1)
	r := all[0].Result
	require.Len(t, r.Machine.Hosts, 3)
	assert.Equal(t, 2, r.Machine.Hosts[2].Generators)
	assert.Positive(t, r.Machine.Hosts[0].Fingerprint.CPUs)
	assert.Positive(t, r.Machine.Hosts[0].ClockBoundMicros)
	for _, s := range r.Samples {
		require.Len(t, s.Generators, 2)
		var sum int64
		for _, g := range s.Generators {
			sum += g.Responses
		}
		assert.Equal(t, sum, s.Load.Responses)
		assert.Positive(t, s.Load.ServerCPUSeconds)
		assert.LessOrEqual(t, s.Load.Response.P50, s.Load.Response.P99)
	}
	left, err := filepath.Glob(filepath.Join(tmp, "blitzlab-agent-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "agents remove what they wrote")

	cmd, stdout, stderr, _ := blitzlab(t, "doctor", "--machine", "three", "--machines", dir, "--agent", agent, "--sample", "50ms", "--json")
	exit(t, cmd)
	var checks map[string][]machine.Check
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &checks), stderr.String())
	require.Len(t, checks, 3)
	assert.Equal(t, "identity", checks["origin"][0].Name)

	// A host that is another one than it was is not measured on.
	state, err := filepath.Glob(filepath.Join(tmp, "state", "three.*.json"))
	require.NoError(t, err)
	require.Len(t, state, 3)
	b, err := os.ReadFile(filepath.Join(tmp, "state", "three.origin.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(tmp, "state", "three.origin.json"), bytes.Replace(b, []byte(`"kernel": "`), []byte(`"kernel": "0`), 1), 0o644))
	cmd, _, stderr, _ = blitzlab(t, "bench", "--machine", "three", "--machines", dir, "--agent", agent, "--scenario", "h1-static", "--targets", "floor", "--out", out)
	cmd.Env = append(cmd.Env, "BLITZLAB_STATE="+filepath.Join(tmp, "state"))
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "origin: this machine is in quarantine")
	assert.NotContains(t, stderr.String(), "proxy: this machine is in quarantine")
	cmd, stdout, stderr, _ = blitzlab(t, "doctor", "--machine", "three", "--machines", dir, "--agent", agent, "--sample", "50ms", "--json")
	cmd.Env = append(cmd.Env, "BLITZLAB_STATE="+filepath.Join(tmp, "state"))
	assert.Equal(t, 1, exit(t, cmd), stderr.String())
	clear(checks)
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &checks), stderr.String())
	assert.Equal(t, machine.Fail, checks["origin"][len(checks["origin"])-1].Status)
	assert.Equal(t, machine.OK, checks["load"][len(checks["load"])-1].Status)

	cmd, _, stderr, _ = blitzlab(t, "bench", "--machine", "three", "--machines", dir, "--agent", agent, "--scenario", "cold-start", "--targets", "floor", "--out", out)
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "measured on one machine")
	cmd, _, stderr, _ = blitzlab(t, "bench", "--machine", "three", "--machines", dir, "--agent", "/nonexistent/blitzlab", "--scenario", "h1-static", "--targets", "floor", "--out", out)
	assert.Equal(t, 2, exit(t, cmd))
	assert.Contains(t, stderr.String(), "host proxy")
}

// Neither does a bench over several hosts leave anything behind on them.
func TestInterruptedFleetLeavesNothingBehind(t *testing.T) {
	dir, agent := threeHosts(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd, _, stderr, tmp := blitzlab(t, "bench", "--machine", "three", "--machines", dir, "--agent", agent, "--scenario", "h1-static", "--targets", "floor",
				"--pairs", "1", "--duration", "10m", "--connections", "2", "--out", t.TempDir(), "--force", "--no-report")
			require.NoError(t, cmd.Start())
			running := func() bool {
				m, _ := filepath.Glob(filepath.Join(tmp, "blitzlab-agent-*", "*", "*-load", "log"))
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
			assert.NotContains(t, stderr.String(), "did not end by itself")
			assert.NotContains(t, stderr.String(), "--resume", "a run over several hosts is begun anew")
			assert.Eventually(t, func() bool { return !agentAlive(t, tmp) }, 20*time.Second, 10*time.Millisecond, "an agent is left")
		})
	}
}

// agentAlive looks for an agent whose TMPDIR is tmp.
func agentAlive(t *testing.T, tmp string) bool {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, p := range all {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), "TMPDIR="+tmp+"\x00") {
			return true
		}
	}
	return false
}
