//go:build !linux

package proc

import "syscall"

// Signals that a laboratory sends, so that its code compiles everywhere.
const (
	Kill = syscall.Signal(iota)
	Pause
	Continue
	Hangup
	User1
	User2
)

// Signal needs Linux.
func (p *Process) Signal(syscall.Signal) error { return ErrUnsupported }
