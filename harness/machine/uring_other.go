//go:build !linux

package machine

import "errors"

// ProbeUring says that io_uring is Linux's.
func ProbeUring() error { return errors.New("io_uring exists on Linux only") }
