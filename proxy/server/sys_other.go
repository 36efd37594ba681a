//go:build !linux

package server

import "github.com/blitz-gateway/blitz/internal/loop"

func pin(int) error { return loop.ErrUnsupported }

func closeFD(int) {}

func dup(int) (int, error) { return -1, loop.ErrUnsupported }
