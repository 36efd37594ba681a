package server

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an idle connection of HTTP/2 costs in Go's heap and stacks after a request was answered and one was proxied, the client's socket in this process
// included; pools hold nothing for it. BLITZ_IDLE_CONNECTIONS sets the number, for which there must be descriptors.
func TestIdleH2ConnectionsAreSmall(t *testing.T) {
	n := 300
	if s := os.Getenv("BLITZ_IDLE_CONNECTIONS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, way := range []string{"uring", "epoll", "uring" + byTLS, "epoll" + byTLS} {
		t.Run(way, func(t *testing.T) {
			g := gate(t, way, setup{endpoints: []string{quietOrigin(t)}})
			conns := make([]net.Conn, 0, n)
			open := func() {
				c := g.dialH2()
				for i, path := range []string{"/hello", "/proxied"} {
					id := uint32(1 + 2*i)
					c.headers(id, true, "GET", path, "user-agent", "a client with fields of some length", "accept", "text/html,application/xhtml+xml", "accept-language", "en")
					require.Equal(t, "200", c.read(id).fields[":status"])
				}
				conns = append(conns, c.TCPConn)
			}
			use := func() int64 {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc + m.StackInuse)
			}
			for range 20 {
				open()
			}
			before := use()
			for range n {
				open()
			}
			each := (use() - before) / int64(n)
			t.Logf("%d bytes each", each)
			require.Less(t, each, int64(8<<10))
			held := make(chan int64, 1)
			require.True(t, g.s.workers[0].Post(func() { held <- g.s.workers[0].BufferBytes() }))
			require.Zero(t, <-held, "buffers that idle connections hold")
			for _, c := range conns {
				c.Close()
			}
		})
	}
}
