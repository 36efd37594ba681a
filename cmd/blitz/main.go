// Command blitz is the gateway: flags and wiring only, everything else is under proxy.
package main

import (
	"errors"
	"os"

	"github.com/alecthomas/kong"
)

type cli struct {
	Serve    ServeCmd    `cmd:"" help:"Run the gateway."`
	Validate ValidateCmd `cmd:"" help:"Check a configuration file."`
	Explain  ExplainCmd  `cmd:"" help:"Say which route a request would take, and why."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	ctx := kong.Parse(&cli{}, kong.Name("blitz"), kong.Description("An HTTP gateway on io_uring."), kong.UsageOnError())
	err := ctx.Run()
	var status exitStatus
	if errors.As(err, &status) {
		os.Exit(int(status))
	}
	ctx.FatalIfErrorf(err)
}
