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

// Listener accepts on the descriptors of one address: loop.Acceptor. There is usually one of them; more are left over when a process
// with more workers handed its sockets to this one.
type Listener struct {
	opt    Options
	ids    []loop.ID
	keep   []int // second descriptors, from Close to the last OnListenClosed
	timer  loop.Timer
	open   int
	closed int // how many of ids are
	shut   bool
	full   bool
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
	// Closed is called after Close, when no further connection will come. It may be nil.
	Closed func()
}

// Start listens on fds, which it owns from here on.
func Start(fds []int, o Options) *Listener {
	l := &Listener{opt: o}
	l.timer.Handler = l
	for _, fd := range fds {
		l.ids = append(l.ids, o.Loop.Listen(fd, l))
	}
	return l
}

// OnAccept implements loop.Acceptor.
func (l *Listener) OnAccept(fd int) {
	l.open++
	l.limit()
	l.opt.Accept(fd)
}

// limit pauses accepting when the limit is reached.
func (l *Listener) limit() {
	if l.opt.MaxConnections > 0 && l.open >= l.opt.MaxConnections && !l.full {
		l.full = true
		l.opt.Count.DownstreamRefused++
		for _, id := range l.ids {
			l.opt.Loop.PauseAccept(id)
		}
	}
}

func (l *Listener) resume() {
	for _, id := range l.ids {
		l.opt.Loop.ResumeAccept(id)
	}
}

// Released tells that a connection of this listener ended.
func (l *Listener) Released() {
	l.open--
	l.unlimit()
}

func (l *Listener) unlimit() {
	if l.full && (l.open < l.opt.MaxConnections || l.opt.MaxConnections == 0) && !l.shut {
		l.full = false
		if !l.timer.Armed() {
			l.resume()
		}
	}
}

// Change puts new settings in force, for connections that come from here on.
func (l *Listener) Change(maxConnections, backlog int) {
	l.opt.MaxConnections = maxConnections
	l.unlimit()
	l.limit()
	for _, id := range l.ids {
		_ = loop.SetBacklog(l.opt.Loop.FD(id), backlog) // a queue of the old length serves, too
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
		l.resume()
	}
}

// Close stops accepting and closes the descriptors. Connections that wait in the kernel's queue would be reset by that, so they are
// accepted first, unless leave says that another process holds the same sockets and will accept them.
func (l *Listener) Close(leave bool) {
	if l.shut {
		return
	}
	l.shut = true
	l.opt.Loop.Disarm(&l.timer)
	for _, id := range l.ids {
		if !leave {
			if fd := loop.DupListener(l.opt.Loop.FD(id)); fd >= 0 {
				l.keep = append(l.keep, fd)
			}
		}
		l.opt.Loop.CloseListener(id)
	}
}

// OnListenClosed implements loop.Acceptor.
func (l *Listener) OnListenClosed() {
	if l.closed++; l.closed < len(l.ids) {
		return
	}
	for _, fd := range l.keep {
		for l.opt.MaxConnections == 0 || l.open < l.opt.MaxConnections {
			c := loop.AcceptQueued(fd)
			if c < 0 {
				break
			}
			l.open++
			l.opt.Accept(c)
		}
		loop.CloseListenerFD(fd)
	}
	l.keep = nil
	if l.opt.Closed != nil {
		l.opt.Closed()
	}
}

// Dup returns second descriptors of the sockets, for another process.
func (l *Listener) Dup() (fds []int) {
	for _, id := range l.ids {
		if fd := loop.DupListener(l.opt.Loop.FD(id)); fd >= 0 && !l.shut {
			fds = append(fds, fd)
		}
	}
	return fds
}
