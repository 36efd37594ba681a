// Package admin is the listener for operators: metrics, liveness and readiness. It belongs to the control plane and asks the workers only
// through their mailboxes. It imports the HTTP/1.1 codec and telemetry.
//
// It speaks HTTP with the gateway's own codec over blocking sockets, one request per connection: net/http with what it imports would be
// a good part of the gateway's cold start, used or not.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

const (
	// collectTimeout bounds how long a scrape waits for a busy worker; what such a worker said last is shown instead.
	collectTimeout = time.Second
	// exchangeTimeout bounds one connection.
	exchangeTimeout = 10 * time.Second
	// maxConnections at a time; further ones wait in the backlog.
	maxConnections = 64
	maxHead        = 16 << 10
)

// Server answers operators.
type Server struct {
	registry *telemetry.Registry
	ready    atomic.Bool
	listener net.Listener
	slots    chan struct{}
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
	s := &Server{registry: r, listener: l, slots: make(chan struct{}, maxConnections)}
	s.ready.Store(true)
	go s.accept()
	return s, nil
}

// Addr is the address being listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// SetReady decides what /readyz says.
func (s *Server) SetReady(ok bool) { s.ready.Store(ok) }

// Close stops accepting. Answers under way are finished.
func (s *Server) Close() { _ = s.listener.Close() }

func (s *Server) accept() {
	for {
		s.slots <- struct{}{}
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			slog.Warn("admin: accept failed, pausing", "error", err)
			time.Sleep(100 * time.Millisecond)
			<-s.slots
		default:
			go s.serve(c)
		}
	}
}

// serve answers one request.
func (s *Server) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		<-s.slots
	}()
	if c.SetDeadline(time.Now().Add(exchangeTimeout)) != nil {
		return
	}
	var req wire.Request
	buf := make([]byte, 0, maxHead)
	limits := wire.Limits{HeadBytes: maxHead}.WithDefaults()
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		head, bad := h1.ParseRequest(buf, &req, &limits)
		if bad != nil {
			reply(c, false, bad.Status, "text/plain; charset=utf-8", []byte(bad.Detail+"\n"))
			return
		}
		if head > 0 {
			break
		}
		if len(buf) == cap(buf) {
			return // the codec refuses larger heads, so this cannot be
		}
	}
	status, typ, body := s.answer(&req)
	reply(c, req.Method == wire.MethodHead, status, typ, body)
}

func (s *Server) answer(r *wire.Request) (status int, typ string, body []byte) {
	const text = "text/plain; charset=utf-8"
	if r.Method != wire.MethodGet && r.Method != wire.MethodHead {
		return 405, text, []byte("only GET and HEAD are answered here\n")
	}
	switch string(r.Path) {
	case "/metrics":
		ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
		defer cancel()
		return 200, telemetry.ContentType, telemetry.AppendText(nil, s.registry.Collect(ctx))
	case "/healthz": // the process runs and its control plane answers
		return 200, text, []byte("ok\n")
	case "/readyz": // new connections are welcome; not from the beginning of a drain on
		if !s.ready.Load() {
			return 503, text, []byte("draining\n")
		}
		return 200, text, []byte("ready\n")
	}
	return 404, text, []byte("there are /metrics, /healthz and /readyz\n")
}

func reply(c net.Conn, head bool, status int, typ string, body []byte) {
	b := h1.AppendStatusLine(nil, status, nil)
	b = h1.AppendField(b, []byte("content-type"), []byte(typ))
	b = h1.AppendField(b, []byte("content-length"), strconv.AppendInt(nil, int64(len(body)), 10))
	if status == 405 {
		b = h1.AppendField(b, []byte("allow"), []byte("GET, HEAD"))
	}
	b = append(b, "connection: close\r\n\r\n"...)
	if !head {
		b = append(b, body...)
	}
	_, _ = c.Write(b)
}
