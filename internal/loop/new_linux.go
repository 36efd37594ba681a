package loop

import (
	"fmt"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// uringAvailable is the probe that "auto" and "uring" rely on. Tests put a failing one in its place.
var uringAvailable = uring.Available

// New makes a loop with the engine that Options asks for. With "auto" it is io_uring where the kernel allows it and
// epoll elsewhere; Info tells which and why. The error wraps ErrUnsupported when the requested engine cannot
// run here.
func New(o Options) (Loop, error) {
	o = o.withDefaults()
	switch o.Engine {
	case "epoll":
		return newEpoll(o, "asked for by the configuration")
	case "uring":
		if err := uringAvailable(); err != nil {
			return nil, fmt.Errorf("engine uring: %w: %w", ErrUnsupported, err)
		}
		return newURing(o, systemHost{}, "asked for by the configuration")
	case "auto":
		return auto(o)
	}
	return nil, fmt.Errorf("engine %q: %w: it is none of auto, uring, epoll", o.Engine, ErrUnsupported)
}

func auto(o Options) (Loop, error) {
	err := uringAvailable()
	if err == nil {
		var l Loop
		if l, err = newURing(o, systemHost{}, "io_uring is available"); err == nil {
			return l, nil
		}
	}
	return newEpoll(o, err.Error())
}

// NewOnHost makes a loop with the uring engine on a machine of the caller's: internal/loop/looptest puts a fake
// kernel there.
func NewOnHost(o Options, h Host) (Loop, error) {
	return newURing(o.withDefaults(), h, "asked for by a test")
}
