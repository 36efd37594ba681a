package proc

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func ignoreInterrupts() { signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) }

// killGroup is no error when the last process of the group ended before (ESRCH): that is what was wanted.
func killGroup(pgid int) error {
	if err := syscall.Kill(-pgid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", pgid, err)
	}
	return nil
}

// startPinned forks from a thread that carries the wanted CPU set, which the child inherits: no wrapper program between fork and
// the first instruction of the target, so that a cold start is measured and not taskset.
func startPinned(p *Process) error {
	ownGroup(p.cmd)
	if len(p.spec.CPUs) == 0 {
		p.Started = time.Now()
		return p.cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, want unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return err
	}
	for _, c := range p.spec.CPUs {
		want.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &want); err != nil {
		return fmt.Errorf("pin to CPUs %v: %w", p.spec.CPUs, err)
	}
	p.Started = time.Now()
	err := p.cmd.Start()
	if e := unix.SchedSetaffinity(0, &old); e != nil && err == nil {
		err = e
	}
	return err
}

// PinSelf moves all threads of this process to the given CPUs, so that the laboratory's own work stays off the server's.
func PinSelf(cpus []int) error {
	var set unix.CPUSet
	for _, c := range cpus {
		set.Set(c)
	}
	// Threads can be born while the list is read: a second pass catches them, later ones inherit.
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("pin to CPUs %v: %w", cpus, err)
			}
		}
	}
	runtime.GOMAXPROCS(max(1, len(cpus)))
	return nil
}

// RaiseFileLimit sets the limit of open files of this process, and so of those it starts, to want or as near as the hard limit and
// the process's rights allow. It returns the limit in force.
func RaiseFileLimit(want uint64) (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	if l.Max < want {
		// Only root may; an error leaves the hard limit as it was.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want})
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
			return 0, err
		}
	}
	// Setting it explicitly also makes the Go runtime hand this limit down to children.
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return l.Cur, nil
}

func stopGroup(p *Process, grace time.Duration) error {
	pgid := p.PID()
	if syscall.Kill(-pgid, syscall.SIGTERM) == nil {
		waitGone(p, grace)
	}
	if syscall.Kill(-pgid, syscall.SIGKILL) == nil {
		waitGone(p, 5*time.Second)
	}
	if groupAlive(pgid) {
		return errors.New("processes are left after SIGKILL")
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("the leader is gone but was not collected")
	}
}

// waitGone polls until the leader is collected and no process of its group is left, at most d.
func waitGone(p *Process, d time.Duration) {
	deadline := time.Now().Add(d)
	pause := 200 * time.Microsecond
	for groupAlive(p.PID()) && time.Now().Before(deadline) {
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// groupAlive is true while any process of the group exists that is not a zombie waiting for a foreign parent.
func groupAlive(pgid int) bool {
	if errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) {
		return false
	}
	pids, err := groupPIDs(pgid, false)
	return err != nil || len(pids) > 0
}

// PIDs lists the processes of the tree: all members of the process group, zombies left out.
func (p *Process) PIDs() ([]int, error) { return groupPIDs(p.PID(), false) }

func groupPIDs(pgid int, zombies bool) ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		st, err := readStat(pid)
		if err != nil || st.pgrp != pgid || (st.state == 'Z' && !zombies) {
			continue
		}
		out = append(out, pid)
	}
	slices.Sort(out)
	return out, nil
}

// markedProcesses are those that were started with the variable mark (NAME=value) in their environment, by their IDs. Of one that has ended nothing is left to read.
func markedProcesses(mark string) []member {
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	var out []member
	for _, name := range names {
		b, err := os.ReadFile(name) // of another user's process, or of one that has gone: not ours
		if err != nil || !slices.Contains(strings.Split(string(b), "\x00"), mark) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		if st, err := readStat(pid); err == nil && st.pgrp > 1 {
			out = append(out, member{pid, st.pgrp})
		}
	}
	slices.SortFunc(out, func(a, b member) int { return cmp.Compare(a.pid, b.pid) })
	return out
}

type procStat struct {
	state     byte
	pgrp      int
	startTick uint64
}

// readStat parses /proc/PID/stat (proc_pid_stat(5)). The command name may hold spaces and brackets, so parsing starts after the
// last one.
func readStat(pid int) (procStat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (procStat, error) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return procStat{}, errors.New("no command name in stat")
	}
	f := strings.Fields(string(b[i+1:]))
	if len(f) < 20 {
		return procStat{}, fmt.Errorf("%d fields in stat, want 20 or more", len(f))
	}
	pgrp, err := strconv.Atoi(f[2])
	if err != nil {
		return procStat{}, err
	}
	start, err := strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return procStat{}, err
	}
	return procStat{state: f[0][0], pgrp: pgrp, startTick: start}, nil
}

// cpuTime reads the CPU clock of another process: nanoseconds of user and system time of all its threads, those that have exited
// and io_uring's own workers included (clock_getcpuclockid(3); the ID is the inverted PID with CPUCLOCK_SCHED).
func cpuTime(pid int) (time.Duration, error) {
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
