//go:build unix

package origin

import "golang.org/x/sys/unix"

// closeFD closes listening descriptors that no loop has taken over.
func closeFD(fds ...int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
