package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// ExplainCmd is `blitz explain --config FILE [-H K:V] METHOD URL`.
type ExplainCmd struct {
	Config  string   `short:"c" help:"Configuration file. Without it the embedded default." placeholder:"FILE"`
	Headers []string `name:"header" short:"H" sep:"none" help:"Field of the request, as in 'Host: api.example.com'. May be given again." placeholder:"K:V"`
	Source  string   `help:"Address of the client." placeholder:"IP"`
	JSON    bool     `name:"json" help:"Print JSON."`
	Method  string   `arg:"" name:"method" help:"Request method, such as GET."`
	URL     string   `arg:"" name:"url" help:"URL, or a path."`
}

// Run prints which route the request would take and why the others would not be taken. Nothing is sent anywhere.
func (c *ExplainCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c *ExplainCmd) run(out, errs io.Writer) error {
	q := snapshot.Question{Method: c.Method, Target: c.URL}
	for _, h := range c.Headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return fmt.Errorf("header %q: expected a name, a colon and a value", h)
		}
		q.Headers = append(q.Headers, snapshot.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	if c.Source != "" {
		var err error
		if q.Source, err = netip.ParseAddr(c.Source); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	}
	conf, err := loadConfig(c.Config, errs)
	if err != nil {
		return err
	}
	s, err := snapshot.BuildWith(conf, 1, nil)
	if err != nil {
		return errors.Join(errors.New("the configuration cannot be used"), err)
	}
	e := snapshot.Explain(s, &q)
	if !c.JSON {
		return e.WriteText(out)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}
