package secure

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

const (
	// perTurn is how many handshakes are begun in one turn of the loop, each of which costs two to three hundred microseconds: what
	// other connections wait for at most, whoever floods us.
	perTurn = 2
	// lingerTime and lingerBytes bound how long bytes are received and thrown away after a fatal alert, so that the RST of a close
	// with unread data does not destroy it.
	lingerTime  = time.Second
	lingerBytes = 256 << 10
	// maxFree is how many unused connections are kept for the next ones.
	maxFree = 1024
	// idleTime is how long a connection is silent before its records are small again: TCP's congestion window has been reset by then
	// (RFC 5681 section 4.1).
	idleTime = int64(time.Second)
)

// Env is what the TLS connections of one worker share. Make it with NewEnv.
type Env struct {
	// BufferSize is the most that one multishot receive of the loop brings, in bytes.
	BufferSize int

	loop  loop.Loop
	pool  *flow.Pool
	count *telemetry.Counters

	handshakes int    // of servers, under way
	turn       uint64 // the turn of the loop in which begun were begun
	begun      int

	// waiting are servers whose handshake has not begun, oldest first; lingering are connections after a fatal alert, likewise.
	waiting, lingering list
	// pending are connections with something to report that must not be reported from within a call.
	pending, batch []*Conn
	later          loop.Deferred
	linger         loop.Timer
	free           *Conn
	nFree          int
}

// NewEnv makes the Env of one worker.
func NewEnv(l loop.Loop, pool *flow.Pool, count *telemetry.Counters) *Env {
	e := &Env{BufferSize: loop.DefaultBufferSize, loop: l, pool: pool, count: count}
	e.later.Handler = e
	e.linger.Handler = e
	return e
}

// of are the counters of a connection's role.
func (e *Env) of(c *Conn) *telemetry.TLSCounters {
	if c.server {
		return &e.count.DownstreamTLS
	}
	return &e.count.UpstreamTLS
}

// Waiting is the number of handshakes that wait for their turn.
func (e *Env) Waiting() int { return e.waiting.n }

// Handshakes is the number of a server's handshakes under way.
func (e *Env) Handshakes() int { return e.handshakes }

func (e *Env) conn() *Conn {
	c := e.free
	if c == nil {
		return &Conn{Loop: e.loop, env: e}
	}
	e.free = c.next
	e.nFree--
	c.next = nil
	return c
}

func (e *Env) release(c *Conn) {
	*c = Conn{Loop: e.loop, env: e}
	if e.nFree < maxFree {
		c.next = e.free
		e.free = c
		e.nFree++
	}
}

// deferred makes the loop call c.report before this turn ends.
func (e *Env) deferred(c *Conn) {
	if !c.queued {
		c.queued = true
		e.pending = append(e.pending, c)
		e.loop.Defer(&e.later)
	}
}

// OnDeferred implements loop.DeferredHandler.
func (e *Env) OnDeferred() {
	e.pending, e.batch = e.batch[:0], e.pending
	for i, c := range e.batch {
		e.batch[i] = nil
		if c.queued { // otherwise it was closed meanwhile
			c.queued = false
			c.report()
		}
	}
	e.admit()
}

// OnTimer implements loop.TimerHandler: the oldest lingering connections have had their time.
func (e *Env) OnTimer(*loop.Timer) {
	now := e.loop.Now()
	for c := e.lingering.first; c != nil && c.since <= now-int64(lingerTime); c = e.lingering.first {
		c.drop()
	}
	if c := e.lingering.first; c != nil {
		e.loop.Arm(&e.linger, time.Duration(c.since+int64(lingerTime)-now))
	}
}

// list is a queue of connections; one connection is in one list at most.
type list struct {
	first, last *Conn
	n           int
}

func (l *list) push(c *Conn) {
	c.prev, c.next, c.in = l.last, nil, l
	if l.last != nil {
		l.last.next = c
	} else {
		l.first = c
	}
	l.last = c
	l.n++
}

func (l *list) remove(c *Conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.last = c.prev
	}
	c.prev, c.next, c.in = nil, nil, nil
	l.n--
}
