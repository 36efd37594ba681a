package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
)

type benchCmd struct {
	Scenario    []string      `default:"all" help:"Scenarios, comma-separated: h1-static, h1-proxy-100b, h1-proxy-1k, h1-churn, h1-large, h1-tls-proxy, h2-static, h2-proxy, h2-proxy-h2, grpc-unary, tls-handshake, tls-handshake-resumed, h1-slo, h2-slo, h1-proxy-full (everything on), idle-10k, idle-10k-tls, scaling, cold-start, reload-10 and reload-10k (reloads under load), chaos (three endpoints in trouble); groups: h1-proxy, h2, tls, slo, reload, h1-attack (the five attacks by slow clients, with slowhttptest); all is what the profile has: full all but the attacks, quick the shorter ones." placeholder:"NAME,…"`
	Targets     []string      `default:"blitz,nginx,haproxy,h2o,caddy,envoy,traefik" help:"Targets, comma-separated. Those not installed are left out with a word. NAME-vanilla is one of nginx, haproxy, h2o and caddy with the configuration that is shipped; vanilla is all of these."`
	Profile     string        `default:"quick" enum:"quick,full" help:"quick: all scenarios in minutes; full: longer windows and more pairs."`
	Pairs       int           `help:"Rounds of every scenario that is measured in rounds, in place of the profile's; as many cold starts if the profile has fewer. Six is the least for a 95 % interval." placeholder:"N"`
	Duration    time.Duration `help:"Measured window of each load, in place of the profile's." placeholder:"D"`
	Connections int           `help:"Connections of load scenarios, in place of the scenario's own." placeholder:"N"`
	Shares      bool          `help:"Offer also the shares of the slowest target's saturation that scenarios name (10, 50 and 80 %; with HTTP/2 20, 50 and 80 %), in place of half."`
	Budget      time.Duration `help:"What the whole bench may take, in place of the profile's (full: 40 minutes); windows are shortened to it." placeholder:"D"`
	Resume      string        `json:"-" type:"existingdir" help:"Go on with the interrupted bench in this directory (results/DATE/MACHINE), with its options; finished scenarios are kept." placeholder:"DIR"`
	Out         string        `default:"results" help:"Root of the results." placeholder:"DIR"`
	JSON        bool          `name:"json" help:"Print the results as JSON on standard output in place of tables."`
	Install     bool          `help:"Install missing nginx, haproxy and h2o with apt-get first, if this process may, and build Caddy from its module."`
	Force       bool          `help:"Run on a machine that is not fit; the results are marked."`
	Machine     string        `help:"Description in machines/ to use, in place of the one that matches." placeholder:"NAME"`
	Machines    string        `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	Agent       string        `help:"With a machine of several hosts: path of blitzlab on them." placeholder:"PATH"`
	BinDir      string        `help:"Directory of blitz and blitzload; without it both are built from this checkout." placeholder:"DIR"`
	Blitz       string        `help:"Executable to measure as blitz, in place of the built one." placeholder:"PATH"`
	BlitzArgs   []string      `sep:"none" help:"Argument appended to blitz's command line; repeatable." placeholder:"ARG"`
	Seed        uint64        `help:"Seed of the interleaving (default: the clock)." placeholder:"N"`
	KeepSysctls bool          `help:"Leave TCP's congestion control as it is, also when it paces."`
	NoReport    bool          `help:"Write results only, no COMPARISON.md and no HTML page."`
}

func (c *benchCmd) Run(ctx context.Context) (failed error) {
	if c.Resume != "" {
		if err := c.takeUp(); err != nil {
			return err
		}
	}
	scenarios, err := lab.Select(c.Scenario, c.Profile == "full")
	if err != nil {
		return err
	}
	profile, err := c.profile()
	if err != nil {
		return err
	}
	root, rootErr := lab.ModuleRoot()
	if c.Machines == "" {
		c.Machines = filepath.Join(root, "machines")
	}
	var bin string
	if !c.overNetwork() {
		var cleanup func()
		if bin, cleanup, err = binaries(ctx, root, rootErr, c.BinDir, slices.Contains(c.Targets, "blitz") && c.Blitz == ""); err != nil {
			return err
		}
		defer cleanup()
	}
	blitzPath := c.Blitz
	if blitzPath == "" {
		blitzPath = filepath.Join(bin, "blitz")
	} else if blitzPath, err = filepath.Abs(blitzPath); err != nil {
		return err
	}
	sparing := c.sparing()
	targets, err := targetsByName(slices.Concat(c.Targets, sparing), blitzPath, filepath.Join(bin, "blitzload"))
	if err != nil {
		return err
	}
	w, err := watcher()
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, w.Close()) }()
	if c.Seed == 0 {
		c.Seed = uint64(time.Now().UnixNano())
	}
	if !c.KeepSysctls && !c.overNetwork() {
		restore, note, err := machine.Unpace()
		if err != nil {
			say("blitzlab: " + err.Error())
		}
		defer func() { failed = errors.Join(failed, restore()) }()
		if note != "" {
			say(note)
		}
	}
	began := time.Now()
	var done []*result.Result
	dir, err := lab.Bench(ctx, lab.Options{
		Scenarios: scenarios, Targets: targets, Required: []string{"blitz"}, Sparing: sparing, ExtraArgs: map[string][]string{"blitz": c.BlitzArgs},
		Profile: profile, MachineName: c.Machine, MachinesDir: c.Machines, Agent: c.agent(), Blitzload: filepath.Join(bin, "blitzload"),
		Out: c.Out, Force: c.Force, Install: c.Install, Seed: c.Seed, Command: c.command(), Revision: lab.Revision(ctx, root),
		Watcher: w, Pin: true, Flags: c, Resume: c.Resume,
		Progress: func(s string) { say(fmt.Sprintf("%4.0fs  %s", time.Since(began).Seconds(), s)) },
		Done:     func(r *result.Result) { done = append(done, r) },
	})
	if err != nil {
		if len(done) > 0 {
			say(fmt.Sprintf("blitzlab: %d finished scenarios are kept in %s", len(done), dir))
		}
		if _, e := lab.ReadUnfinished(dir); dir != "" && e == nil {
			say("blitzlab: to go on: blitzlab bench --resume " + dir)
		} else if ctx.Err() != nil && len(done) == 0 {
			say("blitzlab: no scenario was finished, so nothing is kept: begin anew")
		}
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", " ")
		if err := enc.Encode(done); err != nil {
			return err
		}
	} else {
		for _, r := range done {
			fmt.Println(report.Text(r))
		}
	}
	say(fmt.Sprintf("results: %s (%.0f s)", dir, time.Since(began).Seconds()))
	if c.NoReport {
		return nil
	}
	return writeReport(c.Out, defaultPaths(root, c.Out))
}

// overNetwork tells whether the machine has hosts of its own, where the programs have been installed.
func (c *benchCmd) overNetwork() bool {
	if c.Machine == "" {
		return false
	}
	s, err := machine.Named(c.Machines, c.Machine)
	return err == nil && s.Distributed() // an error is told when the bench reads it
}

func (c *benchCmd) agent() []string {
	if c.Agent == "" {
		return nil
	}
	return []string{c.Agent, "agent"}
}

func (c *benchCmd) profile() (lab.Profile, error) {
	p, err := lab.ProfileByName(c.Profile)
	if err != nil {
		return p, err
	}
	if c.Pairs < 0 || c.Duration < 0 || c.Connections < 0 || c.Budget < 0 {
		return p, errors.New("pairs, duration, connections and budget must not be negative")
	}
	if c.Pairs > 0 {
		p.Pairs, p.ColdStarts = c.Pairs, max(c.Pairs, p.ColdStarts)
	}
	if c.Duration > 0 {
		p.Saturation, p.Rate, p.Chaos, p.Reload, p.Budget = c.Duration, c.Duration, c.Duration, c.Duration, 0
	}
	if c.Budget > 0 {
		p.Budget = c.Budget
	}
	p.Connections, p.Shares = c.Connections, c.Shares
	return p, nil
}

// takeUp replaces the options by those of an interrupted bench: half a run with other options would be neither.
func (c *benchCmd) takeUp() error {
	u, err := lab.ReadUnfinished(c.Resume)
	if err != nil {
		return err
	}
	before := *c
	dec := json.NewDecoder(bytes.NewReader(u.Flags))
	dec.DisallowUnknownFields()
	*c = benchCmd{}
	if err := dec.Decode(c); err != nil {
		return fmt.Errorf("%s: its options cannot be read (%w): begin anew without --resume", before.Resume, err)
	}
	c.Resume, c.BinDir, c.Blitz = before.Resume, cmp.Or(before.BinDir, c.BinDir), cmp.Or(before.Blitz, c.Blitz)
	c.Out = filepath.Dir(filepath.Dir(filepath.Clean(c.Resume)))
	say("resuming " + c.Resume + ": " + u.Command)
	return nil
}

// command is how to do it again: what decides on the figures, without paths of this machine.
func (c *benchCmd) command() string {
	args := []string{"go run ./cmd/blitzlab bench", "--profile " + c.Profile, "--scenario " + strings.Join(c.Scenario, ","), "--targets " + strings.Join(c.Targets, ",")}
	if c.Pairs > 0 {
		args = append(args, fmt.Sprintf("--pairs %d", c.Pairs))
	}
	if c.Duration > 0 {
		args = append(args, "--duration "+c.Duration.String())
	}
	if c.Connections > 0 {
		args = append(args, fmt.Sprintf("--connections %d", c.Connections))
	}
	if c.Budget > 0 {
		args = append(args, "--budget "+c.Budget.String())
	}
	if c.Shares {
		args = append(args, "--shares")
	}
	for _, a := range c.BlitzArgs {
		args = append(args, fmt.Sprintf("--blitz-args=%q", a))
	}
	return strings.Join(append(args, fmt.Sprintf("--seed %d", c.Seed)), " ")
}

// binaries returns the directory of blitzload (and blitz, if wanted): binDir, or a temporary one into which they are built.
func binaries(ctx context.Context, root string, rootErr error, binDir string, withBlitz bool) (dir string, cleanup func(), err error) {
	names := []string{"blitzload"}
	if withBlitz {
		names = append(names, "blitz")
	}
	if binDir != "" {
		if dir, err = filepath.Abs(binDir); err != nil {
			return "", nil, err
		}
		for _, n := range names {
			if _, err := os.Stat(filepath.Join(dir, n)); err != nil {
				return "", nil, fmt.Errorf("--bin-dir: %w", err)
			}
		}
		return dir, func() {}, nil
	}
	if rootErr != nil {
		return "", nil, rootErr
	}
	if dir, err = os.MkdirTemp("", "blitzlab-bin-"); err != nil {
		return "", nil, err
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	say("building " + strings.Join(names, " and "))
	if err := lab.Build(ctx, root, dir, lab.Revision(ctx, root), names...); err != nil {
		cleanup()
		return "", nil, err
	}
	return dir, cleanup, nil
}
