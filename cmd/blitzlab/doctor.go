package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
)

type doctorCmd struct {
	Machine   string        `help:"Description in machines/ to compare with, in place of the one that matches." placeholder:"NAME"`
	Ports     []int         `default:"8080,9901" help:"Ports that must be free." placeholder:"N,…"`
	Sample    time.Duration `default:"2s" help:"How long to watch the CPUs."`
	Machines  string        `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	Agent     string        `help:"With a machine of several hosts: path of blitzlab on them." placeholder:"PATH"`
	Calibrate bool          `help:"Trust this machine as it is now: ends its quarantine. With a machine of several hosts: all of them."`
	JSON      bool          `name:"json" help:"Print as JSON."`
}

// leastSample holds a few of the kernel's clock ticks; in less everything looks idle.
const leastSample = 50 * time.Millisecond

// Run implements the command: exit code 1 if a check failed.
func (c *doctorCmd) Run(ctx context.Context) error {
	if c.Sample < leastSample {
		return fmt.Errorf("--sample %v: the kernel counts CPU time in hundredths of a second, so watch for %v at least", c.Sample, leastSample)
	}
	for _, p := range c.Ports {
		if p < 1 || p > 65535 {
			return fmt.Errorf("--ports %d: a port lies between 1 and 65535", p)
		}
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		return err
	}
	if c.Machines == "" {
		c.Machines = filepath.Join(root, "machines")
	}
	spec, err := machine.Find(c.Machines, c.Machine, machine.Observe("/"))
	if err != nil {
		return err
	}
	if spec.Distributed() {
		return c.hosts(ctx, spec)
	}
	checks, err := lab.Examine(ctx, spec, c.Ports, c.Sample)
	if err != nil {
		return err
	}
	if checks, err = machine.Examined(machine.StateDir(), spec.Name, machine.Observe("/"), checks, c.Calibrate, time.Now()); err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", " ")
		err = enc.Encode(checks)
	} else {
		fmt.Printf("%s: %s\n", spec.Name, spec.Description)
		fmt.Printf("server on CPU %s, load on %s, origin on %s\n\n", spec.Roles.Server, spec.Roles.Load, spec.Roles.Origin)
		printChecks(checks)
	}
	if err != nil {
		return err
	}
	if machine.Unfit(checks) != nil {
		return exitCode(1)
	}
	return nil
}

func printChecks(checks []machine.Check) {
	for _, ch := range checks {
		fmt.Printf("%-4s  %-12s %s\n", ch.Status, ch.Name, ch.Observed)
		if ch.Status != machine.OK {
			fmt.Printf("      why:  %s\n", ch.Reason)
			if ch.Mend != "" {
				fmt.Printf("      mend: %s\n", ch.Mend)
			}
		}
	}
}

// hosts examines each host of a laboratory, over ssh.
func (c *doctorCmd) hosts(ctx context.Context, spec machine.Spec) (err error) {
	w, err := watcher()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var agent []string
	if c.Agent != "" {
		agent = []string{c.Agent, "agent"}
	}
	all, err := lab.ExamineHosts(ctx, spec, agent, w, c.Sample, c.Calibrate, say)
	if err != nil {
		return err
	}
	unfit := false
	for _, h := range spec.Hosts {
		unfit = unfit || machine.Unfit(all[h.Name]) != nil
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", " ")
		err = enc.Encode(all)
	} else {
		for _, h := range spec.Hosts {
			fmt.Printf("\n%s (%v) on CPU %s\n\n", h.Name, h.Roles, h.CPUs)
			printChecks(all[h.Name])
		}
	}
	if err == nil && unfit {
		return exitCode(1)
	}
	return err
}
