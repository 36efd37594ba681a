// Command blitz is the gateway: flags and wiring only, everything else is under proxy.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type cli struct {
	Serve    ServeCmd    `cmd:"" help:"Run the gateway."`
	Validate ValidateCmd `cmd:"" help:"Check a configuration file."`
	Explain  ExplainCmd  `cmd:"" help:"Say which route a request would take, and why."`
	Upgrade  UpgradeCmd  `cmd:"" help:"Replace the running gateway by this binary, without losing a connection."`
	Plan     PlanCmd     `cmd:"" help:"Say what loading a configuration would change in a running gateway."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	if serve, ok := plainServe(os.Args[1:]); ok {
		exit(serve.Run())
	}
	ctx := kong.Parse(&cli{}, kong.Name("blitz"), kong.Description("An HTTP gateway on io_uring."), kong.UsageOnError())
	exit(ctx.Run())
}

// plainServe recognises the command lines that start a gateway in the field, "serve" with or without a configuration, and so spares them the
// building of the whole command tree, which shows in a cold start. Everything else, mistakes included, is kong's.
func plainServe(args []string) (*ServeCmd, bool) {
	if len(args) == 0 || args[0] != "serve" {
		return nil, false
	}
	switch args = args[1:]; {
	case len(args) == 0:
		return &ServeCmd{}, true
	case len(args) == 1 && strings.HasPrefix(args[0], "--config=") && args[0] != "--config=":
		return &ServeCmd{Config: strings.TrimPrefix(args[0], "--config=")}, true
	case len(args) == 2 && (args[0] == "--config" || args[0] == "-c") && args[1] != "" && args[1][0] != '-':
		return &ServeCmd{Config: args[1]}, true
	}
	return nil, false
}

// exit ends the process with the status that err stands for, and prints it unless that was done.
func exit(err error) {
	var status exitStatus
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &status):
		os.Exit(int(status))
	}
	fmt.Fprintf(os.Stderr, "blitz: error: %v\n", err)
	os.Exit(1)
}
