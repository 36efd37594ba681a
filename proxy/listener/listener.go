// Package listener is step 1 of the path: it accepts connections of one address on one worker and gives each to its handler. When
// descriptors or memory run out it pauses instead of spinning, and at its connection limit it lets the kernel's queue hold the rest.
// It imports the loop and telemetry.
package listener

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// retryAfter is how long accepting pauses after the kernel refused a descriptor.
const retryAfter = 100 * time.Millisecond

// Listener accepts on one descriptor: loop.Acceptor.
type Listener struct {
	opt   Options
	id    loop.ID
	timer loop.Timer
	open  int
	shut  bool
	full  bool
}

// Options of a listener.
type Options struct {
	Loop  loop.Loop
	Count *telemetry.Counters
	// Accept takes ownership of a connected descriptor.
	Accept func(fd int)
	// MaxConnections on this worker, 0: no limit. The owner reports ended connections with Released.
	MaxConnections int
	// Problem is told about failed accepts, at most once per pause.
	Problem func(err error)
}

// Start listens on fd, which it owns from here on.
func Start(fd int, o Options) *Listener {
	l := &Listener{opt: o}
	l.timer.Handler = l
	l.id = o.Loop.Listen(fd, l)
	return l
}

// OnAccept implements loop.Acceptor.
func (l *Listener) OnAccept(fd int) {
	l.open++
	if l.opt.MaxConnections > 0 && l.open >= l.opt.MaxConnections && !l.full {
		l.full = true
		l.opt.Count.DownstreamRefused++
		l.opt.Loop.PauseAccept(l.id)
	}
	l.opt.Accept(fd)
}

// Released tells that a connection of this listener ended.
func (l *Listener) Released() {
	l.open--
	if l.full && l.open < l.opt.MaxConnections && !l.shut {
		l.full = false
		if !l.timer.Armed() {
			l.opt.Loop.ResumeAccept(l.id)
		}
	}
}

// OnAcceptError implements loop.Acceptor.
func (l *Listener) OnAcceptError(err error) {
	l.opt.Count.AcceptErrors++
	if l.shut {
		return
	}
	if l.opt.Problem != nil {
		l.opt.Problem(err)
	}
	l.opt.Loop.Arm(&l.timer, retryAfter)
}

// OnTimer implements loop.TimerHandler.
func (l *Listener) OnTimer(*loop.Timer) {
	if !l.shut && !l.full {
		l.opt.Loop.ResumeAccept(l.id)
	}
}

// OnListenClosed implements loop.Acceptor.
func (l *Listener) OnListenClosed() {}

// Close stops accepting and closes the descriptor.
func (l *Listener) Close() {
	if !l.shut {
		l.shut = true
		l.opt.Loop.Disarm(&l.timer)
		l.opt.Loop.CloseListener(l.id)
	}
}
