package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/blitz-gateway/blitz/proxy/server"
)

// UpgradeCmd is `blitz upgrade`.
type UpgradeCmd struct {
	PID     int           `name:"pid" help:"Process to replace. Without it, the only gateway that runs here." placeholder:"PID"`
	Binary  string        `help:"Executable to start. Without it, this one." placeholder:"FILE"`
	Timeout time.Duration `help:"How long the new process may take until it accepts connections." default:"30s"`
	Wait    time.Duration `help:"How long to wait for the old process to end; 0 does not wait." default:"1m"`
}

// Run asks the running gateway to start the new one with its own arguments, and to hand over its sockets.
func (c *UpgradeCmd) Run() error { return c.run(os.Stdout) }

func (c *UpgradeCmd) run(out io.Writer) error {
	pid, err := c.target()
	if err != nil {
		return err
	}
	binary := c.Binary
	if binary == "" {
		if binary, err = os.Executable(); err != nil {
			return err
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(c.Timeout+10*time.Second, cancel) // the running process keeps to the timeout itself
	p, wait, err := server.GiveOrder(ctx, pid, server.Order{Binary: binary, Timeout: c.Timeout})
	timer.Stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "new: pid %d, generation %d, version %s: accepting\n", p.New.PID, p.New.Generation, p.New.Version)
	fmt.Fprintf(out, "old: pid %d, generation %d, version %s: draining\n", p.Old.PID, p.Old.Generation, p.Old.Version)
	if c.Wait <= 0 {
		return nil
	}
	timer = time.AfterFunc(c.Wait, cancel)
	defer timer.Stop()
	if err := wait(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "old: pid %d: gone\n", p.Old.PID)
	return err
}

func (c *UpgradeCmd) target() (int, error) {
	if c.PID != 0 {
		return c.PID, nil
	}
	pids, err := server.Running()
	switch {
	case err != nil:
		return 0, err
	case len(pids) == 0:
		return 0, errors.New("no gateway runs here that takes orders; in another network namespace, run this there")
	case len(pids) > 1:
		return 0, fmt.Errorf("several gateways run here, with process IDs %v: choose one with --pid", pids)
	}
	return pids[0], nil
}
