package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the Makefile: -ldflags "-X main.release=…".
var release string

// versionCmd prints the version.
type versionCmd struct{}

// Run implements the command.
func (*versionCmd) Run() error {
	fmt.Printf("blitzload %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version is the release, or the module version of a `go install`, or "devel".
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
