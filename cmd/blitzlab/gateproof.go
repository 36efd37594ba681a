package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/gate"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
)

type gateProofCmd struct {
	Revision string   `default:"HEAD" help:"Revision to build, plain and with each planted regression." placeholder:"REV"`
	Built    string   `help:"Directory of executables named like the cases, in place of building them." type:"existingdir" placeholder:"DIR"`
	Case     []string `default:"aa,cpu,stall,allocs,loaded" help:"Cases to run." placeholder:"NAME,…"`
	Same     int      `default:"20" help:"Gates between equal executables." placeholder:"N"`
	Runs     int      `default:"10" help:"Gates for each planted regression." placeholder:"N"`
	Loaded   int      `default:"5" help:"Gates while other work goes on." placeholder:"N"`
	Profile  string   `default:"quick" enum:"quick,short,long" help:"Profile of each gate."`
	Pairs    int      `help:"Pairs of each gate, in place of the profile's." placeholder:"N"`
	Scenario string   `default:"h1-static" help:"Scenario of each gate."`
	Out      string   `help:"File for the figures (default: results/gate-proof.json of the checkout)." placeholder:"FILE"`
	Document string   `help:"Document with the table (default: docs/GATE.md of the checkout)." placeholder:"FILE"`
	Machines string   `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	BinDir   string   `help:"Directory of blitzload; without it it is built from this checkout." placeholder:"DIR"`
	Force    bool     `help:"Measure on a machine that is not fit, and whatever else runs on it."`
	Seed     uint64   `default:"1" help:"Seed of the first gate." placeholder:"N"`
}

// Run runs many gates whose answers are known and writes down what they said.
func (c *gateProofCmd) Run(ctx context.Context) (err error) {
	root, rootErr := lab.ModuleRoot()
	for p, name := range map[*string]string{&c.Out: "results/gate-proof.json", &c.Document: "docs/GATE.md", &c.Machines: "machines"} {
		if *p == "" {
			*p = filepath.Join(root, name)
		}
	}
	scenarios, err := loads([]string{c.Scenario})
	if err != nil {
		return err
	}
	unlock, err := lab.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	scratch, err := os.MkdirTemp("", "blitzlab-proof-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	bin, cleanup, err := binaries(ctx, root, rootErr, c.BinDir, false)
	if err != nil {
		return err
	}
	defer cleanup()
	if c.Built == "" {
		c.Built = scratch
		if err := gate.BuildPlanted(ctx, root, c.Revision, scratch, say); err != nil {
			return err
		}
	}
	prep, err := lab.Prepare(ctx, c.Machines, "", c.Force, true)
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
	defer func() { err = errors.Join(err, w.Close()) }()

	proof := &gate.Proof{
		Schema: gate.ProofSchema, Started: time.Now().UTC().Truncate(time.Second), Command: "blitzlab " + strings.Join(publicArgs(os.Args[1:]), " "),
		Revision: lab.Revision(ctx, root), Profile: c.Profile, Scenario: c.Scenario, Machine: prep.Fingerprint,
	}
	if done, err := gate.ReadProof(c.unfinished()); err == nil && done.Continues(proof) {
		say(fmt.Sprintf("%s: %d gates of an interrupted proof are taken over", c.unfinished(), done.Gates()))
		proof = done
	}
	p := &proving{gateProofCmd: c, proof: proof, prep: prep, watcher: w, scenarios: scenarios, scratch: scratch, blitzload: filepath.Join(bin, "blitzload")}
	if err := p.all(ctx); err != nil {
		return err
	}
	proof.Finished = time.Now().UTC().Truncate(time.Second)
	if err := gate.WriteProof(c.Out, proof); err != nil {
		return err
	}
	if err := os.Remove(c.unfinished()); err != nil {
		return err
	}
	fmt.Print(proof.Markdown())
	text, err := os.ReadFile(c.Document)
	if err != nil {
		return err
	}
	page, err := proof.Insert(string(text))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Document, []byte(page), 0o644); err != nil {
		return err
	}
	if err := proof.Check(); err != nil {
		say(err.Error())
		return exitCode(1)
	}
	return nil
}

// unfinished is the file of a proof under way.
func (c *gateProofCmd) unfinished() string { return c.Out + ".unfinished" }

// proving is a proof under way.
type proving struct {
	*gateProofCmd
	proof     *gate.Proof
	prep      lab.Prepared
	watcher   *proc.Watcher
	scenarios []lab.Scenario
	scratch   string
	blitzload string
}

// all runs the cases in turn, one gate of each at a time, so that no case has the machine at another hour than the others.
func (p *proving) all(ctx context.Context) error {
	seed := p.Seed
	for round := range max(p.Same, p.Runs, p.Loaded) {
		for _, k := range gate.Cases {
			n := p.Runs
			switch {
			case k.Loaded:
				n = p.Loaded
			case k.Patch == "":
				n = p.Same
			}
			if round >= n || !slices.Contains(p.Case, k.Name) {
				continue
			}
			if p.proof.Has(k.Name, seed) {
				seed++
				continue
			}
			out, err := p.one(ctx, k.Name, k.Patch != "", k.Loaded, seed)
			if err != nil {
				return fmt.Errorf("%s: %w", k.Name, err)
			}
			p.proof.Add(k.Name, seed, out)
			// A proof takes long: what was found is kept whatever ends it.
			if err := gate.WriteProof(p.unfinished(), p.proof); err != nil {
				return err
			}
			say(fmt.Sprintf("%-7s %2d of %2d: %s after %d pairs in %s", k.Name, round+1, n, out.Verdict, out.Pairs, out.Took.Round(time.Second)))
			if os.Getenv("BLITZLAB_VERBOSE") != "" {
				say(out.Text())
			}
			seed++
		}
	}
	return nil
}

func (p *proving) one(ctx context.Context, name string, patched, loaded bool, seed uint64) (out gate.Outcome, err error) {
	profile, err := gate.ProfileByName(p.Profile)
	if err != nil {
		return out, err
	}
	if p.Pairs > 0 {
		profile.MinPairs, profile.MaxPairs = p.Pairs, p.Pairs
	}
	set := proc.NewSet(p.watcher)
	defer func() { err = errors.Join(err, set.Close()) }()
	other := filepath.Join(p.Built, "aa")
	if patched {
		other = filepath.Join(p.Built, name)
	}
	var arms []lab.Located
	for _, a := range []struct{ name, path string }{{"baseline", filepath.Join(p.Built, "aa")}, {"candidate", other}} {
		t := blitz.New(a.name, a.path)
		b, err := t.Locate(ctx)
		if err != nil {
			return out, err
		}
		arms = append(arms, lab.Located{Target: t, Binary: b})
	}
	work, err := os.MkdirTemp(p.scratch, "gate-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(work)
	l, err := lab.New(lab.Config{
		Set: set, Machine: p.prep.Spec, Targets: arms, Blitzload: p.blitzload, Scratch: work, OpenFiles: p.prep.OpenFiles,
		Profile: lab.Profile{Name: profile.Name, Pairs: profile.MaxPairs, Warmup: profile.Warmup}, Seed: seed,
	})
	if err != nil {
		return out, err
	}
	if loaded {
		stop, err := otherWork(p.watcher, p.scratch, slices.Concat(p.prep.Spec.Roles.Server, p.prep.Spec.Roles.Load))
		if err != nil {
			return out, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	return gate.Compare(ctx, l, gate.Options{
		Profile: profile, Scenarios: p.scenarios, Seed: seed, Unguarded: p.Force && !loaded, Progress: func(string) {},
	})
}

// otherWork keeps one process busy on any of the CPUs, outside of the laboratory's own set, until stop is called.
func otherWork(w *proc.Watcher, scratch string, cpus []int) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	set := proc.NewSet(w)
	if _, err := set.Start(proc.Spec{Path: self, Args: []string{"burn"}, CPUs: cpus, Log: filepath.Join(scratch, "burn.log")}); err != nil {
		return nil, err
	}
	return set.Close, nil
}

// burnCmd is the other work. It ends by itself after a while, whatever happens to who started it.
type burnCmd struct{}

func (burnCmd) Run() error {
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		n := uint64(1)
		for range 1_000_000 {
			n = n*6364136223846793005 + 1
		}
		if n == 0 {
			return errors.New("the sequence never gets to 0")
		}
	}
	return nil
}

// publicArgs leaves out where things lie on this machine.
func publicArgs(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(args[i], "=")
		switch name {
		case "--built", "--bin-dir", "--out", "--document", "--machines":
			if !joined {
				i++
			}
			continue
		}
		out = append(out, args[i])
	}
	return out
}
