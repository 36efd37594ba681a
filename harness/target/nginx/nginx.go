// Package nginx runs nginx as a target: one master, one pinned worker per CPU.
package nginx

import (
	"context"
	_ "embed"
	"os"
	"os/user"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed nginx.conf.tmpl
var config string

type system struct{}

// New returns the target.
func New() target.Target { return system{} }

func (system) Name() string { return "nginx" }

func (system) Locate(ctx context.Context) (target.Binary, error) {
	return target.LocateBy(ctx, "nginx", "nginx version", "-v")
}

// view adds what only nginx needs.
type view struct{ target.Plan }

// Masks are worker_cpu_affinity's bit masks, one for each worker, CPU 0 being the rightmost digit.
func (v view) Masks() []string {
	var out []string
	for _, c := range v.CPUs {
		out = append(out, "1"+strings.Repeat("0", c))
	}
	return out
}

// Root names the account that workers keep running under when the master runs as root: the run directory belongs to it.
func (v view) Root() string {
	if os.Geteuid() != 0 {
		return ""
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

func (system) Render(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("nginx.conf", config, view{p})
	return target.Launch{Args: []string{"-p", p.Dir, "-c", "nginx.conf", "-e", "stderr"}, Files: []target.File{f}}, err
}

// Unsupported implements target.Limited.
func (system) Unsupported(p target.Plan) string {
	if p.OriginH2 && !p.GRPC {
		return "nginx speaks HTTP/2 to an upstream for gRPC only"
	}
	return ""
}
