package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/provision"
	"github.com/blitz-gateway/blitz/harness/target"
)

type provisionCmd struct {
	Machine   string            `required:"" help:"Description in machines/ of what to provision." placeholder:"NAME"`
	Machines  string            `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	BinDir    string            `help:"Directory of blitz, blitzload and blitzlab for the hosts; without it they are built from this checkout." placeholder:"DIR"`
	Check     bool              `help:"Change nothing, show what would change."`
	Undo      bool              `help:"Put back what the tunings changed; what was installed stays."`
	Tags      []string          `help:"Only these parts: tuning, kernel, nic, limits, targets, blitz, nginx, haproxy, h2o, caddy, envoy, loadgen, origin, facts." placeholder:"TAG,…"`
	Set       map[string]string `help:"Variable of a role, such as envoy_sha256=…; repeatable." placeholder:"NAME=VALUE"`
	Inventory bool              `help:"Print the inventory and do nothing."`
}

// Run implements the command.
func (c *provisionCmd) Run(ctx context.Context) error {
	root, err := lab.ModuleRoot()
	if err != nil {
		return err
	}
	if c.Machines == "" {
		c.Machines = filepath.Join(root, "machines")
	}
	spec, err := machine.Named(c.Machines, c.Machine)
	if err != nil {
		return err
	}
	o := provision.Options{Undo: c.Undo, Check: c.Check, Tags: c.Tags, Extra: c.Set}
	if c.BinDir != "" {
		if o.BinDir, err = filepath.Abs(c.BinDir); err != nil {
			return err
		}
	}
	if c.Inventory {
		b, err := provision.Inventory(spec, o)
		if err == nil {
			_, err = os.Stdout.Write(b)
		}
		return err
	}
	if o.BinDir == "" && !c.Undo {
		dir, err := os.MkdirTemp("", "blitzlab-bin-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := c.build(ctx, root, dir, spec); err != nil {
			return err
		}
		o.BinDir = dir
	}
	return provision.Run(ctx, root, spec, o, os.Stdout)
}

func (c *provisionCmd) build(ctx context.Context, root, dir string, spec machine.Spec) error {
	say("building blitz, blitzload and blitzlab")
	if err := lab.Build(ctx, root, dir, lab.Revision(ctx, root), "blitz", "blitzload", "blitzlab"); err != nil {
		return err
	}
	if len(spec.Targets) > 0 && !slices.Contains(spec.Targets, "caddy") {
		return nil
	}
	if err := lab.Install(ctx, []string{"caddy"}, say); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(target.CacheDir(), "caddy"), filepath.Join(dir, "caddy"))
}

// observeCmd prints what can be seen of this machine; the role facts keeps it.
type observeCmd struct{}

// Run implements the command. It prints nothing that changes by itself, so that a second provisioning finds nothing to do.
func (observeCmd) Run(ctx context.Context) error {
	facts := struct {
		Fingerprint machine.Fingerprint `json:"fingerprint"`
		Interfaces  []machine.Interface `json:"interfaces"`
		Targets     map[string]string   `json:"targets"`
	}{machine.Observe("/"), machine.Interfaces("/", machine.ReadCard), map[string]string{}}
	targets, err := targetsByName(allTargets, "blitz", lab.Blitzload())
	if err != nil {
		return err
	}
	for _, t := range targets {
		if bin, err := t.Locate(ctx); err == nil {
			facts.Targets[t.Name()] = bin.Version
		}
	}
	b, err := json.Marshal(facts)
	if err == nil {
		_, err = fmt.Println(string(b))
	}
	return err
}
