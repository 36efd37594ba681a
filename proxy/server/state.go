package server

import (
	"os"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// Snapshot is what a Server runs.
type Snapshot = snapshot.Snapshot

// State of a process, as /readyz shows it.
type State string

// States.
const (
	Ready    State = "ready"
	Draining State = "draining"
)

// process describes this one.
func (s *Server) process() Process {
	return Process{PID: os.Getpid(), Version: s.version, Generation: s.snap.Load().Generation}
}

// State of this process.
func (s *Server) State() State {
	if s.ending.Load() {
		return Draining
	}
	return Ready
}
