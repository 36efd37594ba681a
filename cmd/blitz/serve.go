package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// ServeCmd runs the gateway.
type ServeCmd struct {
	Config string `help:"Configuration file. Without it, the embedded default serves /hello, /, /health and /echo/* on port 8080." placeholder:"FILE" short:"c"`
}

// heapLimit is where the collector begins to work hard. The data plane's buffers are off the heap, so what is left is small: collecting
// seldom costs a few MiB and saves time (GOGC below).
const heapLimit = 256 << 20

// Run implements the command.
func (c *ServeCmd) Run() error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
	raiseFileLimit()

	cfg := config.Default()
	if c.Config != "" {
		var err error
		if cfg, err = config.LoadAfter(c.Config, nil); err != nil {
			return err
		}
	}
	from, err := server.Inherit()
	if err != nil {
		return err
	}
	generation := uint64(1)
	if from != nil {
		generation = from.Generation + 1
	}
	snap, err := snapshot.Build(cfg, generation)
	if err != nil {
		return err
	}
	s, err := server.StartWith(snap, version(), from)
	if err != nil {
		return err
	}
	info := s.Info()
	slog.Info("started", "workers", snap.Workers.Count, "engine", info.Engine, "reason", info.Reason, "version", version())
	for i, a := range s.Addrs() {
		name := a.Unix
		if name == "" {
			name = a.TCP.String()
		}
		slog.Info("listening", "listener", snap.Listeners[i].Name, "address", name)
	}
	if a := s.Admin(); a != nil {
		slog.Info("admin", "address", a.Addr().String())
	}
	r := server.NewReloader(s, c.Config)
	defer r.Close()
	if snap.Watch && c.Config != "" {
		if err := r.Watch(); err != nil {
			slog.Warn("the configuration file is not watched", "error", err)
		}
	}
	control, err := server.NewControl(s)
	if err != nil {
		s.Stop()
		return fmt.Errorf("control socket: %w", err)
	}
	defer control.Close()
	return c.wait(s, r, control, signals)
}

// wait runs until a signal or a dead worker ends the server.
func (c *ServeCmd) wait(s *server.Server, r *server.Reloader, control *server.Control, signals <-chan os.Signal) error {
	for {
		select {
		case <-s.Failed():
			s.Stop()
			return s.Err()
		case n := <-control.Replaced:
			return c.leave(s, n, signals)
		case sig := <-signals:
			switch sig {
			case syscall.SIGUSR2:
				go func() { _, _ = control.Upgrade("", 0) }() // it says in the log what becomes of it
			case syscall.SIGUSR1:
				if err := s.ReopenLog(); err != nil {
					slog.Error("access log not reopened, the old file stays in use", "error", err)
				} else {
					slog.Info("access log reopened")
				}
			case syscall.SIGHUP:
				r.Trigger("SIGHUP")
			default:
				return c.drain(s, sig, signals)
			}
		}
	}
}

// drain ends the service.
func (c *ServeCmd) drain(s *server.Server, sig os.Signal, signals <-chan os.Signal) error {
	snap := s.Snapshot()
	slog.Info("draining: a second signal stops at once", "signal", sig.String(), "timeout", snap.DrainTimeout)
	return c.end(s, snap.DrainDelay+snap.DrainTimeout, signals, s.Drain)
}

// leave ends the service of this process after another one has taken over.
func (c *ServeCmd) leave(s *server.Server, n *server.Successor, signals <-chan os.Signal) error {
	snap := s.Snapshot()
	slog.Info("replaced, draining", "by", n.PID, "timeout", snap.DrainTimeout)
	return c.end(s, snap.DrainTimeout, signals, func(ctx context.Context) int { return s.Leave(ctx, n) })
}

func (c *ServeCmd) end(s *server.Server, limit time.Duration, signals <-chan os.Signal, drain func(context.Context) int) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() {
		for {
			select {
			case sig := <-signals:
				if sig == syscall.SIGTERM || sig == syscall.SIGINT {
					cancel()
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	start := time.Now()
	if cut := drain(ctx); cut > 0 {
		return errors.Join(fmt.Errorf("stopped with %d connections still in use", cut), s.Err())
	}
	slog.Info("stopped", "drained_in", time.Since(start).Round(time.Millisecond))
	return s.Err()
}

// raiseFileLimit takes all descriptors that the hard limit allows: every connection is one.
func raiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil && l.Cur < l.Max {
		l.Cur = l.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
			slog.Warn("open file limit not raised", "error", err)
		}
	}
}
