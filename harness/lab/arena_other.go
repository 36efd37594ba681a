//go:build !linux

package lab

import (
	"context"
	"net"

	"github.com/blitz-gateway/blitz/harness/proc"
)

const farAddr = "127.0.0.1"

func (l *Lab) newArena(context.Context) (*arena, error) {
	return &arena{missing: "network namespaces need Linux"}, nil
}

func enter(int) []string { return nil }

func (a *arena) cut(bool) error { return nil }

func dialIn(context.Context, *net.Dialer, int, string) (net.Conn, error) {
	return nil, proc.ErrUnsupported
}
