package loop

import "fmt"

// New makes a loop with the engine that Options asks for. With "auto" it is io_uring where the kernel allows it and
// epoll elsewhere; Info tells which and why. The error wraps ErrUnsupported when the requested engine cannot
// run here.
func New(o Options) (Loop, error) {
	o = o.withDefaults()
	switch o.Engine {
	case "epoll":
		return newEpoll(o, "asked for by the configuration")
	case "auto":
		return newEpoll(o, "the only engine of this build")
	}
	return nil, fmt.Errorf("engine %q: %w", o.Engine, ErrUnsupported)
}
