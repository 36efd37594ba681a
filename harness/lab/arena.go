package lab

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
)

// arena is where endpoints get into trouble: two network namespaces, so that one endpoint can be cut off from the others without a word and without
// touching the machine's own network. The zero arena is the machine itself, where nobody can be cut off.
type arena struct {
	// near holds the target, the load generator and all endpoints but the last one, far the last one; nil without namespaces.
	near, far *proc.Process
	// missing is why there are none.
	missing string
}

// through is the command that enters the namespace of a holder; nil for the machine's own.
func (a *arena) through(holder *proc.Process) []string {
	if holder == nil {
		return nil
	}
	return enter(holder.PID())
}

func (a *arena) dial() target.Dial {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: time.Second}
		if a.near == nil {
			return d.DialContext(ctx, "tcp", addr)
		}
		return dialIn(ctx, &d, a.near.PID(), addr)
	}
}

func (a *arena) close() error {
	var errs []error
	for _, p := range []*proc.Process{a.far, a.near} {
		if p != nil {
			errs = append(errs, p.Stop(time.Second))
		}
	}
	return errors.Join(errs...)
}
