// Package haproxy runs HAProxy as a target: one process, one pinned thread per CPU.
package haproxy

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed haproxy.cfg.tmpl
var config string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "haproxy" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "haproxy", "version", "-v")
}

func (system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("haproxy.cfg", config, p)
	// -db keeps it in the foreground, one process without a master.
	return target.Launch{Args: []string{"-db", "-f", f.Name}, Files: []target.File{f}}, err
}
