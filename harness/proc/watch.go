package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Watcher is a helper process that ends the process groups it was told of when its standard input closes, which the kernel does
// even when the laboratory was killed with SIGKILL. A nil Watcher does nothing.
type Watcher struct {
	mu  sync.Mutex
	in  io.WriteCloser
	cmd *exec.Cmd
}

// StartWatcher runs path with args; that command must call Watch on its standard input.
func StartWatcher(path string, args ...string) (*Watcher, error) {
	cmd := exec.Command(path, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watcher: %w", err)
	}
	return &Watcher{in: in, cmd: cmd}, nil
}

func (w *Watcher) add(pgid int)    { w.tell('+', pgid) }
func (w *Watcher) remove(pgid int) { w.tell('-', pgid) }

func (w *Watcher) tell(sign byte, pgid int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// A watcher that died is no reason to stop a measurement: the Set still ends its processes.
	_, _ = fmt.Fprintf(w.in, "%c%d\n", sign, pgid)
}

// Close ends the watcher, and with it every group that was added and not removed.
func (w *Watcher) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.in.Close()
	return w.cmd.Wait()
}

// Watch is the body of the helper process: it reads +PGID and -PGID lines until the end of input, then kills what is left.
func Watch(r io.Reader) {
	ignoreInterrupts()
	groups := map[int]struct{}{}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		line := sc.Text()
		if len(line) < 2 {
			continue
		}
		pgid, err := strconv.Atoi(line[1:])
		if err != nil || pgid <= 1 {
			continue
		}
		if line[0] == '+' {
			groups[pgid] = struct{}{}
		} else {
			delete(groups, pgid)
		}
	}
	var failed error
	for pgid := range groups {
		failed = errors.Join(failed, killGroup(pgid))
	}
	// The laboratory may have been killed between the start of a process and the line about it; that process may even be about to become one.
	mine := mark(os.Getpid())
	if err := errors.Join(failed, endMarked(func() []member { return markedProcesses(mine) }, killGroup, time.Sleep)); err != nil {
		fmt.Fprintln(os.Stderr, "watcher:", err)
	}
}

// member is a process of a process group.
type member struct{ pid, pgrp int }

const (
	// maxReadings of /proc until two agree: more would be a tree that does nothing but fork.
	maxReadings = 100
	// maxKills bounds the rounds of endMarked, killPause lies between them: together ten seconds, far more than a killed process takes to go.
	maxKills  = 1000
	killPause = 10 * time.Millisecond
)

// endMarked kills the groups of what list finds, until it finds nothing at once, 50 and 200 ms later.
func endMarked(list func() []member, kill func(pgid int) error, sleep func(time.Duration)) error {
	quiet := [...]time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond}
	n := 0
	var failed error
	for range maxKills {
		sleep(quiet[n])
		found := settled(list)
		if len(found) == 0 {
			if n++; n == len(quiet) {
				return nil
			}
			continue
		}
		n, failed = 0, nil
		for _, m := range found {
			failed = errors.Join(failed, kill(m.pgrp))
		}
		sleep(killPause)
	}
	return errors.Join(fmt.Errorf("processes are left after %d rounds of SIGKILL", maxKills), failed)
}

// settled reads until two readings in a row agree: a child that is forked while /proc is read may be in none of the pages that are still to come.
func settled(list func() []member) []member {
	last := list()
	for range maxReadings {
		now := list()
		if slices.Equal(now, last) {
			break
		}
		last = now
	}
	return last
}

// mark is the environment variable by which the watcher with this process ID knows what it watches over.
func mark(watcher int) string { return markName + "=" + strconv.Itoa(watcher) }

const markName = "BLITZLAB_WATCHER"

// env is what a process gets into its environment; nothing without a watcher.
func (w *Watcher) env() []string {
	if w == nil {
		return nil
	}
	return []string{mark(w.cmd.Process.Pid)}
}
