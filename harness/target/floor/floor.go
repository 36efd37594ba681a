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
	if p.Closing {
		args = append(args, "--close")
	}
	if p.TLS != nil {
		args = append(args, "--cert", target.CertFile, "--key", target.KeyFile)
	}
	// It has no configuration; the report shows its command line instead.
	f := target.File{Name: "floor.txt", Text: "blitzload " + strings.Join(args, " ") + "\n"}
	return target.Launch{Args: args, Files: []target.File{f}}, nil
}

// Unsupported implements target.Limited.
func (system) Unsupported(p target.Plan) string {
	switch {
	case p.H2 && p.Proxied && !p.OriginH2:
		return "the bare loop passes bytes on: it cannot change HTTP/2 into HTTP/1.1"
	case p.Workers() > 1:
		return "the bare loop is a single thread"
	}
	return ""
}
