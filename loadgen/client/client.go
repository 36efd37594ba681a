package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/schedule"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// Config is one thread's share of a run.
type Config struct {
	// Loop options; OnTurn is set by New.
	Loop loop.Options
	Addr loop.Addr
	// Requests are sent in turn. Request number i of the whole run is Requests[i % len]; in closed mode this thread counts for
	// itself, from Shard in steps of Shards.
	Requests      []workload.Request
	Shard, Shards int
	// Connections of this thread.
	Connections int
	// Timeout of a request, from its send to the last byte; also of opening a connection. It is checked in steps of a
	// twentieth.
	Timeout time.Duration
	// PerRequest opens a connection for each request.
	PerRequest bool
	// H2 speaks HTTP/2, with up to Streams requests at once on each connection.
	H2      bool
	Streams int
	// GRPC checks the answers of unary calls: one message, and grpc-status 0. It needs H2.
	GRPC bool
	// TLS, when set, is spoken on every connection; it is not changed. ALPN is the protocol that the server must agree to, "" for
	// any. Resume makes all handshakes but the first continue its session; one that does not is an error.
	TLS    *tls.Config
	ALPN   string
	Resume bool
	// Handshakes makes a request a TLS handshake on a connection of its own, and nothing more. It needs PerRequest.
	Handshakes bool
	// ExpectStatus is the status every response must have; 0: any below 400. ExpectBody is the size its body must have;
	// negative: any.
	ExpectStatus int
	ExpectBody   int64
	// Open tells whether Schedule says when requests start. Otherwise each connection starts the next one at once.
	Open     bool
	Schedule schedule.Schedule
	// Interval is how often the recorder's part is handed over.
	Interval time.Duration
	Recorder *recorder.Thread
	// Ready is called once, on the loop thread, when the first connections stand: err when not a single one could be made.
	Ready func(err error)
	// Window is called on the loop thread when the measured window begins (true) and ends (false).
	Window func(begins bool)
}

// Plan is when what happens, on the monotonic clock of internal/clock.
type Plan struct {
	// Start is the zero of the schedule, when the warm-up begins.
	Start int64
	// From and To bound the measured window.
	From, To int64
	// SendUntil is how long requests that are overdue at To may still be sent. What was sent has its own timeout.
	SendUntil int64
}

// phase of a client.
type phase uint8

const (
	connecting phase = iota
	standing         // connected, waiting for Begin
	running
	finished
)

// maxDialing bounds how many connections are being opened at once before the run: a burst of thousands would overflow
// the server's accept queue, and what the kernel drops there comes back a second later.
const maxDialing = 64

// Client is the load of one thread. All its methods but Begin, Interrupt and Info belong to the loop thread.
type Client struct {
	cfg   Config
	loop  loop.Loop
	clock clock.System
	rec   *recorder.Thread

	phase phase
	plan  Plan
	conns []conn
	idle  queue // connected and free
	down  queue // free, and to be opened first
	// inflight counts requests that were begun and have no outcome yet.
	inflight int

	sched schedule.Schedule
	ahead schedule.Schedule // reads ahead of sched to count the backlog
	due   int64             // hits that ahead has passed
	begun int64             // hits that sched has passed
	turnN uint64            // requests begun in closed mode

	windowOpen, windowDone bool
	interrupted            bool
	nextSweep, nextRotate  int64
	// batch holds, for each measured request begun in this turn, the moment it could have been sent.
	batch []int64

	// Before the run.
	toDial, dialing, dialed int
	dialErr                 error
	giveUp                  int64

	parser parser

	// sessions are there to be resumed; primed waits for the first of them. tlsState is what a handshake settled.
	sessions *sessions
	primed   func()
	tlsState *tlsrec.State

	// HTTP/2: what the connections share, and those that have something to send.
	h2      h2.Config
	scratch h2.Scratch
	dirty   []*mux
}

// New makes the loop and the connections, but opens none yet. The error wraps loop.ErrUnsupported when the engine cannot
// run here.
func New(cfg Config) (*Client, error) {
	if cfg.Connections < 1 || len(cfg.Requests) == 0 || cfg.Timeout <= 0 || cfg.Interval <= 0 || cfg.Shards < 1 {
		return nil, errors.New("client: incomplete configuration")
	}
	if !cfg.H2 {
		cfg.Streams = 1
	}
	if cfg.Streams < 1 || cfg.H2 && cfg.Handshakes || cfg.Handshakes && !(cfg.PerRequest && cfg.TLS != nil) {
		return nil, errors.New("client: contradictory configuration")
	}
	if cfg.PerRequest {
		cfg.Streams = 1
	}
	c := &Client{cfg: cfg, rec: cfg.Recorder, conns: make([]conn, cfg.Connections), sched: cfg.Schedule, ahead: cfg.Schedule,
		turnN: uint64(cfg.Shard), batch: make([]int64, 0, cfg.Connections*cfg.Streams)}
	if cfg.TLS != nil {
		c.cfg.TLS = cfg.TLS.Clone()
		if cfg.Resume {
			c.sessions = new(sessions)
			c.cfg.TLS.ClientSessionCache = c.sessions
		}
	}
	if cfg.H2 {
		c.h2 = h2Config(cfg.Streams)
	}
	opts := cfg.Loop
	opts.OnTurn = c.turn
	l, err := loop.New(opts)
	if err != nil {
		return nil, err
	}
	c.loop = l
	for i := range c.conns {
		k := &c.conns[i]
		c.init(k)
		c.down.push(k)
	}
	return c, nil
}

// init ties a connection to its client.
func (c *Client) init(k *conn) {
	k.c = c
	k.link.Init(c.loop, k, c.cfg.TLS)
	k.timer.Handler = k
	if c.cfg.H2 {
		k.mux = newMux(k)
	}
}

// Run runs the loop until the run is over. It hands over the recorder's last part.
func (c *Client) Run() error {
	c.giveUp = c.clock.Mono() + int64(c.cfg.Timeout)
	// A TLS handshake is a coroutine, which stays with its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.loop.Post(c.dialFirst)
	err := c.loop.Run()
	for i := range c.conns {
		c.conns[i].link.Release()
	}
	if c.phase == connecting {
		c.ready(fmt.Errorf("the loop ended: %w", errors.Join(err, loop.ErrStopped)))
	}
	c.rec.Finish(c.clock.Mono())
	return err
}

// Begin starts the run. It may be called from any goroutine, after Ready.
func (c *Client) Begin(p Plan) {
	c.loop.Post(func() {
		if c.phase != standing {
			return
		}
		c.phase, c.plan = running, p
		c.rec.From = p.From
		c.nextRotate = p.From + int64(c.cfg.Interval)
		c.nextSweep = c.loop.Now() + c.sweepEvery()
	})
}

// Interrupt ends the run early, at a time on the monotonic clock: no new requests from then on, and a short time for the
// outstanding ones. From any goroutine.
func (c *Client) Interrupt(at int64) {
	c.loop.Post(func() {
		switch c.phase {
		case running:
			c.interrupt(at)
		default:
			c.loop.Stop()
		}
	})
}

// Abort stops the loop at once. From any goroutine.
func (c *Client) Abort() { c.loop.Stop() }

// TLS returns what a handshake settled, one that resumed a session if there was one; nil without TLS. After Run has returned.
func (c *Client) TLS() *tlsrec.State { return c.tlsState }

// Info says which engine runs.
func (c *Client) Info() loop.Info { return c.loop.Info() }

// Stats returns the loop's counters after Run has returned.
func (c *Client) Stats() loop.Stats { return c.loop.Stats() }

// dialFirst opens the connections before the run, a bounded number at a time. When each request brings its own connection,
// a single one is opened, to see whether the server is there at all.
func (c *Client) dialFirst() {
	c.toDial = len(c.conns)
	if c.cfg.PerRequest {
		c.toDial = 1
	}
	c.dialMore()
}

func (c *Client) dialMore() {
	for c.toDial > 0 && c.dialing < maxDialing {
		c.toDial--
		c.dialing++
		c.down.pop().dial()
	}
	if c.toDial == 0 && c.dialing == 0 && c.phase == connecting {
		c.ready(nil)
	}
}

// firstDialed takes the outcome of one connection opened before the run.
func (c *Client) firstDialed(err error) {
	c.dialing--
	if err == nil {
		c.dialed++
	} else if c.dialErr == nil {
		c.dialErr = err
	}
	c.dialMore()
}

// ready ends the phase of connecting. Some connections may be missing: the requests that need them will open them, or fail.
func (c *Client) ready(err error) {
	c.phase = standing
	if err == nil && c.dialed == 0 {
		err = c.dialErr
		switch {
		case err == nil && c.primed != nil:
			err = errNoTicket
		case err == nil:
			err = errors.New("timed out")
		}
	}
	c.cfg.Ready(err)
}
