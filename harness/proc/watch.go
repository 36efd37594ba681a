package proc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	for pgid := range groups {
		killGroup(pgid)
	}
	// The laboratory may have been killed between the start of a process and the line about it; that process may even be about to become one.
	for _, pause := range [...]time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond} {
		time.Sleep(pause)
		for _, pgid := range markedGroups(mark(os.Getpid())) {
			killGroup(pgid)
		}
	}
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
