package loop

// Deferred is work that is done once at the end of a turn, however often it was asked for: what a turn's events put
// together leaves with one Send. Intrusive like Timer: embed it, set Handler once, hand its address to Loop.Defer.
type Deferred struct {
	Handler DeferredHandler

	queued bool
	next   *Deferred
}

// DeferredHandler does deferred work.
type DeferredHandler interface {
	OnDeferred()
}

// deferredList is a queue of deferred work, first in, first out.
type deferredList struct{ head, tail *Deferred }

func (l *deferredList) push(d *Deferred) {
	if d.queued {
		return
	}
	d.queued = true
	if l.tail == nil {
		l.head = d
	} else {
		l.tail.next = d
	}
	l.tail = d
}

// run does what is queued. What is queued meanwhile is left for the next turn.
func (l *deferredList) run() {
	last := l.tail
	for last != nil {
		d := l.head
		if l.head = d.next; l.head == nil {
			l.tail = nil
		}
		d.next, d.queued = nil, false
		d.Handler.OnDeferred()
		if d == last {
			return
		}
	}
}
