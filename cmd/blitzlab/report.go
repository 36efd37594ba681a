package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
)

type reportCmd struct {
	Results  string `default:"results" help:"Root of the results." placeholder:"DIR"`
	Markdown string `help:"Where the Markdown goes (default: COMPARISON.md at the root of the checkout)." placeholder:"FILE"`
	HTML     string `name:"html" help:"Where the HTML page goes (default: report.html among the results)." placeholder:"FILE"`
}

// Run implements the command.
func (c *reportCmd) Run() error {
	p := reportPaths{c.Markdown, c.HTML}
	if p.markdown == "" {
		root, err := lab.ModuleRoot()
		if err != nil {
			return err
		}
		p.markdown = filepath.Join(root, "COMPARISON.md")
	}
	if p.html == "" {
		p.html = filepath.Join(c.Results, "report.html")
	}
	return writeReport(c.Results, p)
}

type reportPaths struct{ markdown, html string }

func writeReport(root string, to reportPaths) error {
	all, err := result.ReadAll(root)
	if err != nil {
		return fmt.Errorf("a result cannot be believed, so nothing is published: %w", err)
	}
	md, err := report.Markdown(all)
	if err != nil {
		return err
	}
	page, err := report.HTML(all)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to.markdown, md, 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to.html), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(to.html, page, 0o644); err != nil {
		return err
	}
	say(fmt.Sprintf("report: %s and %s", to.markdown, to.html))
	return nil
}
