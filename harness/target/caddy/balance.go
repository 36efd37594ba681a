package caddy

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed Balanced.tmpl
var balanced string

// RenderBalanced implements target.Balancer.
func (s system) RenderBalanced(p target.Plan) (target.Launch, error) {
	l, err := s.Render(p)
	if err != nil {
		return l, err
	}
	l.Files[0], err = target.RenderFile("Caddyfile", balanced, p)
	return l, err
}

// Retries implements target.Balancer: Caddy does not count them.
func (system) Retries(context.Context, target.Plan, target.Dial) (int64, bool) { return 0, false }
