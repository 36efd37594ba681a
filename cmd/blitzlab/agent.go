package main

import (
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// agentCmd is what runs on the hosts of a laboratory of several machines.
type agentCmd struct{}

// Run answers until its input ends. Signals do not interrupt it: a coordinator that was interrupted closes the input, and that ends all in order.
func (agentCmd) Run() (err error) {
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	w, err := watcher()
	if err != nil {
		return err
	}
	load := lab.Blitzload()
	targets, err := targetsByName(append(slices.Clone(allTargets), vanillaGroup), "blitz", load)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	a, err := lab.NewAgent(w, targets, load)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	err = lab.ServeAgent(os.Stdin, os.Stdout, lab.AgentService, a, a.End)
	return errors.Join(err, a.Close(), w.Close())
}
