//go:build !linux

package cpuset

import (
	"fmt"
	"runtime"
)

// Pin fails: only Linux has it.
func Pin(cpu int) error {
	return fmt.Errorf("pin a thread to CPU %d: not supported on %s", cpu, runtime.GOOS)
}
