package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUWithEnded sums the CPU time of the tree, that of processes which ended and were waited for within the tree included, in steps of 10 ms for each process.
// It is for trees that change while they are measured, for which a Meter is no use. A tree that never stands still for as long as it is read is an error.
func (p *Process) CPUWithEnded() (time.Duration, error) {
	return cpuWithEnded(func() ([]int, error) { return groupPIDs(p.PID(), true) }, processTicks)
}

// cpuWithEnded reads all processes until the list of them is the same before and after: one that ends in between is in its parent's time only when the parent
// is read after that, and one that is born in between is in no list yet.
func cpuWithEnded(list func() ([]int, error), ticks func(pid int) (uint64, error)) (time.Duration, error) {
	before, err := list()
	for range maxReadings {
		if err != nil {
			return 0, err
		}
		var sum uint64
		whole := true
		for _, pid := range before {
			n, err := ticks(pid)
			if gone(err) {
				whole = false
				break
			}
			if err != nil {
				return 0, err
			}
			sum += n
		}
		var after []int
		if after, err = list(); err == nil && whole && slices.Equal(before, after) {
			return time.Duration(sum) * (time.Second / 100), nil // USER_HZ is 100 on every Linux that Go runs on
		}
		before = after
	}
	return 0, fmt.Errorf("the processes of the tree changed during each of %d readings", maxReadings)
}

// gone tells that a process ended: before its file in /proc was opened (ENOENT), or between that and reading it (ESRCH).
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// processTicks reads allTicks of one process.
func processTicks(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	return allTicks(b)
}

// allTicks are utime, stime, cutime and cstime (proc_pid_stat(5), fields 14 to 17).
func allTicks(b []byte) (sum uint64, err error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return 0, errors.New("no command name in stat")
	}
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 15 {
		return 0, fmt.Errorf("%d fields in stat, want 15 or more", len(f))
	}
	for _, s := range f[11:15] {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
