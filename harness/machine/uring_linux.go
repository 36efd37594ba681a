package machine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProbeUring creates a ring of one entry and closes it again: nil means io_uring may be used here.
func ProbeUring() error {
	var params [120]byte // struct io_uring_params, all zero
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return fmt.Errorf("io_uring_setup: %w", errno)
	}
	return unix.Close(int(fd))
}
