package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/fleet"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// service is the name under which an Agent is called.
const service = "Lab"

// DefaultAgent is what runs on a host that was provisioned.
var DefaultAgent = []string{"/usr/local/bin/blitzlab", "agent"}

// ServeAgent is the body of `blitzlab agent`: it answers on its standard input and output until the input ends.
var ServeAgent = fleet.Serve

// AgentService is for ServeAgent.
const AgentService = service

// member is a host with its agent.
type member struct {
	machine.Host
	*fleet.Conn
	hello Hello
}

// Fleet are the hosts of a laboratory of several machines, each with its agent. It is used by one goroutine.
type Fleet struct {
	all           []*member
	proxy, origin *member
	loads         []*member
	started       Started // the origin; ID 0 without one
	progress      func(string)
}

// Assemble starts the agents, compares clocks, and observes each host. unfit says what a host lacks.
func Assemble(ctx context.Context, spec machine.Spec, agent []string, w *proc.Watcher, progress func(string)) (f *Fleet, unfit []string, err error) {
	f = &Fleet{progress: progress}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	for _, h := range spec.Hosts {
		at := fleet.Host{Name: h.Name, SSH: h.Login(), Port: h.Port, Options: h.SSHOptions, Agent: agent}
		if h.SSH == "local" {
			at.SSH = ""
		}
		c, err := fleet.Dial(at, w)
		if err != nil {
			return f, nil, err
		}
		m := &member{Host: h, Conn: c}
		f.all = append(f.all, m)
		switch {
		case h.Has(machine.RoleProxy):
			f.proxy = m
		case h.Has(machine.RoleOrigin):
			f.origin = m
		}
		if h.Has(machine.RoleLoad) {
			f.loads = append(f.loads, m)
		}
	}
	for _, m := range f.all {
		if err := m.Call(ctx, service+".Hello", struct{}{}, &m.hello); err != nil {
			return f, nil, err
		}
		if err := m.Measure(ctx, service); err != nil {
			return f, nil, err
		}
		progress(fmt.Sprintf("host %-8s %v: %s, kernel %s, clock %v ahead (± %v)", m.Host.Name, m.Roles, m.hello.Fingerprint.CPUModel, m.hello.Fingerprint.Kernel, m.Clock.Ahead, m.Clock.Bound))
		for _, miss := range expected(spec, m.Host).Match(m.hello.Fingerprint) {
			unfit = append(unfit, m.Host.Name+": "+miss)
		}
		if m.hello.Busy != "" {
			unfit = append(unfit, m.Host.Name+": "+m.hello.Busy)
		}
	}
	return f, unfit, nil
}

// expected is what a host must be.
func expected(spec machine.Spec, h machine.Host) machine.Spec {
	if h.Expect != nil {
		spec.Expect = *h.Expect
	}
	return spec
}

// stateName is under which this machine remembers what a host was like.
func stateName(spec machine.Spec, h machine.Host) string { return spec.Name + "." + h.Name }

// Close ends the agents, and with them everything that they started.
func (f *Fleet) Close() error {
	errs := make(chan error, len(f.all))
	for _, m := range f.all {
		go func() { errs <- m.Close() }()
	}
	var err error
	for range f.all {
		err = errors.Join(err, <-errs)
	}
	return err
}

// roles are the CPUs of each role over all hosts; for a role with several hosts only their number matters.
func (f *Fleet) roles() machine.Roles {
	r := machine.Roles{Server: f.proxy.CPUs, Origin: f.origin.CPUs}
	for _, m := range f.loads {
		r.Load = append(r.Load, m.CPUs...)
	}
	return r
}

// describe is for the result.
func (f *Fleet) describe(spec machine.Spec) result.Machine {
	r := f.roles()
	slices.Sort(r.Load)
	out := result.Machine{
		Name: spec.Name, Description: spec.Description, Server: r.Server, Load: slices.Compact(r.Load), Origin: r.Origin,
		Fingerprint: f.proxy.hello.Fingerprint, OpenFiles: f.proxy.hello.OpenFiles,
	}
	for _, m := range f.all {
		h := result.Host{
			Name: m.Host.Name, Roles: m.Roles, CPUs: m.CPUs, Fingerprint: m.hello.Fingerprint, OpenFiles: m.hello.OpenFiles, Facts: m.hello.Facts,
			ClockAheadMicros: micros(m.Clock.Ahead), ClockBoundMicros: micros(m.Clock.Bound),
		}
		if m.Has(machine.RoleLoad) {
			h.Generators = max(1, m.Generators)
		}
		out.Hosts = append(out.Hosts, h)
	}
	return out
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// locate asks the proxy's host for the targets.
func (f *Fleet) locate(ctx context.Context, o Options) ([]Located, error) {
	var out []Located
	for _, t := range o.Targets {
		var version string
		if err := f.proxy.Call(ctx, service+".Locate", t.Name(), &version); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name(), err)
		}
		if version == "" {
			if slices.Contains(o.Required, t.Name()) {
				return nil, fmt.Errorf("target %s is not installed on host %s: blitzlab provision --machine NAME", t.Name(), f.proxy.Host.Name)
			}
			o.Progress(fmt.Sprintf("%s is not installed on %s and is left out", t.Name(), f.proxy.Host.Name))
			continue
		}
		o.Progress(fmt.Sprintf("target %-8s %s", t.Name(), version))
		out = append(out, Located{Target: t, Binary: target.Binary{Version: version}, ExtraArgs: o.ExtraArgs[t.Name()], Sparing: slices.Contains(o.Sparing, t.Name())})
	}
	return out, nil
}

// benchFleet is Bench for a laboratory of several machines.
func benchFleet(ctx context.Context, o Options, spec machine.Spec) (dir string, err error) {
	for _, s := range o.Scenarios {
		if s.kind != load || s.attacked {
			return "", fmt.Errorf("%s is measured on one machine: over a network choose from the load scenarios", s.Name)
		}
	}
	agent := o.Agent
	if len(agent) == 0 {
		agent = DefaultAgent
	}
	f, unfit, err := Assemble(ctx, spec, agent, o.Watcher, o.Progress)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, m := range f.all {
		if err := machine.Trust(machine.StateDir(), stateName(spec, m.Host), m.hello.Fingerprint, time.Now()); err != nil {
			unfit = append(unfit, m.Host.Name+": "+err.Error())
		}
	}
	if len(unfit) > 0 && !o.Force {
		return "", fmt.Errorf("%w: %v (blitzlab doctor explains; --force runs all the same and marks the results)", ErrUnfit, unfit)
	}
	for _, u := range unfit {
		o.Progress("FORCED in spite of " + u)
	}
	located, err := f.locate(ctx, o)
	if err != nil {
		return "", err
	}
	set := proc.NewSet(o.Watcher)
	defer func() { err = errors.Join(err, set.Close()) }()
	spec.Roles = f.roles()
	l, err := New(Config{
		Set: set, Machine: spec, Targets: located, Profile: o.Profile, Seed: o.Seed, Scratch: filepath.Join(o.Out, ".none"), Fleet: f, Progress: o.Progress,
	})
	if err != nil {
		return "", err
	}
	return runAll(ctx, o, l, unfit, f.describe(spec))
}

// runAll measures the scenarios one after the other and writes each result when it is complete. A run over several hosts is not taken up again after
// an interruption: begin it anew.
func runAll(ctx context.Context, o Options, l *Lab, unfit []string, m result.Machine) (dir string, err error) {
	started := time.Now().UTC().Truncate(time.Second)
	dir, err = runDir(o.Out, started, m.Name)
	if err != nil {
		return "", err
	}
	for i, s := range o.Scenarios {
		o.Progress(fmt.Sprintf("scenario %d of %d: %s, %s", i+1, len(o.Scenarios), s.Name, s.Title))
		out, err := l.Run(ctx, s)
		if err != nil {
			return dir, err
		}
		out.Result.Run = result.Run{
			ID: started.Format("20060102T150405Z"), Started: started, Finished: time.Now().UTC(), Profile: o.Profile.Name, Pairs: o.Profile.Pairs,
			Seed: o.Seed, Command: o.Command, Revision: o.Revision, Forced: len(unfit) > 0, Unfit: unfit,
		}
		out.Result.Machine = m
		if err := result.Write(filepath.Join(dir, s.Name), out.Result, out.Logs); err != nil {
			return dir, err
		}
		if o.Done != nil {
			o.Done(out.Result)
		}
	}
	return dir, nil
}
