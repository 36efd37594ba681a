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
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGHUP)
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
		if cfg, err = config.Load(c.Config); err != nil {
			return err
		}
	}
	snap, err := snapshot.Build(cfg, 1)
	if err != nil {
		return err
	}
	s, err := server.Start(snap, version())
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
	return c.wait(s, r, signals)
}

// wait runs until a signal or a dead worker ends the server.
func (c *ServeCmd) wait(s *server.Server, r *server.Reloader, signals <-chan os.Signal) error {
	for {
		select {
		case <-s.Failed():
			s.Stop()
			return s.Err()
		case sig := <-signals:
			switch sig {
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

func (c *ServeCmd) drain(s *server.Server, sig os.Signal, signals <-chan os.Signal) error {
	snap := s.Snapshot()
	slog.Info("draining: a second signal stops at once", "signal", sig.String(), "timeout", snap.DrainTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), snap.DrainDelay+snap.DrainTimeout)
	defer cancel()
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	start := time.Now()
	if cut := s.Drain(ctx); cut > 0 {
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
