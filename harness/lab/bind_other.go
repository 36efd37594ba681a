//go:build !linux

package lab

import "syscall"

func bindAddressOnly(_, _ string, _ syscall.RawConn) error { return nil }
