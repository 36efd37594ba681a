// Package traefik runs Traefik as a target, with its file provider and nothing else. Its Go runtime gets as many processors as there are server CPUs.
//
// Traefik answers nothing by itself: the static answer is not possible, and scenarios that ask for it leave it out.
package traefik

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed traefik.yaml.tmpl
var static string

//go:embed dynamic.yaml.tmpl
var dynamic string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "traefik" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "traefik", "Version", "version")
}

func (system) Render(p target.Plan) (target.Launch, error) {
	s, err := target.RenderFile("traefik.yaml", static, p)
	if err != nil {
		return target.Launch{}, err
	}
	d, err := target.RenderFile("dynamic.yaml", dynamic, p)
	return target.Launch{
		Args:  []string{"--configFile=" + s.Name},
		Env:   []string{"GOMAXPROCS=" + strconv.Itoa(p.Workers())},
		Files: []target.File{s, d},
	}, err
}

// Unsupported implements target.Limited.
func (system) Unsupported(p target.Plan) string {
	switch {
	case !p.Proxied:
		return "Traefik only forwards and answers nothing by itself"
	case p.H2 && p.TLS == nil:
		return "Traefik speaks HTTP/2 over TLS only, as configured here"
	}
	return ""
}
