package caddy

import (
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed Vanilla.tmpl
var vanilla string

// RenderVanilla implements target.Shipped. The Go runtime is not told how many processors to use: it sees those that the process may run on.
func (system) RenderVanilla(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("Caddyfile", vanilla, p)
	return target.Launch{
		Args:  []string{"run", "--adapter", "caddyfile", "--config", f.Name},
		Env:   []string{"HOME=" + p.Dir, "XDG_DATA_HOME=" + p.Dir, "XDG_CONFIG_HOME=" + p.Dir},
		Files: []target.File{f},
	}, err
}
