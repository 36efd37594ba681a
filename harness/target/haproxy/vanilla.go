package haproxy

import (
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed vanilla.cfg.tmpl
var vanilla string

// RenderVanilla implements target.Shipped. Its log goes to the system's, if it has one.
func (system) RenderVanilla(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("haproxy.cfg", vanilla, p)
	return target.Launch{Args: []string{"-db", "-f", f.Name}, Files: []target.File{f}}, err
}
