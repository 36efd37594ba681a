package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
)

type doctorCmd struct {
	Machine string        `help:"Description in machines/ to compare with, in place of the one that matches." placeholder:"NAME"`
	Ports   []int         `default:"8080,9901" help:"Ports that must be free." placeholder:"N,…"`
	Sample  time.Duration `default:"2s" help:"How long to watch the CPUs."`
	JSON    bool          `name:"json" help:"Print as JSON."`
}

// Run implements the command: exit code 1 if a check failed.
func (c *doctorCmd) Run(ctx context.Context) error {
	root, err := lab.ModuleRoot()
	if err != nil {
		return err
	}
	f := machine.Observe("/")
	spec, err := machine.Find(filepath.Join(root, "machines"), c.Machine, f)
	if err != nil {
		return err
	}
	limit, err := proc.RaiseFileLimit(65536)
	if err != nil {
		return err
	}
	checks := machine.Doctor(ctx, spec, f, machine.Options{Root: "/", Ports: c.Ports, Sample: c.Sample, FileLimit: limit, Uring: machine.ProbeUring()})
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", " ")
		err = enc.Encode(checks)
	} else {
		fmt.Printf("%s: %s\n", spec.Name, spec.Description)
		fmt.Printf("server on CPU %s, load on %s, origin on %s\n\n", spec.Roles.Server, spec.Roles.Load, spec.Roles.Origin)
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
	if err != nil {
		return err
	}
	if machine.Unfit(checks) != nil {
		return exitCode(1)
	}
	return nil
}
