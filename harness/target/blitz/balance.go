package blitz

import (
	"context"
	_ "embed"
	"net"
	"strconv"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed balanced.yaml.tmpl
var balanced string

// RenderBalanced implements target.Balancer.
func (s system) RenderBalanced(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("blitz.yaml", balanced, p)
	return target.Launch{Args: []string{"serve", "--config", f.Name}, Files: []target.File{f}}, err
}

// Retries implements target.Balancer.
func (system) Retries(ctx context.Context, p target.Plan, dial target.Dial) (n int64, ok bool) {
	page, err := target.Page(ctx, dial, net.JoinHostPort(p.Host, strconv.Itoa(p.AdminPort)), "/metrics")
	if err != nil {
		return 0, false
	}
	return counter(page, "blitz_upstream_retries_total")
}
