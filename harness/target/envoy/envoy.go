// Package envoy runs Envoy as a target, with one worker thread per CPU and a static bootstrap.
package envoy

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed envoy.yaml.tmpl
var config string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "envoy" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "envoy", "version", "--version")
}

func (system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("envoy.yaml", config, p)
	return target.Launch{
		Args:  []string{"-c", f.Name, "--concurrency", strconv.Itoa(p.Workers()), "--disable-hot-restart", "--log-level", "warning"},
		Files: []target.File{f},
	}, err
}
