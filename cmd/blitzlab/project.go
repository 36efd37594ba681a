package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/harness/forecast"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
)

type projectCmd struct {
	Results     string `help:"Directory of results (default: results/ of the checkout)." placeholder:"DIR"`
	Machines    string `help:"Directory of machine descriptions (default: machines/ of the checkout)." placeholder:"DIR"`
	Out         string `help:"Where the forecast goes (default: docs/FORECAST.md of the checkout for its results/, else standard output)." placeholder:"FILE"`
	Target      string `default:"blitz" help:"Target whose results are used."`
	From        string `help:"Machine whose results are used (default: that of the newest result)." placeholder:"NAME"`
	Connections string `default:"10000-50000" help:"Connections assumed to be open, for memory." placeholder:"FROM-TO"`
	CoreSpeed   string `help:"Assume this core speed of all machines, relative to the measured one, in place of that in machines/." placeholder:"FROM-TO"`
	NetworkCost string `help:"Assume this cost of the network on all machines, relative to loopback, in place of that in machines/." placeholder:"FROM-TO"`
	JSON        bool   `name:"json" help:"Print the forecast as JSON and write no file."`
}

// Run makes a forecast. It never writes among results.
func (c *projectCmd) Run() error {
	root, err := lab.ModuleRoot()
	if err != nil && (c.Results == "" || c.Machines == "") {
		return err
	}
	assumed := c.CoreSpeed != "" || c.NetworkCost != "" || c.From != "" || c.Target != "blitz" || c.Connections != "10000-50000"
	if c.Results == "" {
		c.Results = filepath.Join(root, "results")
		if c.Out == "" && c.Machines == "" && !assumed {
			c.Out = filepath.Join(root, "docs", "FORECAST.md")
		}
	}
	if c.Machines == "" {
		c.Machines = filepath.Join(root, "machines")
	}
	o := forecast.Options{Target: c.Target, From: c.From}
	connections, err := rangeOf("--connections", c.Connections)
	if err != nil {
		return err
	}
	o.Connections = *connections
	if o.CoreSpeed, err = rangeOf("--core-speed", c.CoreSpeed); err != nil {
		return err
	}
	if o.NetworkCost, err = rangeOf("--network-cost", c.NetworkCost); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(c.Machines, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no machine to make a forecast for (*.yaml)", c.Machines)
	}
	machines, err := forecast.Machines(files)
	if err != nil {
		return err
	}
	all, err := published(c.Results)
	if err != nil {
		return fmt.Errorf("nothing is forecast: %w", err)
	}
	f, err := forecast.Make(all, machines, o)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return e.Encode(f)
	case c.Out == "":
		_, err := os.Stdout.Write(f.Markdown())
		return err
	}
	if err := os.WriteFile(c.Out, f.Markdown(), 0o644); err != nil {
		return err
	}
	say("forecast: " + c.Out)
	return nil
}

// rangeOf reads "0.8-1.2", or one number for both ends; nil for nothing.
func rangeOf(flag, s string) (*machine.Range, error) {
	if s == "" {
		return nil, nil
	}
	from, to, two := strings.Cut(s, "-")
	if !two {
		to = from
	}
	a, errA := strconv.ParseFloat(from, 64)
	b, errB := strconv.ParseFloat(to, 64)
	if errA != nil || errB != nil || !(a > 0) || !(b >= a) || b > 1e9 {
		return nil, fmt.Errorf("%s %s: expected a range of positive numbers such as 0.8-1.2", flag, s)
	}
	return &machine.Range{From: a, To: b}, nil
}
