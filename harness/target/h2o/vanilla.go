package h2o

import (
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed vanilla.conf.tmpl
var vanilla string

// RenderVanilla implements target.Shipped.
func (system) RenderVanilla(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("h2o.conf", vanilla, p)
	return target.Launch{Args: []string{"-c", f.Name}, Files: []target.File{f, {Name: hello, Text: target.StaticBody}}}, err
}
