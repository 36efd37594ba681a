package caddy

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed Reloadable.tmpl
var reloadable string

// RenderReloadable implements target.Reloader. stream_close_delay keeps WebSockets open over reloads.
func (s system) RenderReloadable(p target.Plan) (target.Launch, error) {
	l, err := s.Render(p)
	if err != nil {
		return l, err
	}
	l.Files[0], err = target.RenderFile("Caddyfile", reloadable, p)
	return l, err
}

// Reload implements target.Reloader.
func (system) Reload(ctx context.Context, run *target.Running) error {
	return target.Posted(ctx, run, "Caddyfile", "text/caddyfile", "/load")
}
