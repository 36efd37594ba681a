package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blitz-gateway/blitz/harness/history"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

type historyCmd struct {
	Results string  `help:"Directory of results (default: results/ of the checkout)." placeholder:"DIR"`
	Alpha   float64 `default:"0.05" help:"Chance of a change point in a series that has none."`
	Target  string  `default:"blitz" help:"Series of this target only; empty for all."`
	JSON    bool    `name:"json" help:"Print all series with their change points as JSON."`
}

// Run prints where published series changed. A change is news, not an error: the exit code is 0.
func (c *historyCmd) Run() error {
	if c.Alpha <= 0 || c.Alpha >= 1 {
		return fmt.Errorf("--alpha %v: expected a number between 0 and 1", c.Alpha)
	}
	if c.Results == "" {
		root, err := lab.ModuleRoot()
		if err != nil {
			return err
		}
		c.Results = filepath.Join(root, "results")
	}
	stored, err := published(c.Results)
	if err != nil {
		return err
	}
	var rs []*result.Result
	for _, s := range stored {
		rs = append(rs, s.Result)
	}
	var series []history.Series
	for _, s := range history.All(rs) {
		if c.Target == "" || s.Target == c.Target {
			series = append(series, s)
		}
	}
	if err := history.Detect(series, stat.EDivisive{Alpha: c.Alpha, Seed: 1}); err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return e.Encode(series)
	}
	fmt.Print(history.Table(series).Text())
	return nil
}
