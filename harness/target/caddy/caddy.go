// Package caddy runs Caddy as a target. Its Go runtime gets as many processors as there are server CPUs.
package caddy

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed Caddyfile.tmpl
var config string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "caddy" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "caddy", "v2.", "version")
}

func (system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("Caddyfile", config, p)
	return target.Launch{
		Args: []string{"run", "--adapter", "caddyfile", "--config", f.Name},
		// Whatever Caddy stores goes to the run directory.
		Env:   []string{"GOMAXPROCS=" + strconv.Itoa(p.Workers()), "HOME=" + p.Dir, "XDG_DATA_HOME=" + p.Dir, "XDG_CONFIG_HOME=" + p.Dir},
		Files: []target.File{f},
	}, err
}
