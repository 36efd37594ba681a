package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The test binary doubles as the programs that the tests start.
func TestMain(m *testing.M) {
	switch os.Getenv("PROC_TEST_ROLE") {
	case "watch":
		Watch(os.Stdin)
		return
	case "orphaner":
		orphaner()
		return
	}
	os.Exit(m.Run())
}

// orphaner is a laboratory that gets killed: it starts a watcher and a program, says its process group, and hangs.
func orphaner() {
	os.Setenv("PROC_TEST_ROLE", "watch")
	w, err := StartWatcher(os.Args[0])
	if err != nil {
		panic(err)
	}
	p, err := NewSet(w).Start(Spec{Path: "/bin/sh", Args: []string{"-c", "sleep 600 & sleep 600"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(p.PID())
	select {}
}

func start(t *testing.T, script string) (*Set, *Process) {
	t.Helper()
	s := NewSet(nil)
	p, err := s.Start(Spec{Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, p
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 10*time.Second, 5*time.Millisecond, what)
}

func TestStopEndsTheWholeTree(t *testing.T) {
	for name, script := range map[string]string{
		"polite":          "sleep 600 & sleep 600 & wait",
		"deaf to SIGTERM": "trap '' TERM; sleep 600 & sleep 600; sleep 600",
		"leader leaves":   "sleep 600 & exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			_, p := start(t, script)
			eventually(t, "a child is there", func() bool {
				pids, err := p.PIDs()
				return err == nil && len(pids) >= 1
			})
			require.NoError(t, p.Stop(100*time.Millisecond))
			pids, err := p.PIDs()
			require.NoError(t, err)
			assert.Empty(t, pids)
			require.NoError(t, p.Stop(time.Millisecond), "stopping twice is harmless")
		})
	}
}

func TestCloseStopsAllAndStartsNothingMore(t *testing.T) {
	s, p := start(t, "sleep 600")
	require.NoError(t, s.Close())
	<-p.Done()
	_, err := s.Start(Spec{Path: "/bin/true"})
	assert.Error(t, err)
}

func TestWait(t *testing.T) {
	_, ok := start(t, "exit 0")
	assert.NoError(t, ok.Wait(nil, 10*time.Second))
	_, bad := start(t, "echo broken; exit 3")
	var exit *exec.ExitError
	require.ErrorAs(t, bad.Wait(nil, 10*time.Second), &exit)
	assert.Equal(t, 3, exit.ExitCode())
	assert.Equal(t, "broken", bad.LogTail())
	_, slow := start(t, "sleep 600")
	assert.ErrorContains(t, slow.Wait(nil, 10*time.Millisecond), "still ran")
	_, cancelled := start(t, "sleep 600")
	c := make(chan struct{})
	close(c)
	assert.ErrorContains(t, cancelled.Wait(c, time.Minute), "interrupted")
}

func TestStartPinned(t *testing.T) {
	var all unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	last := 0
	for c := range 1024 {
		if all.IsSet(c) {
			last = c
		}
	}
	s := NewSet(nil)
	defer s.Close()
	var out bytes.Buffer
	p, err := s.Start(Spec{Path: "/bin/sh", Args: []string{"-c", "grep Cpus_allowed_list /proc/self/status"}, CPUs: []int{last}, Stdout: &out})
	require.NoError(t, err)
	require.NoError(t, p.Wait(nil, 10*time.Second))
	assert.Equal(t, []string{"Cpus_allowed_list:", strconv.Itoa(last)}, strings.Fields(out.String()))
	var now unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &now))
	assert.Equal(t, all, now, "the starting thread got its own CPUs back")

	_, err = s.Start(Spec{Path: "/bin/true", CPUs: []int{1000}})
	assert.ErrorContains(t, err, "pin")
	_, err = s.Start(Spec{Path: filepath.Join(t.TempDir(), "missing")})
	assert.Error(t, err)
}

func TestAccounting(t *testing.T) {
	_, p := start(t, "(while :; do :; done) & sleep 600")
	m, err := StartMeter(p, 2*time.Millisecond)
	for err != nil || len(m.pids) < 3 { // the shell, the loop, sleep
		if err == nil {
			_ = m.Stop()
		}
		m, err = StartMeter(p, 2*time.Millisecond)
	}
	from := time.Now()
	eventually(t, "CPU time grows", func() bool {
		c, err := p.CPU()
		return err == nil && c > 50*time.Millisecond
	})
	to := time.Now()
	eventually(t, "a sample after the window", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.points[len(m.points)-1].at.After(to)
	})
	require.NoError(t, m.Stop())
	used, err := m.Between(from, to)
	require.NoError(t, err)
	assert.Positive(t, used)
	_, err = m.Between(from.Add(-time.Hour), to)
	assert.ErrorContains(t, err, "outside")
	mem, err := p.Memory()
	require.NoError(t, err)
	assert.Positive(t, mem.PSS)
	assert.GreaterOrEqual(t, mem.RSS, mem.PSS)
	assert.GreaterOrEqual(t, mem.PeakRSS, mem.RSS)
}

func TestMeterNoticesAChangedTree(t *testing.T) {
	_, p := start(t, "read x < /dev/zero & sleep 600")
	eventually(t, "children", func() bool { pids, err := p.PIDs(); return err == nil && len(pids) >= 3 })
	m, err := StartMeter(p, time.Hour)
	require.NoError(t, err)
	for _, pid := range m.pids {
		if pid != p.PID() {
			require.NoError(t, unix.Kill(pid, unix.SIGKILL))
			break
		}
	}
	eventually(t, "one is gone", func() bool { pids, err := p.PIDs(); return err == nil && len(pids) < len(m.pids) })
	assert.Error(t, m.Stop())
}

func TestInterpolate(t *testing.T) {
	t0 := time.Unix(1000, 0)
	ps := []point{{t0, 0}, {t0.Add(10), 100}, {t0.Add(20), 100}}
	for at, want := range map[int]time.Duration{0: 0, 5: 50, 10: 100, 15: 100, 20: 100} {
		got, err := interpolate(ps, t0.Add(time.Duration(at)))
		require.NoError(t, err)
		assert.Equal(t, want, got, "at %d", at)
	}
	for _, at := range []time.Duration{-1, 21} {
		_, err := interpolate(ps, t0.Add(at))
		assert.Error(t, err)
	}
}

func TestParseStat(t *testing.T) {
	line := "42 (odd) name)) S 1 40 40 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 20"
	st, err := parseStat([]byte(line))
	require.NoError(t, err)
	assert.Equal(t, procStat{'S', 40, 98765}, st)
	for n := range len(line) - len("5 1000 20") {
		_, err := parseStat([]byte(line[:n]))
		if n < len(line)-len("98765 1000 20")+1 {
			assert.Error(t, err, "%q", line[:n])
		}
	}
}

// A laboratory that dies by SIGKILL cannot clean up; its watcher does.
func TestWatcherOutlivesItsLaboratory(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_ROLE=orphaner")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pgid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.True(t, groupAlive(pgid))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "the orphans are ended", func() bool { return !groupAlive(pgid) })
}

func TestWatcherForgetsWhatWasRemoved(t *testing.T) {
	_, kept := start(t, "sleep 600")
	_, ended := start(t, "sleep 600")
	t.Setenv("PROC_TEST_ROLE", "watch")
	w, err := StartWatcher(os.Args[0])
	require.NoError(t, err)
	w.add(kept.PID())
	w.add(ended.PID())
	w.remove(kept.PID())
	require.NoError(t, w.Close())
	<-ended.Done()
	assert.True(t, groupAlive(kept.PID()))
	var none *Watcher
	none.add(1)
	require.NoError(t, none.Close())
}

func TestCPUOfEndedProcessesCounts(t *testing.T) {
	_, p := start(t, "(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); sleep 600")
	eventually(t, "the loop's time is its parent's after it ended", func() bool {
		pids, err := p.PIDs()
		if err != nil || len(pids) != 2 { // the shell and sleep
			return false
		}
		all, err := p.CPUWithEnded()
		alive, err2 := p.CPU()
		return err == nil && err2 == nil && all > alive+20*time.Millisecond
	})
	_, err := allTicks([]byte("1 (x) S 1"))
	assert.Error(t, err)
}

// The laboratory can die between the start of a process and telling the watcher: what it started is known by a mark.
func TestWatcherEndsWhatItWasNotToldOf(t *testing.T) {
	t.Setenv("PROC_TEST_ROLE", "watch")
	w, err := StartWatcher(os.Args[0])
	require.NoError(t, err)
	start := func(env ...string) *exec.Cmd {
		cmd := exec.Command("sleep", "600")
		cmd.Env = append(os.Environ(), env...)
		OwnGroup(cmd)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		return cmd
	}
	marked, other := start(w.env()...), start(mark(w.cmd.Process.Pid*10))
	require.NoError(t, w.Close())
	require.EqualError(t, marked.Wait(), "signal: killed")
	assert.True(t, groupAlive(other.Process.Pid))
	require.NoError(t, other.Process.Kill())
	_ = other.Wait()
}
