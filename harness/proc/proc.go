package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrUnsupported is returned by everything that needs Linux on another system.
var ErrUnsupported = errors.New("process control and accounting need Linux")

// Spec says what to start.
type Spec struct {
	// Path of the executable and its arguments (without argv[0]).
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working directory.
	Dir string
	// CPUs the process may run on; empty means no pinning. The whole tree inherits it.
	CPUs []int
	// Log receives stdout and stderr; it is created or truncated.
	Log string
	// Stdout, if set, receives standard output instead of the log.
	Stdout io.Writer
}

// Process is a started program and everything it started in its process group.
type Process struct {
	// Started is the moment just before the process was forked.
	Started time.Time

	spec Spec
	cmd  *exec.Cmd
	set  *Set
	log  *os.File
	done chan struct{}
	err  error // of Wait, valid after done is closed
}

// PID of the leader, which is also the process group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the leader has exited.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the leader ended; nil while it runs and after exit code 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Exit tells in words how the leader ended.
func (p *Process) Exit() string {
	select {
	case <-p.done:
		if p.err == nil {
			return "exit code 0"
		}
		return p.err.Error()
	default:
		return "still running"
	}
}

// LogTail returns the last lines of the log, for error messages.
func (p *Process) LogTail() string {
	b, err := os.ReadFile(p.spec.Log)
	if err != nil {
		return ""
	}
	s := strings.TrimSpace(string(b))
	const most = 1500
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// Command is the command line as a person would type it.
func (p *Process) Command() string {
	return strings.Join(append([]string{p.spec.Path}, p.spec.Args...), " ")
}

// Set owns the processes of one run. It is safe for concurrent use.
type Set struct {
	watch *Watcher

	mu     sync.Mutex
	live   map[*Process]struct{}
	closed bool
}

// NewSet returns an empty set. watch may be nil: then a SIGKILL of this process orphans the started ones.
func NewSet(watch *Watcher) *Set { return &Set{watch: watch, live: map[*Process]struct{}{}} }

// Start forks and pins a program in a process group of its own. The caller must Stop it or Close the set.
func (s *Set) Start(spec Spec) (*Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("the run is being closed, nothing more is started")
	}
	p := &Process{spec: spec, set: s, done: make(chan struct{})}
	p.cmd = exec.Command(spec.Path, spec.Args...)
	p.cmd.Dir = spec.Dir
	p.cmd.Env = slices.Concat(os.Environ(), spec.Env, s.watch.env())
	// A grandchild that keeps the output pipe open must not hold Wait for ever.
	p.cmd.WaitDelay = 2 * time.Second
	if spec.Log != "" {
		f, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		p.log = f
		p.cmd.Stdout, p.cmd.Stderr = f, f
	}
	if spec.Stdout != nil {
		p.cmd.Stdout = spec.Stdout
	}
	if err := startPinned(p); err != nil {
		if p.log != nil {
			p.log.Close()
		}
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	s.live[p] = struct{}{}
	s.watch.add(p.PID())
	go func() {
		p.err = p.cmd.Wait()
		if p.log != nil {
			p.log.Close()
		}
		close(p.done)
	}()
	return p, nil
}

// Wait blocks until the leader has exited by itself, or until cancel is closed or the time is over; then it is stopped.
func (p *Process) Wait(cancel <-chan struct{}, atMost time.Duration) error {
	t := time.NewTimer(atMost)
	defer t.Stop()
	select {
	case <-p.done:
		p.forget()
		return p.err
	case <-cancel:
		return errors.Join(errors.New("interrupted"), p.Stop(time.Second))
	case <-t.C:
		return errors.Join(fmt.Errorf("%s still ran after %v and was stopped", p.spec.Path, atMost), p.Stop(time.Second))
	}
}

// Stop asks the process group to end (SIGTERM), waits for grace, and then ends it (SIGKILL). It returns when no process of the
// group is left, and is safe to call twice.
func (p *Process) Stop(grace time.Duration) error {
	if err := stopGroup(p, grace); err != nil {
		return fmt.Errorf("stop %s (process group %d): %w", p.spec.Path, p.PID(), err)
	}
	p.forget()
	return nil
}

func (p *Process) forget() {
	p.set.mu.Lock()
	_, there := p.set.live[p]
	delete(p.set.live, p)
	p.set.mu.Unlock()
	if there {
		p.set.watch.remove(p.PID())
	}
}

// Close stops every process of the set that still lives. Nothing can be started afterwards.
func (s *Set) Close() error {
	s.mu.Lock()
	s.closed = true
	var left []*Process
	for p := range s.live {
		left = append(left, p)
	}
	s.mu.Unlock()
	var errs []error
	for _, p := range left {
		errs = append(errs, p.Stop(2*time.Second))
	}
	return errors.Join(errs...)
}
