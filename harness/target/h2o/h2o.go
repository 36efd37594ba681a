// Package h2o runs h2o as a target: one process, one thread per CPU.
package h2o

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed h2o.conf.tmpl
var config string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "h2o" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "h2o", "h2o version", "--version")
}

// hello is the file with the fixed answer: h2o has no directive for one, and a small file comes from its cache.
const hello = "hello.txt"

func (system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("h2o.conf", config, p)
	return target.Launch{Args: []string{"-c", f.Name}, Files: []target.File{f, {Name: hello, Text: target.StaticBody}}}, err
}

// Unsupported implements target.Limited.
func (system) Unsupported(p target.Plan) string {
	switch {
	case p.OriginH2:
		return "h2o 2.2 speaks no HTTP/2 to an upstream"
	case p.H2 && p.TLS == nil:
		return "h2o is measured with HTTP/2 over TLS only"
	}
	return ""
}
