package server

import (
	"github.com/blitz-gateway/blitz/internal/loop"
)

// Handover is what a process gets from the one it replaces.
type Handover struct {
	// Generation of the configuration there; ours goes on from it.
	Generation uint64

	sockets []inherited
}

// inherited are the sockets of one address.
type inherited struct {
	address, real loop.Addr
	fds           []int
}

// take returns the sockets of an address, nil when there are none, and leaves them to the caller.
func (h *Handover) take(a loop.Addr) *inherited {
	if h == nil {
		return nil
	}
	for i := range h.sockets {
		if in := &h.sockets[i]; in.address == a && len(in.fds) > 0 {
			out := *in
			in.fds = nil
			return &out
		}
	}
	return nil
}
