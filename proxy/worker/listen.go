package worker

import (
	"log/slog"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/downstream"
	"github.com/blitz-gateway/blitz/proxy/listener"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// accepting is one address that this worker listens on, through all changes of its settings.
type accepting struct {
	address loop.Addr // as configured
	name    string
	// settings of connections that come from here on; those that are there keep the ones they came with.
	settings *downstream.Listener
	ln       *listener.Listener
	leaving  bool
}

// listen begins to accept.
func (w *Worker) listen(s *snapshot.Listener, fds []int) *accepting {
	a := &accepting{address: s.Address, name: s.Name}
	a.ln = listener.Start(fds, listener.Options{
		Loop: w.loop, Count: w.count, MaxConnections: s.MaxConnections,
		Accept: func(fd int) { w.down.Accept(fd, a.settings) },
		Problem: func(err error) {
			slog.Warn("accept failed, pausing", "listener", a.name, "worker", w.opt.ID, "error", err)
		},
		Closed: func() {
			w.closing--
			w.checkDrained()
		},
	})
	a.settings = w.settings(a, s)
	return a
}

// settings makes what connections to a share.
func (w *Worker) settings(a *accepting, s *snapshot.Listener) *downstream.Listener {
	l := &downstream.Listener{
		Name: s.Name, Limits: s.Limits, Header: s.HeaderTimeout, Idle: s.IdleTimeout, Body: s.BodyIdleTimeout,
		MaxBody: s.MaxBody, MaxRequests: s.MaxRequests,
		MaxPerSource: s.MaxPerSource, MaxAge: s.MaxAge, MinRate: s.MinRate, ProxyProtocol: s.ProxyProtocol, TrustForwarded: s.TrustForwarded, ServerName: []byte(s.ServerName),
		Leaving: &a.leaving,
		Released: func() {
			a.ln.Released()
			w.checkDrained()
		},
		HTTP1: s.HTTP1,
	}
	if s.HTTP2 {
		l.HTTP2 = downstream.NewHTTP2(s.H2Limits)
	}
	if t := s.TLS; t != nil {
		l.TLS, l.Handshake, l.ForwardCert = t.Config, t.Handshake, t.ForwardCert
		l.Plaintext = downstream.Plaintext(t.Plaintext)
	}
	return l
}

// close stops accepting. leave: another process holds the same sockets and goes on with their queues.
func (w *Worker) close(a *accepting, leave bool) {
	w.closing++
	a.ln.Close(leave)
}

// Drain ends the worker's service: it stops accepting and ends every connection with its current response, unused ones after grace.
// leave tells that another process goes on accepting from the same sockets. Safe from any goroutine.
func (w *Worker) Drain(grace time.Duration, leave bool) {
	w.loop.Post(func() {
		if w.draining {
			return
		}
		w.draining = true
		for _, a := range w.listeners {
			w.close(a, leave)
		}
		w.down.Drain(grace)
		for _, c := range w.clients {
			c.CloseIdle()
		}
		w.checkDrained()
	})
}

func (w *Worker) checkDrained() {
	if w.draining && !w.drained && w.closing == 0 && w.down.Len() == 0 {
		w.drained = true
		if w.opt.Drained != nil {
			w.opt.Drained()
		}
	}
}

// Sockets returns second descriptors of the listening sockets, in the order of the snapshot's listeners, for another process. On the loop's
// thread; the caller owns them.
func (w *Worker) Sockets() [][]int {
	var all [][]int
	for _, a := range w.listeners {
		all = append(all, a.ln.Dup())
	}
	return all
}
