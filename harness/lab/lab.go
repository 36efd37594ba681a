package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// Located is a target with its executable.
type Located struct {
	target.Target
	Binary target.Binary
	// ExtraArgs are appended to its command line.
	ExtraArgs []string
	// Sparing: it is measured in the scenarios that are marked for shipped configurations only, at saturation only.
	Sparing bool
}

// Config of a laboratory.
type Config struct {
	// Set owns every process that is started.
	Set     *proc.Set
	Machine machine.Spec
	// Targets in the order of the report.
	Targets []Located
	// Blitzload is the path of the load generator.
	Blitzload string
	Profile   Profile
	// Seed of the interleaving.
	Seed uint64
	// Scratch is a directory for configurations, logs and records; the caller removes it.
	Scratch string
	// OpenFiles is the limit in force.
	OpenFiles uint64
	// Counters has each target open its admin listener and samples carry the allocations that it counted (blitz only).
	Counters bool
	// Intervals, when not 0, has the load generator keep the response times of intervals of this length apart, in windows of at least two.
	Intervals time.Duration
	// Fleet, if set, are the hosts that do all this in place of this machine.
	Fleet *Fleet
	// Progress receives a line for each step; nil for silence.
	Progress func(string)
}

// Lab measures. It is used by one goroutine.
type Lab struct {
	Config
	rng  *rand.Rand
	dirs int
	// heads are response head sizes as verified, notes what a target said of itself, command its first command line.
	seen map[string]*result.Target
	// through is a command that the load generator is started through, such as one that enters a network namespace; nil: none.
	through []string
	// pair is what all targets of the run show over TLS.
	pair *target.Pair
}

// New checks the configuration.
func New(c Config) (*Lab, error) {
	switch {
	case c.Set == nil || c.Scratch == "":
		return nil, errors.New("lab: a process set and a scratch directory are needed")
	case len(c.Targets) == 0:
		return nil, errors.New("lab: no target to measure")
	case c.Profile.Pairs < 1:
		return nil, errors.New("lab: at least one pair is needed")
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	pair, err := newPair()
	if err != nil {
		return nil, err
	}
	return &Lab{Config: c, rng: rng(c.Seed, ""), pair: pair}, nil
}

// rng gives each scenario an order of its own that does not depend on the ones before it: a resumed run goes on as the whole one would have.
func rng(seed uint64, scenario string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(scenario))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Outcome of one scenario: a result without its Run and Machine, and its interval logs by name.
type Outcome struct {
	Result *result.Result
	Logs   map[string][]byte
}

// Run measures one scenario over all targets.
func (l *Lab) Run(ctx context.Context, s Scenario) (Outcome, error) {
	l.seen = map[string]*result.Target{}
	l.rng = rng(l.Seed, s.Name)
	r := &result.Result{Scenario: result.Scenario{
		Name: s.Name, Title: s.Title, About: l.about(s), Proxied: s.proxied, BodyBytes: s.bodyBytes,
		Connections: l.connections(s), NewConnection: s.newConnection, Protocol: s.protocol(), Streams: s.streams, TLS: s.tls, GRPC: s.grpc,
		Handshakes: s.handshakes, Resumed: s.resumed,
	}}
	if s.originH2 {
		r.Scenario.OriginProtocol = "h2"
	}
	all := l.Targets
	defer func() { l.Targets = all }()
	if l.Targets, r.Scenario.Unsupported = l.supported(s); len(l.Targets) == 0 {
		return Outcome{r, nil}, nil
	}
	for _, u := range r.Scenario.Unsupported {
		l.Progress(fmt.Sprintf("%s is left out: %s", u.Target, u.Reason))
	}
	logs := map[string][]byte{}
	var err error
	switch s.kind {
	case idle:
		r.Samples, err = l.rounds(ctx, s, l.Profile.Pairs, func(t Located, sm *result.Sample) error { return l.idleSample(ctx, s, t, sm) })
	case cold:
		r.Samples, err = l.rounds(ctx, s, l.Profile.ColdStarts, func(t Located, sm *result.Sample) error { return l.coldSample(ctx, s, t, sm) })
	case find:
		r.Samples, err = l.findScenario(ctx, s)
	case chaos:
		err = l.chaosScenario(ctx, s, r, logs)
	case scaling:
		r.Samples, err = l.scalingScenario(ctx, s, r)
	case reload:
		err = l.reloadScenario(ctx, s, r)
	default:
		err = l.loadScenario(ctx, s, r, logs)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	for _, t := range l.Targets {
		r.Targets = append(r.Targets, *l.seen[t.Name()])
	}
	return Outcome{r, logs}, nil
}

// protocol is HTTP's version between the load generator and the target.
func (s Scenario) protocol() string {
	if s.h2 {
		return "h2"
	}
	return "h1"
}

func (l *Lab) connections(s Scenario) int {
	switch {
	case s.kind == idle && l.Profile.IdleConnections > 0:
		return l.Profile.IdleConnections
	case s.kind == load && l.Profile.Connections > 0:
		return l.Profile.Connections
	}
	return s.connections
}

// rounds measures every target n times in ABBA order. A sample that comes out invalid is measured once more at once; both are kept.
func (l *Lab) rounds(ctx context.Context, s Scenario, n int, measure func(Located, *result.Sample) error) ([]result.Sample, error) {
	var out []result.Sample
	for round, order := range Schedule(len(l.Targets), n, l.rng) {
		for pos, i := range order {
			for attempt := range 2 {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				sm := result.Sample{Target: l.Targets[i].Name(), Round: round, Order: pos, Started: time.Now().UTC().Round(time.Millisecond)}
				if err := measure(l.Targets[i], &sm); err != nil {
					return nil, fmt.Errorf("%s, round %d: %w", sm.Target, round+1, err)
				}
				l.Progress(line(s, sm, n))
				out = append(out, sm)
				if sm.Valid() || attempt == 1 {
					break
				}
			}
		}
	}
	return out, nil
}

// dir makes an empty directory for one process.
func (l *Lab) dir(name string) (string, error) {
	l.dirs++
	d := filepath.Join(l.Scratch, strconv.Itoa(l.dirs)+"-"+name)
	return d, os.Mkdir(d, 0o755)
}

// ports lie below the range from which clients get theirs: a connection's source port can never be a listening port.
const (
	firstPort = 18000
	lastPort  = 28000
)

// nextPort is where FreePort goes on. It begins at another place in each process, and not at one that the seed of the run tells: two laboratories with
// one seed, as in tests, must not meet.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(lastPort - firstPort)) }

// FreePort returns a port of 127.0.0.1 on which nobody listens. It returns none a second time before it has been through all of them: who got one
// may not listen on it yet.
func FreePort() (int, error) { return freePortOn("127.0.0.1") }

// freePortOn is FreePort for another address of this host. Where the range of local ports has been widened, as it is on tuned hosts, a connection that a
// target before made from that address, and that is in TIME_WAIT, may hold a port which is free on 127.0.0.1.
func freePortOn(host string) (int, error) {
	for range lastPort - firstPort {
		port := firstPort + int(nextPort.Add(1))%(lastPort-firstPort)
		if machine.PortFree(net.JoinHostPort(host, strconv.Itoa(port))) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port of %s between %d and %d", host, firstPort, lastPort)
}

// start runs a target for one sample. originPort is 0 without an origin.
func (l *Lab) start(t Located, s Scenario, originPort int) (*target.Running, error) {
	dir, err := l.dir(t.Name())
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	admin := 0
	if l.Counters || target.IsFull(t.Name()) {
		if admin, err = FreePort(); err != nil {
			return nil, err
		}
	}
	p := l.plan(s)
	p.AdminPort, p.Dir, p.Host, p.Port, p.OriginHost, p.OriginPort, p.ExtraArgs = admin, dir, "127.0.0.1", port, "127.0.0.1", originPort, t.ExtraArgs
	return target.Start(l.Set, t.Target, t.Binary, p)
}

// describe remembers how a target was run, the first time.
func (l *Lab) describe(t Located, run *target.Running, headBytes int) {
	if l.seen[t.Name()] != nil {
		return
	}
	d := &result.Target{Name: t.Name(), Version: t.Binary.Version, HeadBytes: headBytes}
	d.Command = append([]string{filepath.Base(run.Binary.Path)}, append(run.Launch.Args, run.Plan.ExtraArgs...)...)
	for i, a := range d.Command {
		// The run directory is gone when somebody reads this.
		d.Command[i] = strings.ReplaceAll(a, run.Plan.Dir, "RUN_DIRECTORY")
	}
	for _, f := range run.Launch.Files {
		d.Config = append(d.Config, result.File{Name: f.Name, Text: strings.ReplaceAll(f.Text, run.Plan.Dir, "RUN_DIRECTORY")})
	}
	if n, ok := t.Target.(interface{ Notes(log string) []string }); ok {
		d.Notes = n.Notes(run.LogTail())
	}
	l.seen[t.Name()] = d
}

// ready waits until a target answers and checks its bytes.
func (l *Lab) ready(ctx context.Context, s Scenario, t Located, run *target.Running, want []byte) error {
	path := s.path
	if s.grpc {
		path = target.StaticPath // a plain request for a call's path is no call
	}
	if err := run.AwaitReady(ctx, path, 15*time.Second); err != nil {
		return err
	}
	var head int
	var err error
	if s.h2 {
		err = verifyH2(ctx, s, run.Plan.Addr(), want)
	} else {
		head, err = verify(ctx, s, run.Plan.Addr(), want)
	}
	if err != nil {
		return fmt.Errorf("%s answers wrongly, nothing was timed: %w", t.Name(), err)
	}
	l.describe(t, run, head)
	return nil
}

func line(s Scenario, sm result.Sample, rounds int) string {
	head := fmt.Sprintf("%-13s %-10s %2d/%-2d %-9s", s.Name, sm.Phase, sm.Round+1, rounds, sm.Target)
	switch {
	case !sm.Valid():
		return head + " INVALID: " + strings.Join(sm.Invalid, "; ")
	case sm.Load != nil:
		v := sm.Load
		text := fmt.Sprintf("%s %9.0f req/s %8.2f µs CPU/req  p50 %s p99 %s", head, v.RPS, v.ServerCPUMicros, time.Duration(v.Response.P50), time.Duration(v.Response.P99))
		if n := v.Errors.Total(); n > 0 {
			text += fmt.Sprintf("  %d errors", n)
		}
		return text
	case sm.Idle != nil:
		return fmt.Sprintf("%s %9.1f MiB  %.0f B/connection", head, float64(sm.Idle.PSS)/(1<<20), sm.Idle.PerConnection)
	case sm.Search != nil:
		return fmt.Sprintf("%s %9.0f req/s hold %s, %.0f do not", head, sm.Search.Rate, sm.Search.Objective, sm.Search.FailedAt)
	case sm.Chaos != nil:
		v := sm.Chaos
		return fmt.Sprintf("%s %d of %d requests failed, p99 %s; with one endpoint dead %d of %d", head, v.Failed, v.Requests, time.Duration(v.Response.P99), v.Dead.Failed, v.Dead.Requests)
	case sm.Reload != nil:
		v := sm.Reload
		return fmt.Sprintf("%s %d of %d reloads at %.0f requests/s, seen after %s (median), %d requests failed, %d WebSockets closed, p99 %s, without reloads %s", head, v.Done, v.Asked, sm.Rate,
			time.Duration(v.Seen.P50), v.Kept.Failed+v.Closed.Failed, v.WebSocketsClosed, time.Duration(v.Kept.Response.P99), time.Duration(v.QuietKept.Response.P99))
	case sm.Cold != nil:
		return fmt.Sprintf("%s %9.2f ms", head, sm.Cold.Milliseconds)
	}
	return head
}
