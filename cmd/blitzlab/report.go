package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blitz-gateway/blitz/harness/history"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

type reportCmd struct {
	Results  string   `default:"results" help:"Root of the results." placeholder:"DIR"`
	Markdown string   `help:"Where the Markdown goes (default: COMPARISON.md at the root of the checkout for its results/, else among the results)." placeholder:"FILE"`
	Compare  []string `sep:"," help:"Print a comparison of two runs, by their IDs, in place of the report." placeholder:"A,B"`
	HTML     string   `name:"html" help:"Where the HTML page goes (default: report.html among the results)." placeholder:"FILE"`
}

// Run implements the command.
func (c *reportCmd) Run() error {
	if len(c.Compare) > 0 {
		return c.compare()
	}
	root, err := lab.ModuleRoot()
	if err != nil && c.Markdown == "" {
		return err
	}
	p := defaultPaths(root, c.Results)
	if c.Markdown != "" {
		p.markdown = c.Markdown
	}
	if c.HTML != "" {
		p.html = c.HTML
	}
	return writeReport(c.Results, p)
}

// compare prints what is between two runs.
func (c *reportCmd) compare() error {
	if len(c.Compare) != 2 {
		return errors.New("--compare takes two runs: --compare A,B")
	}
	all, err := published(c.Results)
	if err != nil {
		return err
	}
	t, err := report.Between(all, c.Compare[0], c.Compare[1])
	if err != nil {
		return err
	}
	fmt.Print(t.Text())
	return nil
}

type reportPaths struct{ markdown, html string }

// defaultPaths puts the page among the results. COMPARISON.md is at the root of the checkout for the published results, and beside any others.
func defaultPaths(root, results string) reportPaths {
	p := reportPaths{markdown: filepath.Join(results, "COMPARISON.md"), html: filepath.Join(results, "report.html")}
	if abs, err := filepath.Abs(results); err == nil && root != "" && abs == filepath.Join(root, "results") {
		p.markdown = filepath.Join(root, "COMPARISON.md")
	}
	return p
}

func writeReport(root string, to reportPaths) error {
	all, err := published(root)
	if err != nil {
		return fmt.Errorf("nothing is published: %w", err)
	}
	md, err := report.Markdown(all)
	if err != nil {
		return err
	}
	var rs []*result.Result
	for _, s := range all {
		rs = append(rs, s.Result)
	}
	series := history.All(rs)
	if err := history.Detect(series, stat.EDivisive{Alpha: 0.05, Seed: 1}); err != nil {
		return err
	}
	page, err := report.HTML(all, history.Trends(series))
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
