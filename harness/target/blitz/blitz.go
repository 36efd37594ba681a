// Package blitz runs this project's own gateway as a target. It sees the executable only, like any other system.
package blitz

import (
	"context"
	_ "embed"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed blitz.yaml.tmpl
var config string

type system struct{ name, path string }

// New returns the target for the executable at path ("blitz" searches PATH). name tells two builds apart; it is "blitz" outside the
// gate.
func New(name, path string) target.Target { return system{name, path} }

func (s system) Name() string { return s.name }

func (s system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, s.path, "blitz", "version")
}

func (s system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("blitz.yaml", config, p)
	return target.Launch{Args: []string{"serve", "--config", f.Name}, Files: []target.File{f}}, err
}

// Notes picks from the log which engine runs and why, and leaves out the time.
func (system) Notes(log string) []string {
	var out []string
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, "msg=started "); ok {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}
