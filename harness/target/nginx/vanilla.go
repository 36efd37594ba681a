package nginx

import (
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed vanilla.conf.tmpl
var vanilla string

// RenderVanilla implements target.Shipped.
func (system) RenderVanilla(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("nginx.conf", vanilla, view{p})
	return target.Launch{Args: []string{"-p", p.Dir, "-c", "nginx.conf", "-e", "stderr"}, Files: []target.File{f}}, err
}
