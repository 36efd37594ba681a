package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// ValidateCmd is `blitz validate FILE`.
type ValidateCmd struct {
	File string `arg:"" name:"file" help:"Configuration file."`
}

// exitStatus ends the program with a status after everything worth saying was said.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Run checks the file without opening a socket or resolving a name.
func (c *ValidateCmd) Run() error { return validate(c.File, os.Stdout, os.Stderr) }

func validate(file string, out, errs io.Writer) error {
	conf, err := config.Load(file)
	if err == nil {
		// What the file says is right; this holds the tables built from it to the same opinion.
		_, err = snapshot.BuildWith(conf, 1, nil)
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
