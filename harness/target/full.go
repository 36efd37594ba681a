package target

import (
	"context"
	"strings"
)

// Equipped is a target that also has a configuration with what somebody would switch on who runs it for others: a hundred routes, a line in the access log
// for each request, metrics on an admin listener, retries. It answers and forwards as the tuned one. RenderFull fills it in; Lost is how many lines of the access log
// the running target dropped, which would be a way to be fast.
type Equipped interface {
	Target
	RenderFull(Plan) (Launch, error)
	Lost(ctx context.Context, run *Running) (lines int64, err error)
}

// FullSuffix ends the names of targets with that configuration, FullRoutes is how many routes it has, FullLog its access log in the run's directory.
const (
	FullLog    = "access.log"
	FullSuffix = "-full"
	FullRoutes = 100
)

// Full is the target with everything on.
func Full(e Equipped) Target { return full{e} }

// IsFull tells it by the name.
func IsFull(name string) bool { return strings.HasSuffix(name, FullSuffix) }

type full struct{ Equipped }

func (f full) Name() string { return f.Equipped.Name() + FullSuffix }

func (f full) Render(p Plan) (Launch, error) {
	p.Routes = FullRoutes - 2 // the fixed answer and the rest are the others
	return f.RenderFull(p)
}
