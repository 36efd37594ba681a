package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/gate"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
)

type gateCmd struct {
	Baseline  string        `required:"" help:"Git revision to build, or an executable." placeholder:"REV|BINARY"`
	Candidate string        `required:"" help:"Git revision to build, or an executable." placeholder:"REV|BINARY"`
	Scenario  []string      `default:"h1-static,h1-proxy-1k" help:"Load scenarios, comma-separated." placeholder:"NAME,…"`
	Profile   string        `default:"short" enum:"ci,quick,short,long" help:"ci: CPU and allocations with wide bounds; quick: half a minute a scenario; short: minutes; long: an hour, narrow bounds."`
	Metrics   []string      `help:"Decide on these only: cpu, rps, p99, p99.9, memory, allocs, start (default: all of the profile)." placeholder:"KEY,…"`
	Pairs     int           `help:"Pairs before the first decision, in place of the profile's." placeholder:"N"`
	MaxPairs  int           `help:"Pairs at most, in place of the profile's." placeholder:"N"`
	Budget    time.Duration `help:"No pair is begun after this, in place of the profile's." placeholder:"D"`
	Duration  time.Duration `help:"Measured window of each load, in place of the profile's." placeholder:"D"`
	Waivers   string        `help:"File of waivers (docs/GATE.md)." type:"existingfile" placeholder:"FILE"`
	Markdown  string        `help:"Write the outcome as Markdown, for a pull request." placeholder:"FILE"`
	JUnit     string        `name:"junit" help:"Write the outcome as JUnit XML." placeholder:"FILE"`
	Machine   string        `help:"Description in machines/ to use, in place of the one that matches." placeholder:"NAME"`
	Machines  string        `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	BinDir    string        `help:"Directory of blitzload; without it it is built from this checkout." placeholder:"DIR"`
	Force     bool          `help:"Measure on a machine that is not fit, and whatever else runs on it."`
	Seed      uint64        `help:"Seed of the interleaving (default: the clock)." placeholder:"N"`

	waivers []gate.Waiver
	// prepare and compare are those of the laboratory, except in tests of what becomes of an outcome.
	prepare func(ctx context.Context, machinesDir, name string, force, pin bool) (lab.Prepared, error)
	compare func(context.Context, lab.Config, gate.Profile, []lab.Scenario) (gate.Outcome, error)
}

// Run implements the command. An unfit machine makes the gate invalid; it is not a failure of the candidate.
func (c *gateCmd) Run(ctx context.Context) (err error) {
	if c.prepare == nil {
		c.prepare, c.compare = lab.Prepare, c.measure
	}
	profile, scenarios, err := c.plan()
	if err != nil {
		return err
	}
	if c.Waivers != "" {
		if c.waivers, err = gate.ReadWaivers(c.Waivers, time.Now()); err != nil {
			return err
		}
	}
	unlock, err := lab.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	root, rootErr := lab.ModuleRoot()
	if c.Machines == "" {
		c.Machines = filepath.Join(root, "machines")
	}
	scratch, err := os.MkdirTemp("", "blitzlab-gate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	bin, cleanup, err := binaries(ctx, root, rootErr, c.BinDir, false)
	if err != nil {
		return err
	}
	defer cleanup()
	var arms []lab.Located
	for _, a := range []struct{ name, from string }{{"baseline", c.Baseline}, {"candidate", c.Candidate}} {
		l, err := locate(ctx, root, scratch, a.name, a.from)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		say(fmt.Sprintf("%-9s %s: %s", a.name, a.from, l.Binary.Version))
		arms = append(arms, l)
	}
	prep, err := c.prepare(ctx, c.Machines, c.Machine, c.Force, true)
	if errors.Is(err, lab.ErrUnfit) {
		return c.finish(gate.Outcome{Verdict: gate.Invalid, Notes: []string{err.Error()}})
	}
	if err != nil {
		return err
	}
	restore, note, err := machine.Unpace()
	if err != nil {
		say("blitzlab: " + err.Error())
	}
	defer func() { err = errors.Join(err, restore()) }()
	if note != "" {
		say(note)
	}
	w, err := watcher()
	if err != nil {
		return err
	}
	set := proc.NewSet(w)
	defer func() { err = errors.Join(err, set.Close(), w.Close()) }()
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	out, err := c.compare(ctx, lab.Config{
		Set: set, Machine: prep.Spec, Targets: arms, Blitzload: filepath.Join(bin, "blitzload"), Scratch: scratch, OpenFiles: prep.OpenFiles,
		Profile: lab.Profile{Name: profile.Name, Pairs: profile.MaxPairs, Warmup: profile.Warmup}, Seed: c.Seed,
	}, profile, scenarios)
	if err != nil {
		return err
	}
	if why := gate.Drifted(out); why != "" && !c.Force {
		out.Notes = append(out.Notes, "This machine is in quarantine from now on: "+why+".")
		if err := machine.Quarantine(machine.StateDir(), prep.Spec.Name, why, prep.Fingerprint, time.Now()); err != nil {
			return err
		}
	}
	for _, u := range prep.Unfit {
		out.Notes = append(out.Notes, "Forced in spite of "+u+".")
	}
	return c.finish(out)
}

func (c *gateCmd) plan() (gate.Profile, []lab.Scenario, error) {
	p, err := gate.ProfileByName(c.Profile)
	if err != nil {
		return p, nil, err
	}
	if c.Pairs < 0 || c.MaxPairs < 0 || c.Budget < 0 || c.Duration < 0 {
		return p, nil, errors.New("pairs, max-pairs, budget and duration must not be negative")
	}
	if c.Pairs > 0 {
		p.MinPairs, p.MaxPairs = c.Pairs, max(c.Pairs, p.MaxPairs)
	}
	if c.MaxPairs > 0 {
		p.MaxPairs, p.MinPairs = c.MaxPairs, min(p.MinPairs, c.MaxPairs)
	}
	if c.Budget > 0 {
		p.Budget = c.Budget
	}
	if c.Duration > 0 {
		p.Saturation = c.Duration
		if p.Rate > 0 {
			p.Rate = c.Duration
		}
	}
	if len(c.Metrics) > 0 {
		if p, err = p.Only(c.Metrics); err != nil {
			return p, nil, err
		}
	}
	s, err := loads(c.Scenario)
	return p, s, err
}

// loads are the scenarios of these names, of which each must be one that a gate can compare.
func loads(names []string) ([]lab.Scenario, error) {
	all, err := lab.Select(names, true)
	for _, s := range all {
		if !s.IsLoad() {
			return nil, fmt.Errorf("%s is not a load scenario, and a gate compares loads: choose from %s", s.Name, strings.Join(lab.LoadNames(), ", "))
		}
	}
	return all, err
}

// locate takes an executable as it is and builds a revision.
func locate(ctx context.Context, root, scratch, name, from string) (lab.Located, error) {
	var path string
	if st, err := os.Stat(from); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
		if path, err = filepath.Abs(from); err != nil {
			return lab.Located{}, err
		}
	} else {
		dir := filepath.Join(scratch, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return lab.Located{}, err
		}
		say("building " + name + " from " + from)
		if path, err = lab.BuildRevision(ctx, root, from, dir, "blitz"); err != nil {
			return lab.Located{}, err
		}
	}
	var t target.Target = blitz.New(name, path)
	b, err := t.Locate(ctx)
	return lab.Located{Target: t, Binary: b}, err
}

func (c *gateCmd) measure(ctx context.Context, cfg lab.Config, p gate.Profile, scenarios []lab.Scenario) (out gate.Outcome, err error) {
	l, err := lab.New(cfg)
	if err != nil {
		return out, err
	}
	began := time.Now()
	return gate.Compare(ctx, l, gate.Options{
		Profile: p, Scenarios: scenarios, Waivers: c.waivers, Seed: c.Seed, Unguarded: c.Force,
		Progress: func(s string) { say(fmt.Sprintf("%4.0fs  %s", time.Since(began).Seconds(), s)) },
	})
}

// finish prints the outcome and turns it into an exit code.
func (c *gateCmd) finish(out gate.Outcome) error {
	fmt.Print(out.Text())
	if c.Markdown != "" {
		if err := os.WriteFile(c.Markdown, []byte(out.Markdown()), 0o644); err != nil {
			return err
		}
	}
	if c.JUnit != "" {
		b, err := out.JUnit()
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.JUnit, b, 0o644); err != nil {
			return err
		}
	}
	if code := out.Verdict.ExitCode(); code != 0 {
		return exitCode(code)
	}
	return nil
}
