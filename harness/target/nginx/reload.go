package nginx

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed reloadable.conf.tmpl
var reloadable string

// RenderReloadable implements target.Reloader.
func (system) RenderReloadable(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("nginx.conf", reloadable, view{p})
	return target.Launch{Args: []string{"-p", p.Dir, "-c", "nginx.conf", "-e", "stderr"}, Files: []target.File{f}}, err
}

// Reload implements target.Reloader.
func (system) Reload(_ context.Context, run *target.Running) error { return run.Signal(proc.Hangup) }
