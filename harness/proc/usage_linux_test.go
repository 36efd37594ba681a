package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOwnCPUCountsChildrenThatEnded(t *testing.T) {
	before, err := OwnCPU()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	require.NoError(t, cmd.Run())
	after, err := OwnCPU()
	require.NoError(t, err)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	require.Positive(t, used)
	assert.GreaterOrEqual(t, after-before, used)
}

func TestTheBusiestAreNamed(t *testing.T) {
	before := Census()
	require.Contains(t, before, os.Getpid())
	for range 200 {
		spinWork()
	}
	after := Census()
	self := before[os.Getpid()]
	assert.Greater(t, after[os.Getpid()].CPU, self.CPU)

	a := map[int]Citizen{1: {"init", 0}, 2: {"make", time.Second}, 3: {"own", 0}, 4: {"old", 0}}
	b := map[int]Citizen{1: {"init", time.Millisecond}, 2: {"make", 3 * time.Second}, 3: {"own", time.Minute}, 4: {"new", time.Minute}, 5: {"born", 4 * time.Second}}
	got := Busiest(a, b, func(pid int) bool { return pid == 3 }, 5)
	assert.Equal(t, []string{"born (process 5, 4s of CPU time)", "make (process 2, 2s of CPU time)"}, got)
	assert.Len(t, Busiest(a, b, func(int) bool { return false }, 1), 1)
}

func TestSpin(t *testing.T) {
	d, err := Spin(0)
	require.NoError(t, err)
	assert.Positive(t, d)
	_, err = Spin(100000)
	require.Error(t, err, "there is no such CPU")
}

// A neighbour that now and then takes the CPU hides from Spin, whose fastest turn it does not touch; its turns are gaps.
func TestGapsOfANeighbour(t *testing.T) {
	const window = 400 * time.Millisecond
	s := NewSet(nil)
	defer func() { require.NoError(t, s.Close()) }()
	_, err := s.Start(Spec{Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}, CPUs: []int{0}})
	require.NoError(t, err)
	// Two that want the whole of a CPU get half of it each, or less where tests of other packages want it as well.
	require.Eventually(t, func() bool {
		lost, longest, err := Gaps(0, window)
		return err == nil && lost > window/5 && longest > leastGap && longest <= lost
	}, 20*time.Second, time.Millisecond)
	_, _, err = Gaps(100000, window)
	require.Error(t, err, "there is no such CPU")
}

func TestSetCountsTheLiving(t *testing.T) {
	s := NewSet(nil)
	d, err := s.CPU()
	require.NoError(t, err)
	assert.Zero(t, d)
	_, err = s.Start(Spec{Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}})
	require.NoError(t, err)
	assert.Len(t, s.PIDs(), 1)
	require.Eventually(t, func() bool {
		d, err := s.CPU()
		return err == nil && d > 5*time.Millisecond
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	assert.Empty(t, s.PIDs())
}
