package loop

import "golang.org/x/sys/unix"

func reserve(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	// A huge page per idle connection would be dear.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return b, nil
}

func unreserve(b []byte) { _ = unix.Munmap(b) }

// discard gives the pages of a buffer back. It must be made of whole pages.
func discard(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTNEED) }
