package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// CPUWithEnded sums the CPU time of the tree, that of processes which ended and were waited for within the tree included, in steps of 10 ms for each process.
// It is for trees that change while they are measured, for which a Meter is no use.
func (p *Process) CPUWithEnded() (time.Duration, error) {
	pids, err := groupPIDs(p.PID(), true)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended since, and is in its parent's
		}
		if err != nil {
			return 0, err
		}
		ticks, err := allTicks(b)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * (time.Second / 100) // USER_HZ is 100 on every Linux that Go runs on
	}
	return sum, nil
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
