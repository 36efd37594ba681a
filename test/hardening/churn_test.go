//go:build linux

package hardening

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/proxy/worker"
	"github.com/stretchr/testify/require"
)

// churnTime is how long a test goes on, on both engines together; the environment says more for the full minute.
func churnTime(t *testing.T) time.Duration {
	s := os.Getenv("BLITZ_CHURN")
	if s == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(s)
	require.NoError(t, err, "BLITZ_CHURN")
	return d
}

const churnConfig = `
listeners:
  - name: plain
    address: 127.0.0.1:0
    timeouts: {header: 1s, idle: 1s, body_idle: 1s}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
    timeouts: {connect: 1s, first_byte: 1s, idle: 1s, keepalive: 1s}
    max_connections: 64
routes:
  - {match: {path: /*}, cluster: app, allow_upgrade: true}
  - {match: {path: /echo/*}, echo: true}
  - {match: {path: /local/*}, respond: {body: "local\n"}}
`

// churner is an upstream that is as unreliable as its clients.
func churner(seed uint64) func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
	var n atomic.Uint64
	return func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
		rnd := rand.New(rand.NewPCG(seed, n.Add(1)))
		for {
			c.SetDeadline(time.Now().Add(3 * time.Second))
			q, err := readRequest(r, func() { io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") })
			if err != nil {
				return
			}
			if strings.Contains(q.line, "/ws") {
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				io.CopyN(c, r, rnd.Int64N(100<<10))
				return
			}
			size := rnd.IntN(3000)
			if rnd.IntN(10) == 0 {
				size = rnd.IntN(2 << 20)
			}
			body := strings.Repeat("x", size)
			switch rnd.IntN(12) {
			case 0:
				return
			case 1:
				c.(*net.TCPConn).SetLinger(0)
				return
			case 2:
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size+1, body)
				return
			case 3:
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n\r\n%s", body)
				return
			case 4:
				select {
				case <-stop:
				case <-time.After(time.Duration(rnd.IntN(1500)) * time.Millisecond):
				}
			case 5, 6:
				if size > 0 {
					fmt.Fprintf(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX: y\r\n\r\n", size, body)
					continue
				}
			}
			if strings.HasPrefix(q.line, "HEAD ") {
				body = ""
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, body)
		}
	}
}

// churn opens one connection, does something with it, and leaves in some way. Errors are what it is about: none is reported.
func churn(addr string, rnd *rand.Rand) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return
	}
	defer c.Close()
	conn := c.(*net.TCPConn)
	conn.SetDeadline(time.Now().Add(time.Duration(20+rnd.IntN(600)) * time.Millisecond))
	paths := []string{"/a", "/b", "/echo/", "/local/x", "/none", "/../x"}
	var out strings.Builder
	for range 1 + rnd.IntN(4) {
		path := paths[rnd.IntN(len(paths))]
		size := rnd.IntN(5000)
		if rnd.IntN(8) == 0 {
			size = rnd.IntN(2 << 20)
		}
		switch rnd.IntN(8) {
		case 0, 1, 2:
			fmt.Fprintf(&out, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		case 3:
			fmt.Fprintf(&out, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", path, size, strings.Repeat("y", size))
		case 4:
			fmt.Fprintf(&out, "POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, size+1, strings.Repeat("y", size+1))
		case 5:
			fmt.Fprintf(&out, "HEAD %s HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", path)
		case 6:
			fmt.Fprintf(&out, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n%s", strings.Repeat("w", size))
		case 7:
			fmt.Fprintf(&out, "POST %s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", path, size)
		}
	}
	text := out.String()
	if rnd.IntN(4) == 0 {
		text = text[:rnd.IntN(len(text))]
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		if rnd := rand.New(rand.NewPCG(uint64(len(text)), 0)); rnd.IntN(4) == 0 { // dribble
			for len(text) > 0 {
				n := min(1+rnd.IntN(50), len(text))
				if _, err := io.WriteString(conn, text[:n]); err != nil || len(text) > 4000 && rnd.IntN(100) == 0 {
					return
				}
				text = text[n:]
			}
			return
		}
		io.WriteString(conn, text)
	})
	switch rnd.IntN(6) {
	case 0: // leave at once
	case 1:
		conn.SetLinger(0)
	case 2: // read a little and leave
		io.CopyN(io.Discard, conn, rnd.Int64N(10<<10))
		conn.SetLinger(rnd.IntN(2) - 1)
	case 3: // half-close when all is said
		writer.Wait()
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	case 4: // read slowly
		conn.SetReadBuffer(4 << 10)
		io.CopyN(io.Discard, conn, rnd.Int64N(100<<10))
		conn.SetDeadline(time.Now().Add(time.Duration(rnd.IntN(300)) * time.Millisecond))
		io.Copy(io.Discard, conn)
	default:
		io.CopyN(io.Discard, conn, rnd.Int64N(3<<20))
	}
	conn.Close()
	writer.Wait()
}

// openFiles counts the descriptors of this process.
func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// residentKiB is the memory of this process that is in RAM.
func residentKiB(t *testing.T) int {
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// settle waits until get returns what is wanted, and returns what it returned last.
func settle(get func() bool) bool {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if get() {
			return true
		}
	}
	return get()
}

// Clients and upstreams come, misbehave and go. When all have left, so has everything that was held for them.
func TestChurnLeavesNothing(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		churnLeavesNothing(t, start(t, engine, churnConfig, scripted(t, churner(seed))), seed, churnTime(t)/2, churn)
	})
}

// churnLeavesNothing lets clients do as churn does for some time, and then looks for what they have left behind.
func churnLeavesNothing(t *testing.T, g gateway, seed uint64, d time.Duration, churn func(addr string, rnd *rand.Rand)) {
	var connections atomic.Int64
	run := func(clients int, d time.Duration) {
		var all sync.WaitGroup
		stop := time.Now().Add(d)
		for i := range clients {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(i)))
				for time.Now().Before(stop) {
					churn(g.addr(0), rnd)
					connections.Add(1)
				}
			})
		}
		all.Wait()
	}
	run(100, 200*time.Millisecond) // what is allocated once is there
	var usage worker.Usage
	idle := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		usage = g.Usage(ctx)
		return usage == worker.Usage{}
	}
	require.True(t, settle(idle), "before: %+v", usage)
	files, routines, memory := openFiles(t), runtime.NumGoroutine(), residentKiB(t)

	connections.Store(0)
	run(150, d)
	t.Logf("%d connections", connections.Load())
	require.Greater(t, connections.Load(), int64(100))

	require.True(t, settle(idle), "the worker still holds %+v", usage)
	require.True(t, settle(func() bool { return openFiles(t) <= files }), "%d descriptors, %d before", openFiles(t), files)
	require.True(t, settle(func() bool { return runtime.NumGoroutine() <= routines }), "%d goroutines, %d before", runtime.NumGoroutine(), routines)
	// The worker gives unused buffers back within some seconds. What this process itself needed is in the figure, too.
	const slack = 24 << 10
	if memoryIsOurs {
		require.True(t, settle(func() bool { return residentKiB(t) <= memory+slack }), "%d KiB resident, %d before", residentKiB(t), memory)
	}
	require.NoError(t, g.Err())
}
