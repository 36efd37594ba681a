package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// ErrUnfit says that the machine is not fit to measure on.
var ErrUnfit = errors.New("this machine is not fit to measure on now")

// Options of a Bench.
type Options struct {
	Scenarios []Scenario
	// Targets as asked for. Those that are not installed are left out with a word, except for the ones in Required.
	Targets  []target.Target
	Required []string
	// Sparing are the names of targets that are measured in the scenarios for shipped configurations only, at saturation only.
	Sparing []string
	// ExtraArgs by target name.
	ExtraArgs map[string][]string
	Profile   Profile
	// MachineName selects machines/NAME.yaml in MachinesDir; empty finds the one that matches.
	MachineName, MachinesDir string
	Blitzload                string
	// Out is the root of the results.
	Out string
	// Force runs on an unfit machine and marks the results.
	Force bool
	// Install missing targets first.
	Install  bool
	Seed     uint64
	Command  string
	Revision string
	Watcher  *proc.Watcher
	// Agent is the command that serves on the hosts of a laboratory of several; nil for DefaultAgent.
	Agent []string
	// Pin moves this process to the load generator's CPUs.
	Pin      bool
	Progress func(string)
	// Flags are the caller's own, kept for resuming. Resume is the directory of an interrupted bench to go on with; its scenarios, targets, profile,
	// seed, machine and executables must be those of these options.
	Flags  any
	Resume string
	// Done is called with each finished scenario, those of before the interruption included.
	Done func(*result.Result)
}

// Prepared is a machine ready to measure on.
type Prepared struct {
	Spec        machine.Spec
	Fingerprint machine.Fingerprint
	OpenFiles   uint64
	// Unfit is why a forced run is marked.
	Unfit []string
}

// Prepare examines the machine, refuses it or (forced) marks it, raises the limit of open files, and pins this process.
func Prepare(ctx context.Context, machinesDir, name string, force, pin bool) (Prepared, error) {
	p := Prepared{Fingerprint: machine.Observe("/")}
	var err error
	if p.Spec, err = machine.Find(machinesDir, name, p.Fingerprint); err != nil {
		return p, err
	}
	if p.Spec.Distributed() {
		return p, fmt.Errorf("%s is a laboratory of several hosts: this is measured on one machine", p.Spec.Name)
	}
	if p.OpenFiles, err = proc.RaiseFileLimit(65536); err != nil {
		return p, err
	}
	checks := machine.Doctor(ctx, p.Spec, p.Fingerprint, machine.Options{
		Root: "/", Sample: time.Second, FileLimit: p.OpenFiles, Uring: machine.ProbeUring(),
	})
	if err := ctx.Err(); err != nil {
		return p, err
	}
	for _, c := range checks {
		if c.Status == machine.Fail {
			p.Unfit = append(p.Unfit, c.Name+": "+c.Observed)
		}
	}
	if err := machine.Trust(machine.StateDir(), p.Spec.Name, p.Fingerprint, time.Now()); err != nil {
		p.Unfit = append(p.Unfit, err.Error())
	}
	if len(p.Unfit) > 0 && !force {
		return p, fmt.Errorf("%w: %s (blitzlab doctor explains; --force runs all the same and marks the results)", ErrUnfit, strings.Join(p.Unfit, "; "))
	}
	if pin {
		return p, proc.PinSelf(p.Spec.Roles.Load)
	}
	return p, nil
}

// Locate finds the executables of the targets. What is missing and not required is left out.
func Locate(ctx context.Context, o Options) ([]Located, error) {
	if o.Install {
		var missing []string
		for _, t := range o.Targets {
			if _, err := t.Locate(ctx); errors.Is(err, target.ErrNotFound) {
				missing = append(missing, installName(t))
			}
		}
		if err := Install(ctx, slices.Compact(slices.Sorted(slices.Values(missing))), o.Progress); err != nil {
			return nil, err
		}
	}
	var out []Located
	for _, t := range o.Targets {
		bin, err := t.Locate(ctx)
		if errors.Is(err, target.ErrNotFound) && !slices.Contains(o.Required, t.Name()) {
			o.Progress(fmt.Sprintf("%s is not installed and is left out", t.Name()))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name(), err)
		}
		o.Progress(fmt.Sprintf("target %-8s %s", t.Name(), bin.Version))
		out = append(out, Located{Target: t, Binary: bin, ExtraArgs: o.ExtraArgs[t.Name()], Sparing: slices.Contains(o.Sparing, t.Name())})
	}
	return out, nil
}

// Bench measures the scenarios one after the other and writes each result when it is complete: an interrupted bench leaves whole results and
// the file with which it can be resumed. It returns the directory of this run's results.
func Bench(ctx context.Context, o Options) (dir string, err error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	unlock, err := Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if o.MachineName != "" {
		spec, err := machine.Named(o.MachinesDir, o.MachineName)
		if err != nil {
			return "", err
		}
		if spec.Distributed() {
			if o.Resume != "" {
				return "", errors.New("a run over several hosts is not resumed: begin anew without --resume")
			}
			return benchFleet(ctx, o, spec)
		}
	}
	located, err := Locate(ctx, o)
	if err != nil {
		return "", err
	}
	prep, err := Prepare(ctx, o.MachinesDir, o.MachineName, o.Force, o.Pin)
	if err != nil {
		return "", err
	}
	for _, u := range prep.Unfit {
		o.Progress("FORCED in spite of " + u)
	}
	if err := sweep(); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp("", "blitzlab-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	set := proc.NewSet(o.Watcher)
	defer func() { err = errors.Join(err, set.Close()) }()

	sets, _ := workerSets(prep.Spec.Roles)
	o.Profile.WorkerCounts = len(sets)
	var total time.Duration
	few := sparing(located)
	o.Scenarios = withAble(withSparing(o.Scenarios, few), located)
	o.Profile, total = Fit(o.Profile, o.Scenarios, len(located)-few)
	o.Progress(PlanText(o.Profile, o.Scenarios, located, total))
	dir, run, done, err := o.begin(prep, located)
	if err != nil {
		return dir, err
	}
	defer func() {
		// Nothing was finished: there is nothing to go on with.
		if err != nil && len(done) == 0 {
			_ = os.Remove(filepath.Join(dir, unfinishedName))
			_ = os.Remove(dir)
			_ = os.Remove(filepath.Dir(dir))
			dir = ""
		}
	}()
	l, err := New(Config{
		Set: set, Machine: prep.Spec, Targets: located, Blitzload: o.Blitzload, Profile: o.Profile, Seed: o.Seed, Scratch: scratch,
		OpenFiles: prep.OpenFiles, Progress: o.Progress,
	})
	if err != nil {
		return dir, err
	}
	for i, s := range o.Scenarios {
		if r := done[s.Name]; r != nil {
			o.Progress(fmt.Sprintf("scenario %d of %d: %s was finished before the interruption", i+1, len(o.Scenarios), s.Name))
			if o.Done != nil {
				o.Done(r)
			}
			continue
		}
		o.Progress(fmt.Sprintf("scenario %d of %d: %s, %s", i+1, len(o.Scenarios), s.Name, s.Title))
		out, err := l.Run(ctx, s)
		if err != nil {
			return dir, err
		}
		if len(out.Result.Targets) == 0 {
			// There is nothing to publish; resumed, it is found out again.
			for _, u := range out.Result.Scenario.Unsupported {
				o.Progress(fmt.Sprintf("%s is left out: %s", u.Target, u.Reason))
			}
			continue
		}
		out.Result.Run = run
		out.Result.Run.Finished = time.Now().UTC()
		m := prep.Spec
		out.Result.Machine = result.Machine{
			Name: m.Name, Description: m.Description, Server: m.Roles.Server, Load: m.Roles.Load, Origin: m.Roles.Origin,
			Fingerprint: prep.Fingerprint, OpenFiles: prep.OpenFiles,
		}
		if err := result.Write(filepath.Join(dir, s.Name), out.Result, out.Logs); err != nil {
			return dir, err
		}
		done[s.Name] = out.Result
		if o.Done != nil {
			o.Done(out.Result)
		}
	}
	return dir, os.Remove(filepath.Join(dir, unfinishedName))
}

// begin makes the directory of a new run, or takes up an interrupted one.
func (o *Options) begin(prep Prepared, located []Located) (dir string, run result.Run, done map[string]*result.Result, err error) {
	done = map[string]*result.Result{}
	now := &Unfinished{
		Schema: unfinishedSchema, Started: time.Now().UTC().Truncate(time.Second), Seed: o.Seed, Command: o.Command, Revision: o.Revision, Profile: o.Profile,
		Binaries: map[string]string{}, Machine: prep.Spec.Name, Fingerprint: prep.Fingerprint,
	}
	if now.Flags, err = json.Marshal(o.Flags); err != nil {
		return "", run, nil, err
	}
	for _, s := range o.Scenarios {
		now.Scenarios = append(now.Scenarios, s.Name)
	}
	paths := map[string]string{"blitzload": o.Blitzload}
	for _, t := range located {
		now.Targets = append(now.Targets, t.Name())
		paths[t.Name()] = t.Binary.Path
	}
	for name, path := range paths {
		if now.Binaries[name], err = fileSum(path); err != nil {
			return "", run, nil, err
		}
	}
	if o.Resume != "" {
		dir = o.Resume
		old, err := ReadUnfinished(dir)
		if err != nil {
			return "", run, nil, err
		}
		if err := old.same(now); err != nil {
			return "", run, nil, fmt.Errorf("%s cannot be resumed: %w; begin anew without --resume", dir, err)
		}
		if done, err = old.finished(dir); err != nil {
			return "", run, nil, err
		}
		now = old
	} else if dir, err = runDir(o.Out, now.Started, prep.Spec.Name); err != nil {
		return "", run, nil, err
	} else if err := now.write(dir); err != nil {
		return "", run, nil, err
	}
	return dir, result.Run{
		ID: now.Started.Format("20060102T150405Z"), Started: now.Started, Profile: o.Profile.Name, Pairs: o.Profile.Pairs,
		Seed: o.Seed, Command: now.Command, Revision: now.Revision, Forced: len(prep.Unfit) > 0, Unfit: prep.Unfit,
	}, done, nil
}

// runDir is OUT/<date>/<machine>, with .2, .3 … after the date if that day has a run of this machine already: old runs are kept.
func runDir(out string, at time.Time, machineName string) (string, error) {
	date := at.Format(time.DateOnly)
	for n := 1; n < 1000; n++ {
		day := date
		if n > 1 {
			day = fmt.Sprintf("%s.%d", date, n)
		}
		dir := filepath.Join(out, day, machineName)
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return dir, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%s has too many runs of %s", out, date)
}
