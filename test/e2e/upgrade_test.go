//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// upgrade runs `blitz upgrade` against a process and returns the new process's ID.
func upgrade(t *testing.T, pid int, args ...string) (int, string, error) {
	t.Helper()
	out, err := exec.Command(binary, append([]string{"upgrade", "--pid", strconv.Itoa(pid)}, args...)...).CombinedOutput()
	m := regexp.MustCompile(`(?m)^new: pid (\d+), `).FindStringSubmatch(string(out))
	if m == nil {
		return 0, string(out), err
	}
	next, _ := strconv.Atoi(m[1])
	t.Cleanup(func() { _ = syscall.Kill(next, syscall.SIGKILL) }) // after the test has ended it, there is nothing there
	return next, string(out), err
}

// many is how often a test does what it repeats: n, or what an environment variable says, for the long version.
func many(t *testing.T, variable string, n int) int {
	t.Helper()
	if v := os.Getenv(variable); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(t, err)
	}
	return n
}

// BLITZ_UPGRADES=20 is the long version.
func TestUpgradesLoseNoConnection(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			up := echoing(t)
			p := start(t, "serve", "--config", file(t, proxy(engine, up)))
			l := load(t, p.addr, 16, 8, 0)
			pid := p.cmd.Process.Pid
			for i := range many(t, "BLITZ_UPGRADES", 3) {
				l.flowing(false)
				next, out, err := upgrade(t, pid)
				require.NoError(t, err, out+p.log())
				require.Contains(t, out, "new: pid "+strconv.Itoa(next)+", generation "+strconv.Itoa(i+2)+", version ")
				require.Contains(t, out, "old: pid "+strconv.Itoa(pid)+": gone")
				pid = next
			}
			l.flowing(false)
			require.Empty(t, l.end())
			require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
			p.exit()
			require.NotContains(t, p.log(), "connections still in use")
			require.NotContains(t, p.log(), " ERROR ")
		})
	}
}

func TestUpgradeThatFailsChangesNothing(t *testing.T) {
	up := echoing(t)
	config := file(t, proxy("auto", up))
	p := start(t, "serve", "--config", config)
	pid := p.cmd.Process.Pid
	l := load(t, p.addr, 4, 4, 0)
	l.flowing(false)

	_, out, err := upgrade(t, pid, "--binary", "/bin/false")
	require.Error(t, err)
	require.Contains(t, out, "the new process (/bin/false) did not take over")
	_, out, err = upgrade(t, pid, "--binary", "/nonexistent")
	require.Error(t, err)
	require.Contains(t, out, "start /nonexistent: ")

	script := filepath.Join(t.TempDir(), "hangs")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700))
	_, out, err = upgrade(t, pid, "--binary", script, "--timeout", "300ms")
	require.Error(t, err)
	require.Contains(t, out, "it was not ready in time")

	good, err := os.ReadFile(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, []byte("routes: 5\n"), 0o600))
	_, out, err = upgrade(t, pid)
	require.Error(t, err)
	require.Contains(t, out, "did not take over")
	require.Contains(t, p.log(), config+":1:9", "the reason is in the log")
	require.NoError(t, os.WriteFile(config, good, 0o600))

	l.flowing(false)
	require.Empty(t, l.end())
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit(), p.log())
}

// SIGUSR2 replaces the process by the file that it was started from.
func TestUpgradeBySignal(t *testing.T) {
	up := echoing(t)
	p := start(t, "serve", "--config", file(t, proxy("auto", up)))
	p.signal(syscall.SIGUSR2)
	var pid int
	require.Eventually(t, func() bool {
		m := regexp.MustCompile(`the new process accepts pid=(\d+)`).FindStringSubmatch(p.log())
		if m != nil {
			pid, _ = strconv.Atoi(m[1])
		}
		return m != nil
	}, patience, patience/1000)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	state, err := p.cmd.Process.Wait() // and not cmd.Wait, which would close the pipe that the new process logs to
	require.NoError(t, err)
	require.True(t, state.Success(), p.log())
	p.waited = true
	require.Equal(t, "fine", get(t, "http://"+p.addr+"/up"))
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
	<-p.read
	require.Equal(t, 2, strings.Count(p.log(), "INFO stopped"))
}
