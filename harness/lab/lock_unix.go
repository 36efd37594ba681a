//go:build unix

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock keeps two laboratories of one user from measuring each other: a bench, a gate, a proof. The kernel drops it with the process.
func Lock() (unlock func(), err error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("blitzlab-%d.lock", os.Getuid()))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another blitzlab is measuring on this machine")
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}
