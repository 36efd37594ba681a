package endpoint

import (
	"sync/atomic"
)

// Reasons why an endpoint gets no requests; an endpoint may have several at a time.
const (
	// FailsChecks: active health checks say so. Set and cleared by the control plane alone.
	FailsChecks uint32 = 1 << iota
	// Ejected: its answers to real requests say so. Set and cleared by the control plane alone.
	Ejected
)

// State is what all workers and the control plane share about one endpoint. Workers read it, and write only when a
// request has failed, or succeeded after failures: while all is well no cache line moves.
type State struct {
	down atomic.Uint32
	// Consecutive failures as all workers saw them, in the order in which they happened to be counted.
	server, gateway, connect atomic.Uint32
	since                    atomic.Int64
}

// Healthy tells whether nothing speaks against the endpoint.
func (s *State) Healthy() bool { return s.down.Load() == 0 }

// Down returns the reasons against the endpoint, a set of the constants above.
func (s *State) Down() uint32 { return s.down.Load() }

// SetDown adds or removes a reason and tells whether that changed anything. Control plane only.
func (s *State) SetDown(reason uint32, on bool) (changed bool) {
	before := s.down.Load()
	after := before &^ reason
	if on {
		after = before | reason
	}
	s.down.Store(after)
	return before != after
}

// Since is the time in Unix nanoseconds at which the endpoint became healthy, 0 when it has been from the beginning.
// Slow start counts from it.
func (s *State) Since() int64 { return s.since.Load() }

// SetSince is for the control plane.
func (s *State) SetSince(ns int64) { s.since.Store(ns) }

// Outcome is how one attempt ended, as far as the endpoint is to be judged by it.
type Outcome uint8

// Outcomes.
const (
	// Success is any response below 500.
	Success Outcome = iota
	// ServerError is a response of 5xx other than those of GatewayError.
	ServerError
	// GatewayError is a response of 502, 503 or 504, and no response at all: reset, timeout, broken protocol.
	GatewayError
	// ConnectError is a connection that was refused or took too long.
	ConnectError
)

// Consecutive are the failures in a row: of any kind, of the gateway kinds, of connecting.
type Consecutive struct{ Server, Gateway, Connect uint32 }

// Count counts an outcome and returns the failures in a row that result. Success costs three loads as long as nothing had failed.
func (s *State) Count(o Outcome) Consecutive {
	switch o {
	case Success:
		clear0(&s.server)
		clear0(&s.gateway)
		clear0(&s.connect)
		return Consecutive{}
	case ServerError:
		clear0(&s.gateway)
		clear0(&s.connect)
		return Consecutive{Server: s.server.Add(1)}
	case GatewayError:
		clear0(&s.connect)
		return Consecutive{Server: s.server.Add(1), Gateway: s.gateway.Add(1)}
	default:
		return Consecutive{Server: s.server.Add(1), Gateway: s.gateway.Add(1), Connect: s.connect.Add(1)}
	}
}

// Consecutive returns the failures in a row now.
func (s *State) Consecutive() Consecutive {
	return Consecutive{s.server.Load(), s.gateway.Load(), s.connect.Load()}
}

// Forgive forgets the failures in a row: the endpoint gets a new chance.
func (s *State) Forgive() {
	s.server.Store(0)
	s.gateway.Store(0)
	s.connect.Store(0)
}

// clear0 stores only when there is something to store: a store would take the cache line away from the other workers.
func clear0(v *atomic.Uint32) {
	if v.Load() != 0 {
		v.Store(0)
	}
}
