package server

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// A request over HTTP/2 costs no allocation, neither answered here nor proxied. The client speaks frames that were made beforehand and counts the ends of
// streams.
func TestH2RequestsAllocateNothing(t *testing.T) {
	const batch, warmUp, batches = 16, 200, 400
	for _, engine := range []string{"uring", "epoll"} {
		for _, x := range []struct{ name, path, cluster string }{
			{"static", "/hello", ""},
			{"proxied", "/proxied", "max_connections: 1"},
			{"proxied to h2", "/proxied", "protocol: h2"},
			{"rewritten", "/users/7/x?q=1", "max_connections: 1"},
			{"rewritten, proxied to h2", "/users/7/x?q=1", "protocol: h2"},
		} {
			t.Run(engine+"/"+x.name, func(t *testing.T) {
				path, origin := x.path, quietOrigin
				if x.cluster == "protocol: h2" {
					origin = quietH2Origin
				}
				g := gate(t, engine, setup{endpoints: []string{origin(t)}, cluster: x.cluster, routes: allocRoutes, top: "tracing: {request_id: true, trace_context: true}\n"})
				c := g.dialH2()
				conn, err := c.TCPConn, error(nil)
				require.NoError(t, c.f.WriteWindowUpdate(0, 1<<30))
				block := bytes.Clone(c.block("GET", path, "user-agent", "test", "accept", "*/*"))
				var w bytes.Buffer
				f := http2.NewFramer(&w, nil)
				buf := make([]byte, 64<<10)
				have := 0
				id := uint32(1)
				one := func() bool {
					w.Reset()
					for range batch {
						_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: true})
						id += 2
					}
					if _, err = conn.Write(w.Bytes()); err != nil {
						return false
					}
					for ended := 0; ended < batch; {
						n, err := conn.Read(buf[have:])
						if err != nil {
							return false
						}
						have += n
						at := 0
						for have-at >= 9 {
							size := 9 + int(buf[at])<<16 + int(buf[at+1])<<8 + int(buf[at+2])
							if have-at < size {
								break
							}
							if kind := buf[at+3]; kind <= 1 && buf[at+4]&1 != 0 {
								ended++
							} else if kind == 3 || kind == 7 {
								return false
							}
							at += size
						}
						have = copy(buf, buf[at:have])
					}
					return true
				}
				// The first request with its literals; afterwards the block refers to the table.
				require.True(t, one())
				block = bytes.Clone(c.block("GET", path, "user-agent", "test", "accept", "*/*"))
				for range warmUp {
					require.True(t, one())
				}
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				worked := true
				for range batches {
					worked = worked && one()
				}
				runtime.ReadMemStats(&after)
				require.True(t, worked)
				per := float64(after.Mallocs-before.Mallocs) / float64(batches*batch)
				require.Less(t, per, allocationsAllowed(x.name), "allocations per request")
				c.Close()
				g.end()
				n := g.counters()
				require.EqualValues(t, (batches+warmUp+1)*batch, n.RequestsTotal)
				if x.cluster != "" { // all of them got that far
					require.EqualValues(t, n.RequestsTotal, max(n.UpstreamStreams, n.UpstreamConnects+n.UpstreamReuses))
				}
			})
		}
	}
}
