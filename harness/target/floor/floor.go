// Package floor runs the bare loop of `blitzload floor` as a target: what receiving and sending alone cost on this machine. It is no
// competitor, and it is only measured when it is asked for.
package floor

import (
	"context"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

type system struct{ path string }

// New returns the target for the blitzload at path.
func New(path string) target.Target { return system{path} }

func (system) Name() string { return "floor" }

func (s system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, s.path, "blitzload", "version")
}

func (system) Render(p target.Plan) (target.Launch, error) {
	args := []string{"floor", "--address", p.Addr(), "--body", target.StaticBody}
	if p.Origin() != "" {
		args = append(args, "--upstream", p.Origin())
	}
	// It has no configuration; the report shows its command line instead.
	f := target.File{Name: "floor.txt", Text: "blitzload " + strings.Join(args, " ") + "\n"}
	return target.Launch{Args: args, Files: []target.File{f}}, nil
}

// Unsupported implements target.Limited.
func (system) Unsupported(p target.Plan) string {
	if p.TLS != nil || p.H2 {
		return "the bare loop has neither TLS nor HTTP/2"
	}
	return ""
}
