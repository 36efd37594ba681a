package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// reportEvery is how often a draining process tells its successor how many connections it still has.
const reportEvery = 250 * time.Millisecond

// ErrUpgrading is returned while a new process is being started.
var ErrUpgrading = errors.New("an upgrade is under way")

// Process is one generation of the gateway.
type Process struct {
	PID        int    `json:"pid"`
	Version    string `json:"version"`
	Generation uint64 `json:"generation"`
}

// Successor is the process that replaces this one.
type Successor struct {
	Process
	conn *net.UnixConn
	proc *os.Process
}

// StartWith is Start for a process that takes over from another one. h may be nil.
func StartWith(snap *Snapshot, version string, h *Handover) (*Server, error) {
	s, err := start(snap, version, h)
	if err != nil || h == nil {
		return s, err
	}
	if err := send(h.conn, &message{State: "ready", PID: os.Getpid(), Generation: snap.Generation, Version: version}); err != nil {
		s.Stop()
		return nil, fmt.Errorf("telling the running gateway that this one is ready: %w", err)
	}
	s.predecessor.Store(&Predecessor{Process: Process{PID: h.PID, Version: h.Version, Generation: h.Generation}, State: string(Draining)})
	go s.watch(h)
	return s, nil
}

// Predecessor is the process that this one has replaced, while it drains.
type Predecessor struct {
	Process
	State       string `json:"state"`
	Connections int64  `json:"connections"`
}

// watch follows the predecessor until it is gone.
func (s *Server) watch(h *Handover) {
	defer h.Close()
	for {
		_ = h.conn.SetReadDeadline(time.Time{})
		m, fds, err := next(h.conn)
		if err != nil {
			slog.Info("the process before this one is gone", "pid", h.PID)
			s.predecessor.Store(nil)
			s.registry.Config.Predecessor.Store(0)
			return
		}
		closeAll([][]int{fds})
		s.predecessor.Store(&Predecessor{Process: Process{PID: h.PID, Version: h.Version, Generation: h.Generation}, State: m.State, Connections: m.Connections})
		s.registry.Config.Predecessor.Store(m.Connections)
	}
}

// Upgrade starts binary with this process's own arguments and hands the listening sockets to it. When it returns without an error the
// new process accepts connections, and this one shall end with Leave. On an error it goes on as if nothing had been: the new process is
// gone, and no connection was lost.
func (s *Server) Upgrade(ctx context.Context, binary string) (*Successor, error) {
	s.change.Lock()
	defer s.change.Unlock() // no reload meanwhile
	switch {
	case s.draining:
		return nil, ErrDraining
	case s.successor:
		return nil, ErrUpgrading
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	argv := append([]string{binary}, os.Args[1:]...)
	env := append(withoutHandover(os.Environ()), handoverEnv+"=3")
	proc, err := os.StartProcess(binary, argv, &os.ProcAttr{Env: env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, theirs}})
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	n, err := s.pass(ctx, ours)
	if err != nil {
		_ = ours.Close()
		_ = proc.Kill()
		state, _ := proc.Wait()
		return nil, fmt.Errorf("the new process (%s) did not take over: %w (%v)", binary, err, state)
	}
	n.proc = proc
	s.successor = true
	return n, nil
}

// pass hands everything over and waits until the new process is ready.
func (s *Server) pass(ctx context.Context, c *net.UnixConn) (*Successor, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	sockets, err := s.dupSockets(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, fds := range sockets {
			closeAll([][]int{fds})
		}
	}()
	for i, fds := range sockets {
		m := &message{Address: s.bound[i].address.String(), Real: s.bound[i].real.String()}
		for ; len(fds) > maxPassed; fds = fds[maxPassed:] {
			if err := send(c, m, fds[:maxPassed]...); err != nil {
				return nil, err
			}
		}
		if err := send(c, m, fds...); err != nil {
			return nil, err
		}
	}
	if s.admin != nil {
		if f := s.admin.File(); f != nil {
			err := send(c, &message{Admin: true}, int(f.Fd()))
			_ = f.Close()
			if err != nil {
				return nil, err
			}
		}
	}
	generation := s.snap.Load().Generation
	if err := send(c, &message{End: true, PID: os.Getpid(), Generation: generation, Version: s.version}); err != nil {
		return nil, err
	}
	_ = c.SetReadDeadline(time.Time{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m, fds, err := next(c)
	closeAll([][]int{fds})
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it was not ready in time: %w", ctx.Err())
	case err != nil:
		return nil, err
	case m.State != "ready":
		return nil, fmt.Errorf("it said %q", m.State)
	}
	return &Successor{Process: Process{PID: m.PID, Version: m.Version, Generation: m.Generation}, conn: c}, nil
}

// dupSockets asks the workers for second descriptors of their sockets, by listener.
func (s *Server) dupSockets(ctx context.Context) ([][]int, error) {
	answers := make(chan [][]int, len(s.workers))
	asked := 0
	for _, w := range s.workers {
		if w.Post(func() { answers <- w.Sockets() }) {
			asked++
		}
	}
	all := make([][]int, len(s.bound))
	for ; asked > 0; asked-- {
		select {
		case one := <-answers:
			for i := range one {
				all[i] = append(all[i], one[i]...)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return all, nil
}

// Leave ends the service of this process in favour of n: it stops accepting, which n does by now, and drains like Drain.
func (s *Server) Leave(ctx context.Context, n *Successor) (cut int) {
	if a := s.Admin(); a != nil {
		a.Leave()
	}
	done := make(chan struct{})
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		t := time.NewTicker(reportEvery)
		defer t.Stop()
		for {
			if send(n.conn, &message{State: string(Draining), Connections: s.Usage(ctx).Clients}) != nil {
				return // it has gone, or does not listen: nobody else wants to know
			}
			select {
			case <-done:
				return
			case <-t.C:
			}
		}
	}()
	cut = s.drain(ctx, true)
	close(done)
	<-reported
	_ = n.conn.Close()
	_ = n.proc.Release()
	return cut
}

// pair makes the two ends of a handover. The second one is for a child process.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "handover")
	ours, err := packetConn(fds[0])
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

func withoutHandover(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, handoverEnv+"=") {
			out = append(out, e)
		}
	}
	return out
}
