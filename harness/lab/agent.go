package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// FactsFile is where the role facts leaves what it observed.
const FactsFile = "/etc/blitzlab/facts.json"

// Agent does on a host what a coordinator asks for: its exported methods are called over net/rpc (package fleet). Closing it ends everything that it
// started.
type Agent struct {
	set       *proc.Set
	targets   []target.Target
	blitzload string
	scratch   string
	ctx       context.Context
	cancel    context.CancelFunc

	mu     sync.Mutex
	next   int
	runs   map[int]*proc.Process
	meters map[int]*proc.Meter
}

// NewAgent serves with these targets and load generator.
func NewAgent(w *proc.Watcher, targets []target.Target, blitzload string) (*Agent, error) {
	dir, err := os.MkdirTemp("", "blitzlab-agent-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Agent{
		set: proc.NewSet(w), targets: targets, blitzload: blitzload, scratch: dir, ctx: ctx, cancel: cancel, runs: map[int]*proc.Process{}, meters: map[int]*proc.Meter{},
	}, nil
}

// End ends what runs, and with it the calls that wait for it.
func (a *Agent) End() {
	a.cancel()
	_ = a.set.Close() // Close tells what is left
}

// Close ends what runs and removes what was written.
func (a *Agent) Close() error {
	a.cancel()
	return errors.Join(a.set.Close(), os.RemoveAll(a.scratch))
}

// Clock answers the wall clock, in nanoseconds since 1970 (fleet.ClockMethod).
func (a *Agent) Clock(_ struct{}, now *int64) error {
	*now = time.Now().UnixNano()
	return nil
}

// Hello is what an agent says of its host.
type Hello struct {
	Fingerprint machine.Fingerprint
	OpenFiles   uint64
	Facts       json.RawMessage
	// Busy says what else uses the CPUs; empty for nothing.
	Busy string
}

// Hello observes the host, and watches for a second whether something else runs.
func (a *Agent) Hello(_ struct{}, h *Hello) (err error) {
	if h.OpenFiles, err = proc.RaiseFileLimit(65536); err != nil {
		return err
	}
	h.Fingerprint = machine.Observe("/")
	if b, err := os.ReadFile(FactsFile); err == nil {
		if !json.Valid(b) {
			return fmt.Errorf("%s is not JSON", FactsFile)
		}
		h.Facts = b
	}
	act, err := machine.Watch(a.ctx, "/", time.Second)
	if err != nil {
		return err
	}
	if quiet := act.Quiet(); quiet != nil {
		h.Busy = quiet.Error()
	}
	return nil
}

// Locate answers a target's version; "" when it is not installed.
func (a *Agent) Locate(name string, version *string) error {
	t, bin, err := a.locate(name)
	if errors.Is(err, target.ErrNotFound) {
		return nil
	}
	if err == nil && t != nil {
		*version = bin.Version
	}
	return err
}

func (a *Agent) locate(name string) (target.Target, target.Binary, error) {
	for _, t := range a.targets {
		if e, ok := t.(target.Equipped); ok && t.Name()+target.FullSuffix == name {
			t = target.Full(e)
		}
		if t.Name() == name {
			bin, err := t.Locate(a.ctx)
			return t, bin, err
		}
	}
	return nil, target.Binary{}, fmt.Errorf("this agent knows no target %q", name)
}

// lab is a laboratory for one call, with a directory of its own.
func (a *Agent) lab(roles machine.Roles) (*Lab, error) {
	dir, err := os.MkdirTemp(a.scratch, "")
	if err != nil {
		return nil, err
	}
	return &Lab{Config: Config{Set: a.set, Machine: machine.Spec{Roles: roles}, Blitzload: a.blitzload, Scratch: dir, Progress: func(string) {}}, seen: map[string]*result.Target{}}, nil
}

func (a *Agent) keep(p *proc.Process) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	a.runs[a.next] = p
	return a.next
}

func (a *Agent) run(id int) (*proc.Process, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.runs[id]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no process %d", id)
}

// StartOriginArgs ask for an origin.
type StartOriginArgs struct {
	Scenario, Host string
	CPUs           machine.CPUSet
}

// Started is a program that runs and answers, at Addr.
type Started struct {
	ID   int
	Addr string
	// Body is what an origin answers.
	Body []byte
	// Target describes a target as the result shows it.
	Target *result.Target
}

// StartOrigin runs the origin of a scenario.
func (a *Agent) StartOrigin(args StartOriginArgs, out *Started) error {
	s, err := scenarioNamed(args.Scenario)
	if err != nil {
		return err
	}
	l, err := a.lab(machine.Roles{Origin: args.CPUs})
	if err != nil {
		return err
	}
	o, err := l.startOriginAt(a.ctx, s, args.Host)
	if err != nil {
		return err
	}
	out.ID, out.Addr, out.Body = a.keep(o.Process), net.JoinHostPort(args.Host, strconv.Itoa(o.port)), o.body
	return nil
}

// StartTargetArgs ask for a target.
type StartTargetArgs struct {
	Scenario, Target, Host, Origin string
	CPUs                           machine.CPUSet
	Extra                          []string
	Pair                           *target.Pair
	// Want is the body that it must answer.
	Want []byte
}

// StartTarget runs a target, waits until it answers, and checks its bytes.
func (a *Agent) StartTarget(args StartTargetArgs, out *Started) error {
	s, err := scenarioNamed(args.Scenario)
	if err != nil {
		return err
	}
	t, bin, err := a.locate(args.Target)
	if err != nil {
		return err
	}
	l, err := a.lab(machine.Roles{Server: args.CPUs})
	if err != nil {
		return err
	}
	l.pair = args.Pair
	dir, err := l.dir(t.Name())
	if err != nil {
		return err
	}
	port, err := freePortOn(args.Host)
	if err != nil {
		return err
	}
	p := l.plan(s)
	p.Dir, p.Host, p.Port, p.ExtraArgs = dir, args.Host, port, args.Extra
	if args.Origin != "" {
		host, port, err := net.SplitHostPort(args.Origin)
		if err != nil {
			return err
		}
		if p.OriginPort, err = strconv.Atoi(port); err != nil {
			return err
		}
		p.OriginHost = host
	}
	run, err := target.Start(a.set, t, bin, p)
	if err != nil {
		return err
	}
	if err := l.ready(a.ctx, s, Located{Target: t, Binary: bin, ExtraArgs: args.Extra}, run, args.Want); err != nil {
		return errors.Join(err, run.Stop())
	}
	out.ID, out.Addr, out.Target = a.keep(run.Process), run.Plan.Addr(), l.seen[t.Name()]
	return nil
}

// VerifyArgs ask whether a target answers rightly from where the load will come.
type VerifyArgs struct {
	Scenario, Addr string
	Want           []byte
}

// Verify answers nothing when all is well.
func (a *Agent) Verify(args VerifyArgs, _ *struct{}) error {
	s, err := scenarioNamed(args.Scenario)
	if err != nil {
		return err
	}
	if s.h2 {
		return verifyH2(a.ctx, s, args.Addr, args.Want)
	}
	_, err = verify(a.ctx, s, args.Addr, args.Want)
	return err
}

// LoadArgs ask for one load.
type LoadArgs struct {
	Scenario string
	CPUs     machine.CPUSet
	Order    order
}

// Load runs the load generator and answers its record.
func (a *Agent) Load(args LoadArgs, rec *runfmt.Record) error {
	s, err := scenarioNamed(args.Scenario)
	if err != nil {
		return err
	}
	l, err := a.lab(machine.Roles{Load: args.CPUs})
	if err != nil {
		return err
	}
	r, _, err := l.blitzload(a.ctx, s, args.Order)
	if err == nil {
		*rec = *r
	}
	return err
}

// Meter begins to sample the CPU time of a process.
func (a *Agent) Meter(id int, _ *struct{}) error {
	p, err := a.run(id)
	if err != nil {
		return err
	}
	m, err := proc.StartMeter(p, meterEvery)
	if err == nil {
		a.mu.Lock()
		a.meters[id] = m
		a.mu.Unlock()
	}
	return err
}

// UsedArgs name a process and a window by this host's clock, in nanoseconds since 1970.
type UsedArgs struct {
	ID       int
	From, To int64
}

// Used is what a process took.
type Used struct {
	CPU    time.Duration
	Memory proc.Memory
	// Wrong says why the CPU time is not to be trusted.
	Wrong string
}

// Used ends the sampling and answers what was used within the window.
func (a *Agent) Used(args UsedArgs, out *Used) error {
	p, err := a.run(args.ID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	m := a.meters[args.ID]
	delete(a.meters, args.ID)
	a.mu.Unlock()
	if m == nil {
		return fmt.Errorf("process %d is not being sampled", args.ID)
	}
	wrong := m.Stop()
	if wrong == nil {
		out.CPU, wrong = m.Between(time.Unix(0, args.From), time.Unix(0, args.To))
	}
	if wrong != nil {
		out.Wrong = wrong.Error() + ": " + p.LogTail()
	}
	out.Memory, err = p.Memory()
	return err
}

// Stop ends a process.
func (a *Agent) Stop(id int, _ *struct{}) error {
	p, err := a.run(id)
	if err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.runs, id)
	a.mu.Unlock()
	return p.Stop(3 * time.Second)
}

func scenarioNamed(name string) (Scenario, error) {
	for _, s := range scenarios {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("no scenario %q here: is this the same blitzlab as the coordinator's? There are %s", name, strings.Join(ScenarioNames(), ", "))
}

// Blitzload finds the load generator beside this program, or in PATH.
func Blitzload() string {
	if self, err := os.Executable(); err == nil {
		if p := filepath.Join(filepath.Dir(self), "blitzload"); exists(p) {
			return p
		}
	}
	return "blitzload"
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }
