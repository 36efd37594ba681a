package gate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// Waiver is somebody's decision to let one metric become worse by so much, for a while.
type Waiver struct {
	// Metric is a key: cpu, rps, p99, p99.9, memory, allocs, start.
	Metric string `yaml:"metric"`
	// Scenario by name, or "*" for all.
	Scenario string `yaml:"scenario"`
	// MaxEffect is the largest estimate that is let through: "8%", or for allocs a number of objects per request.
	MaxEffect string `yaml:"max_effect"`
	// Reason is shown with every gate that uses the waiver.
	Reason string `yaml:"reason"`
	// Expires is a date, YYYY-MM-DD: the last day on which the waiver holds. At most a year ahead.
	Expires string `yaml:"expires"`

	limit float64
}

// longest is how far ahead a waiver may expire.
const longest = 366 * 24 * time.Hour

// ReadWaivers reads a file of waivers. One that has expired, gives no reason or is otherwise not in order makes the whole file refused, with the
// line: the gate must not run on decisions that nobody stands by any more.
func ReadWaivers(name string, now time.Time) ([]Waiver, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	ws, err := parseWaivers(text, now)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return ws, nil
}

func parseWaivers(text []byte, now time.Time) ([]Waiver, error) {
	var file struct {
		Waivers []Waiver `yaml:"waivers"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	for i := range file.Waivers {
		if err := file.Waivers[i].check(now); err != nil {
			return nil, fmt.Errorf("%d: waiver %d: %w", lineOf(tree, i), i+1, err)
		}
	}
	return file.Waivers, nil
}

func (w *Waiver) check(now time.Time) error {
	all := profiles["long"].Metrics
	i := slices.IndexFunc(all, func(m Metric) bool { return m.Key == w.Metric })
	if i < 0 {
		return fmt.Errorf("metric %q: expected cpu, rps, p99, p99.9, memory, allocs or start", w.Metric)
	}
	switch {
	case w.Scenario == "":
		return errors.New("scenario is missing: a name, or \"*\" for all")
	case w.Scenario != "*" && !slices.Contains(lab.LoadNames(), w.Scenario):
		return fmt.Errorf("scenario %q: a waiver for it would never hold; expected \"*\" or one of %s", w.Scenario, strings.Join(lab.LoadNames(), ", "))
	}
	if len(strings.Fields(w.Reason)) < 3 {
		return fmt.Errorf("reason %q: expected a sentence that says why this is worth it", w.Reason)
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(w.MaxEffect), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch absolute := all[i].Absolute; {
	case err != nil || !(v > 0) || v > 1e6:
		return fmt.Errorf("max_effect %q: expected a positive number such as 8%%", w.MaxEffect)
	case absolute && percent:
		return fmt.Errorf("max_effect %q: %s is compared in %s, not in percent", w.MaxEffect, w.Metric, all[i].Unit)
	case !absolute && !percent:
		return fmt.Errorf("max_effect %q: expected percent, such as 8%%", w.MaxEffect)
	case percent:
		v /= 100
	}
	w.limit = v
	end, err := time.Parse(time.DateOnly, w.Expires)
	if err != nil {
		return fmt.Errorf("expires %q: expected a date, YYYY-MM-DD", w.Expires)
	}
	end = end.AddDate(0, 0, 1)
	if !now.Before(end) {
		return fmt.Errorf("expired on %s: mend the regression, or decide again", w.Expires)
	}
	if end.Sub(now) > longest {
		return fmt.Errorf("expires %s: more than a year ahead is for ever", w.Expires)
	}
	return nil
}

func (w *Waiver) covers(scenario, metric string) bool {
	return w.Metric == metric && (w.Scenario == "*" || w.Scenario == scenario)
}

func lineOf(f *ast.File, i int) int {
	p, err := yaml.PathString(fmt.Sprintf("$.waivers[%d]", i))
	if err != nil {
		return 1
	}
	n, err := p.FilterFile(f)
	if err != nil || n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1
	}
	return n.GetToken().Position.Line
}
