package blitz

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed reloadable.yaml.tmpl
var reloadable string

// RenderReloadable implements target.Reloader.
func (s system) RenderReloadable(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("blitz.yaml", reloadable, p)
	return target.Launch{Args: []string{"serve", "--config", f.Name}, Files: []target.File{f}}, err
}

// Reload implements target.Reloader.
func (system) Reload(_ context.Context, run *target.Running) error { return run.Signal(proc.Hangup) }
