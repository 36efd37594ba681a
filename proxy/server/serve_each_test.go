package server

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveEach starts an endpoint that does one connection after the other, and closes it afterwards. It returns the endpoint's address.
func serveEach(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			do(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}
