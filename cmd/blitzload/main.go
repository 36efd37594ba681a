// Command blitzload generates HTTP load and says truthfully what came of it; `blitzload origin` is a cheap server to load.
// Flags and wiring only: everything else is under loadgen.
//
// Exit status: 0 the run is valid; 1 it could not be made; 2 wrong usage; 3 it was made and must not be believed (the reasons are
// printed and in the record); 130 it was interrupted (the record says so).
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Exit statuses.
const (
	exitError       = 1
	exitUsage       = 2
	exitInvalid     = 3
	exitInterrupted = 130
)

type cli struct {
	Run     runCmd     `cmd:"" help:"Load a server and measure it."`
	Find    findCmd    `cmd:"" help:"Find the highest rate at which an objective holds, such as p99<1ms."`
	Origin  originCmd  `cmd:"" help:"Serve cheap answers, to be loaded or to be proxied to."`
	Floor   floorCmd   `cmd:"" help:"A bare loop that only receives and sends: the least a server on this engine can cost."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// exitStatus is an error that was already reported and only sets the exit status.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a contradiction between flags.
type usageError struct{ error }

func main() { os.Exit(command(os.Args[1:])) }

// command runs one command line and returns the exit status.
func command(args []string) int {
	var c cli
	k, err := kong.New(&c, kong.Name("blitzload"), kong.Vars{"schema": runfmt.Schema, "searchSchema": runfmt.SearchSchema},
		kong.Description("An open-loop HTTP load generator. Exit status: 0 valid, 1 error, 2 usage, 3 the run must not be believed, 130 interrupted."))
	if err != nil {
		panic(err) // a mistake in the flags' declaration
	}
	ctx, err := k.Parse(args)
	if err == nil {
		err = ctx.Run()
	}
	var status exitStatus
	var parse *kong.ParseError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &parse), errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "blitzload: %v\n", err)
		return exitUsage
	case errors.Is(err, loop.ErrUnsupported):
		fmt.Fprintf(os.Stderr, "blitzload: %v\n(blitzload needs Linux for now: its engines are io_uring and epoll)\n", err)
		return exitError
	}
	fmt.Fprintf(os.Stderr, "blitzload: %v\n", err)
	return exitError
}
