package proc

import (
	"fmt"
	"syscall"
)

// Signals that a laboratory sends, so that its code compiles everywhere.
const (
	Kill     = syscall.SIGKILL
	Pause    = syscall.SIGSTOP
	Continue = syscall.SIGCONT
	Hangup   = syscall.SIGHUP
	User1    = syscall.SIGUSR1
	User2    = syscall.SIGUSR2
)

// Signal sends a signal to the leader.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%v to %s: %w", s, p.spec.Path, err)
	}
	return nil
}
