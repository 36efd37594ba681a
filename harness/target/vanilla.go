package target

import "strings"

// Shipped is a target that also has the configuration with which its package or its vendor's documentation begins: the settings that somebody gets who
// installs it and adds only what is needed to listen at an address, to show a certificate, to answer StaticPath and to forward the rest. Nothing is
// tuned, and nothing that the tuned configuration leaves out (an access log, where one is shipped) is left out. What is changed beyond that belongs to running
// as a system service and would not work in a directory of its own, or changes the machine: accounts, pid files, sockets, paths below /var.
type Shipped interface {
	Target
	RenderVanilla(Plan) (Launch, error)
}

// VanillaSuffix ends the names of targets with that configuration.
const VanillaSuffix = "-vanilla"

// Vanilla is the target with its shipped configuration. It is neither a Balancer nor a Reloader.
func Vanilla(s Shipped) Target { return vanilla{s} }

// IsVanilla tells it by the name.
func IsVanilla(name string) bool { return strings.HasSuffix(name, VanillaSuffix) }

type vanilla struct{ Shipped }

func (v vanilla) Name() string { return v.Shipped.Name() + VanillaSuffix }

func (v vanilla) Render(p Plan) (Launch, error) { return v.RenderVanilla(p) }

// Unsupported implements Limited: it can do what the target itself can, but for calls and HTTP/2 to the upstream, which nobody gets without asking for them.
func (v vanilla) Unsupported(p Plan) string {
	if p.OriginH2 || p.GRPC {
		return "HTTP/2 to the upstream is not a part of the configuration that is shipped"
	}
	if l, ok := v.Shipped.(Limited); ok {
		return l.Unsupported(p)
	}
	return ""
}
