package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Trees that change while they are read: no CPU time is lost, and a process that ended is no error.
func TestCPUOfATreeThatChanges(t *testing.T) {
	lists := func(all ...[]int) func() ([]int, error) {
		n := -1
		return func() ([]int, error) {
			n = min(n+1, len(all)-1)
			return all[n], nil
		}
	}
	for name, c := range map[string]struct {
		list  func() ([]int, error)
		ticks func(reading *int, pid int) (uint64, error)
		want  time.Duration
	}{
		"ended between listing and opening": {lists([]int{1, 2}, []int{1}), func(n *int, pid int) (uint64, error) {
			if pid == 2 {
				return 0, &fs.PathError{Op: "open", Err: unix.ENOENT}
			}
			return 70, nil
		}, 700 * time.Millisecond},
		"ended between opening and reading": {lists([]int{1, 2}, []int{1}), func(n *int, pid int) (uint64, error) {
			if pid == 2 {
				return 0, &fs.PathError{Op: "read", Err: unix.ESRCH}
			}
			return 70, nil
		}, 700 * time.Millisecond},
		// The parent was read when the child's time was not yet its own.
		"collected after its parent was read": {lists([]int{1, 2}, []int{1}), func(n *int, pid int) (uint64, error) {
			if *n++; *n == 1 {
				return 10, nil
			}
			if pid == 2 {
				return 0, unix.ESRCH
			}
			return 60, nil
		}, 600 * time.Millisecond},
		"forked in the middle": {lists([]int{1}, []int{1, 2}), func(_ *int, pid int) (uint64, error) { return uint64(10 * pid), nil }, 300 * time.Millisecond},
	} {
		n := 0
		got, err := cpuWithEnded(c.list, func(pid int) (uint64, error) { return c.ticks(&n, pid) })
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
	n := 0
	_, err := cpuWithEnded(func() ([]int, error) { n++; return []int{n}, nil }, func(int) (uint64, error) { return 1, nil })
	assert.ErrorContains(t, err, "changed during each")
	_, err = cpuWithEnded(lists([]int{1}), func(int) (uint64, error) { return 0, fs.ErrPermission })
	require.ErrorIs(t, err, fs.ErrPermission)
	_, err = cpuWithEnded(func() ([]int, error) { return nil, fs.ErrPermission }, nil)
	require.ErrorIs(t, err, fs.ErrPermission)
}

// The watcher goes on as long as marked processes come, and misses none that is forked while it reads.
func TestMarkedProcessesAreAllEnded(t *testing.T) {
	alive, readings := map[member]bool{{10, 10}: true}, 0
	list := func() (out []member) {
		// A process with a group of its own appears in each of the first readings, when the ones before have been listed.
		for m := range alive {
			out = append(out, m)
		}
		if readings++; readings <= 12 && readings%2 == 1 {
			alive[member{100 + readings, 100 + readings}] = true
		}
		slices.SortFunc(out, func(a, b member) int { return a.pid - b.pid })
		return out
	}
	kill := func(pgid int) error {
		for m := range alive {
			if m.pgrp == pgid {
				delete(alive, m)
			}
		}
		return nil
	}
	require.NoError(t, endMarked(list, kill, func(time.Duration) {}))
	assert.Empty(t, alive)

	// Two readings of a list that grew between them are not believed.
	reading := 0
	got := settled(func() []member {
		reading++
		return []member{{1, 1}, {2, 2}}[:min(reading, 2)]
	})
	assert.Len(t, got, 2)

	denied := errors.New("denied")
	err := endMarked(func() []member { return []member{{1, 1}} }, func(int) error { return denied }, func(time.Duration) {})
	require.ErrorIs(t, err, denied, "what cannot be ended is said")
	assert.ErrorContains(t, err, "are left")
}

// A group whose last process ended between listing and signal is what was wanted.
func TestKillingWhatIsGone(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	OwnGroup(cmd)
	require.NoError(t, cmd.Start())
	pgid := cmd.Process.Pid
	require.NoError(t, killGroup(pgid))
	require.Error(t, cmd.Wait())
	require.NoError(t, killGroup(pgid))
	_, err := processTicks(pgid)
	assert.True(t, gone(err), "%v", err)
	f, err := os.Open(fmt.Sprintf("/proc/%d/stat", os.Getpid()))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = f.Read(make([]byte, 1))
	assert.False(t, gone(err), "another error is one")
}
