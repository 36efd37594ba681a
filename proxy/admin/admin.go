// Package admin is the listener for operators: metrics, liveness and readiness. It belongs to the control plane, runs on
// net/http, and asks the workers only through their mailboxes. It imports telemetry.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// collectTimeout bounds how long a scrape waits for a busy worker; what such a worker said last is shown instead.
const collectTimeout = time.Second

// Server answers operators.
type Server struct {
	registry *telemetry.Registry
	ready    atomic.Bool
	http     http.Server
	addr     net.Addr
}

// Start listens on addr. Only the operator's own machine should reach it: it tells everything to anybody.
func Start(addr loop.Addr, r *telemetry.Registry) (*Server, error) {
	network, at := "tcp", addr.TCP.String()
	if addr.Unix != "" {
		network, at = "unix", addr.Unix
		if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	} else if !addr.TCP.Addr().IsLoopback() {
		slog.Warn("the admin listener can be reached from outside this machine", "address", at)
	}
	l, err := net.Listen(network, at)
	if err != nil {
		return nil, err
	}
	s := &Server{registry: r, addr: l.Addr()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	s.ready.Store(true)
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("admin listener ended", "error", err)
		}
	}()
	return s, nil
}

// Addr is the address being listened on.
func (s *Server) Addr() net.Addr { return s.addr }

// SetReady decides what /readyz says.
func (s *Server) SetReady(ok bool) { s.ready.Store(ok) }

// Close stops answering.
func (s *Server) Close() { _ = s.http.Close() }

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), collectTimeout)
	defer cancel()
	w.Header().Set("Content-Type", telemetry.ContentType)
	_, _ = w.Write(telemetry.AppendText(nil, s.registry.Collect(ctx)))
}

// healthz: the process runs and its control plane answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

// readyz: new connections are welcome. False from the beginning of a drain on.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
