package tlsrec

import (
	"crypto/tls"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNoAllocations: neither sealing nor opening a record allocates, nor does the sizer's splitting.
func TestNoAllocations(t *testing.T) {
	for _, id := range suiteIDs {
		t.Run(tls.CipherSuiteName(id), func(t *testing.T) {
			s, c := bare13(t, id)
			c.sizer = Sizer{Small: 1000, After: 1 << 30}
			content := payload(5000)
			buf := make([]byte, 0, c.SealedLen(len(content)))
			n := testing.AllocsPerRun(100, func() {
				out, err := c.Seal(buf, content)
				if err != nil {
					panic(err)
				}
				total := 0
				for len(out) > 0 {
					n, ev, err := s.Receive(out)
					if err != nil || ev.Kind != Data {
						panic("no data")
					}
					total += len(ev.Data)
					out = out[n:]
				}
				if _, ev, err := s.Receive(out); err != nil || ev.Kind != NeedMore {
					panic("more data")
				}
				if total != len(content) {
					panic("lost data")
				}
			})
			assert.Zero(t, n)
		})
	}
}

// TestIdleConnectionIsSmall: what a connection holds while nothing happens, with the Go heap as the judge. The two AEADs
// are most of it.
func TestIdleConnectionIsSmall(t *testing.T) {
	server, client := serverConfig(), clientConfig()
	const n = 100
	conns := make([]*Conn, 0, n)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	pair(t, server, client) // what is made once
	before := heap()
	for range n {
		s, c, _ := pair(t, server, client)
		c.Close()
		conns = append(conns, s)
	}
	each := (int64(heap()) - int64(before)) / n
	t.Logf("%d bytes each", each)
	assert.Less(t, each, int64(8<<10))
	for _, s := range conns {
		require.Nil(t, s.hs)
		require.Zero(t, cap(s.pending))
	}
}
