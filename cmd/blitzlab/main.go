// Command blitzlab is the laboratory: it examines machines, runs targets side by side, decides gates, and publishes.
//
// It holds flags and wiring only; the work is done in harness/. Exit codes: 0 well, 1 a regression (gate) or an unfit machine (doctor), 2 the
// command could not do its work, 3 inconclusive (gate).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/blitz-gateway/blitz/harness/proc"
)

type cli struct {
	Bench   benchCmd     `cmd:"" help:"Measure scenarios over targets, interleaved, and write results and report."`
	Gate    gateCmd      `cmd:"" help:"Decide whether a candidate is worse than a baseline."`
	Proof   gateProofCmd `cmd:"" name:"gate-proof" help:"Run many gates whose answers are known: equal executables, planted regressions, a busy machine."`
	Attest  attestCmd    `cmd:"" help:"Sign a manifest of results, configurations and executables."`
	Verify  verifyCmd    `cmd:"" help:"Check a directory of results against its signed manifest."`
	Report  reportCmd    `cmd:"" help:"Turn results/ into COMPARISON.md and an HTML page."`
	Query   queryCmd     `cmd:"" help:"Answer a question in SQL about the results."`
	History historyCmd   `cmd:"" help:"Find where the published results changed over time."`
	Project projectCmd   `cmd:"" help:"Forecast, on paper, what larger machines would do: docs/FORECAST.md."`
	Doctor  doctorCmd    `cmd:"" help:"Examine whether this machine is fit to measure on."`

	Provision provisionCmd `cmd:"" help:"Prepare the hosts of a laboratory with Ansible, or put back their tunings."`
	Observe   observeCmd   `cmd:"" help:"Print as JSON what can be seen of this machine: fingerprint, interfaces, versions of targets."`

	Agent         agentCmd `cmd:"" hidden:"" help:"Internal: do on this host what a bench over several asks for, on standard input and output."`
	Burn          burnCmd  `cmd:"" hidden:"" help:"Internal: the other work of gate-proof."`
	WatchChildren watchCmd `cmd:"" hidden:"" help:"Internal: end what is left when the laboratory was killed."`
}

// exitCode is an outcome that is not a failure of the command itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// cannot is the exit code of a command that could not do its work.
const cannot = 2

type watchCmd struct{}

func (watchCmd) Run() error {
	proc.Watch(os.Stdin)
	return nil
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("blitzlab"), kong.Description("The laboratory of Blitz."), kong.UsageOnError(),
		kong.Exit(func(code int) {
			if code != 0 {
				code = cannot
			}
			os.Exit(code)
		}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run in order, a second one this process at once; the watcher then ends what is left.
	context.AfterFunc(ctx, stop)
	k.BindTo(ctx, (*context.Context)(nil))
	err := k.Run()
	interrupted := ctx.Err() != nil
	stop()
	var code exitCode
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		if interrupted {
			fmt.Fprintln(os.Stderr, "blitzlab: interrupted; every process that was started has been ended")
		}
		fmt.Fprintf(os.Stderr, "blitzlab: %v\n", err)
		os.Exit(cannot)
	}
}

// watcher starts this program again as the watcher of its own children.
func watcher() (*proc.Watcher, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return proc.StartWatcher(self, "watch-children")
}

// say prints progress; it goes to standard error so that standard output is the result alone.
func say(text string) { fmt.Fprintln(os.Stderr, text) }
