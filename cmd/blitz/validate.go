package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// ValidateCmd is `blitz validate [--full] FILE`.
type ValidateCmd struct {
	Full bool   `help:"Read certificates, keys and authorities too, and look up the names of endpoints, as serve does."`
	File string `arg:"" name:"file" help:"Configuration file."`
}

// exitStatus ends the program with a status after everything worth saying was said.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Run checks the file without listening anywhere, and unless told otherwise without what may be on another machine only: secrets and names.
func (c *ValidateCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c *ValidateCmd) run(out, errs io.Writer) error {
	file := c.File
	conf, err := config.Load(file)
	if err == nil {
		// What the file says is right; this holds the tables built from it to the same opinion.
		var names snapshot.Resolver // without one, neither names nor files are looked up
		if c.Full {
			names = net.DefaultResolver
		}
		_, err = snapshot.BuildWith(conf, 1, names)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return exitStatus(1)
	}
	_, err = fmt.Fprintf(out, "%s: ok (%s, %s, %s)\n", file,
		plural(len(conf.Listeners), "listener"), plural(len(conf.Clusters), "cluster"), plural(len(conf.Routes), "route"))
	return err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// loadConfig reads a configuration file, or the embedded one for "". Problems of the file are printed to errs, one a line.
func loadConfig(file string, errs io.Writer) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	conf, err := config.Load(file)
	var problems config.Errors
	if errors.As(err, &problems) {
		fmt.Fprintln(errs, problems)
		return nil, exitStatus(1)
	}
	return conf, err
}
