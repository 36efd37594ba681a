package server

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// At max_connections the kernel's queue holds the rest, which get their turn.
func TestConnectionLimitLetsTheRestWait(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "max_connections: 2"})
		first, second := g.dial(), g.dial()
		require.Equal(t, 200, first.ask(get("/hello")).StatusCode)
		require.Equal(t, 200, second.ask(get("/hello")).StatusCode)
		waiting := g.dial()
		waiting.send(get("/hello"))
		require.Equal(t, 200, first.ask(get("/hello")).StatusCode)
		require.EqualValues(t, 2, g.metric("blitz_downstream_connections_active"))
		first.Close()
		require.Equal(t, "hello\n", waiting.response("GET").Text)
		second.Close()
		waiting.Close()
	})
}

// A head at the limit passes and one byte more does not, in one piece and in many.
func TestHeadSizeIsExact(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		const limit = 32 << 10
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		fields := func(size int) string {
			base := get("/", "X-Pad: ")
			return get("/", "X-Pad: "+strings.Repeat("p", size-len(base)))
		}
		for _, piece := range []int{limit + 1, 1000} {
			c := g.dial()
			head := fields(limit)
			require.Len(t, head, limit)
			for len(head) > 0 {
				n := min(piece, len(head))
				c.send(head[:n])
				head = head[n:]
			}
			p := o.accept()
			r, _ := p.request()
			require.Greater(t, len(r.Header.Get("X-Pad")), limit-100)
			p.send(ok("fits", "Connection: close"))
			require.Equal(t, "fits", c.response("GET").Text)
			c.send(fields(limit + 1))
			require.Equal(t, 431, c.response("GET").StatusCode)
			c.closed()
		}
	})
}

// A large response head passes, too.
func TestLargeResponseHead(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send(get("/"))
		p := o.accept()
		p.head()
		value := strings.Repeat("v", 30_000)
		head := "HTTP/1.1 200 OK\r\nX-Large: " + value + "\r\nContent-Length: 4\r\n\r\nbody"
		for len(head) > 0 {
			n := min(5000, len(head))
			p.send(head[:n])
			head = head[n:]
		}
		r := c.response("GET")
		require.Equal(t, value, r.Header.Get("X-Large"))
		require.Equal(t, "body", r.Text)
		c.Close()
	})
}

func TestUnixSockets(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		dir, err := os.MkdirTemp("", "blitz") //nolint:usetesting // short: a socket's path has 108 bytes
		require.NoError(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		back, front := filepath.Join(dir, "back"), filepath.Join(dir, "front")
		ln, err := net.Listen("unix", back)
		require.NoError(t, err)
		defer ln.Close()
		answered := make(chan string, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			_, _ = io.WriteString(c, ok("by socket"))
			answered <- string(b[:n])
			_, _ = io.Copy(io.Discard, c)
		}()
		conf, err := config.Parse("test.yaml", []byte("workers: {count: 2, engine: "+engine+"}\nlisteners:\n  - {address: 'unix:"+front+"'}\nclusters:\n  - {name: up, endpoints: [{address: 'unix:"+back+"'}]}\nroutes:\n  - {cluster: up}\n"))
		require.NoError(t, err)
		snap, err := snapshot.Build(conf, 1)
		require.NoError(t, err)
		s, err := Start(snap, "test")
		require.NoError(t, err)
		c, err := net.Dial("unix", front)
		require.NoError(t, err)
		_, err = io.WriteString(c, get("/x", "Connection: close"))
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(b), "by socket"))
		require.Contains(t, <-answered, "x-forwarded-for: unknown\r\n")
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.Zero(t, s.Drain(ctx))
	})
}

// Several workers share one port: every connection is answered, by whichever worker got it, and all of them drain.
func TestSeveralWorkers(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		addr := named(t, "origin")
		conf, err := config.Parse("test.yaml", []byte("workers: {count: 3, engine: "+engine+"}\nlisteners:\n  - {address: 127.0.0.1:0}\nclusters:\n  - {name: up, endpoints: [{address: "+addr+"}]}\nroutes:\n  - {cluster: up}\n"))
		require.NoError(t, err)
		snap, err := snapshot.Build(conf, 1)
		require.NoError(t, err)
		s, err := Start(snap, "test")
		require.NoError(t, err)
		var clients []*client
		for range 24 {
			c := dial(t, s.Addrs()[0].TCP.String())
			require.Equal(t, "origin", c.ask(get("/")).Text)
			clients = append(clients, c)
		}
		done := make(chan int)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			done <- s.Drain(ctx)
		}()
		for _, c := range clients {
			c.closed()
		}
		require.Zero(t, <-done)
		total := uint64(0)
		for _, w := range s.published {
			total += w.Counters.RequestsTotal
		}
		require.EqualValues(t, 24, total)
	})
}

func TestStartSaysWhyItFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	conf, err := config.Parse("test.yaml", []byte("listeners:\n  - {name: edge, address: 127.0.0.1:"+strconv.Itoa(port)+"}\nroutes:\n  - {respond: {body: x}}\n"))
	require.NoError(t, err)
	snap, err := snapshot.Build(conf, 1)
	require.NoError(t, err)
	_, err = Start(snap, "test")
	require.ErrorContains(t, err, "listener edge: ")
	require.ErrorContains(t, err, "address already in use")

	conf, err = config.Parse("test.yaml", []byte("access_log: {path: /nonexistent/dir/log}\nlisteners:\n  - {address: 127.0.0.1:0}\nroutes:\n  - {respond: {body: x}}\n"))
	require.NoError(t, err)
	snap, err = snapshot.Build(conf, 1)
	require.NoError(t, err)
	_, err = Start(snap, "test")
	require.ErrorContains(t, err, "access log: ")
}

// A slow client that keeps sending after its last response has begun neither loses it nor makes the gateway keep what it sends.
func TestLastResponseSurvivesFurtherInput(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		body := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		require.NoError(t, c.SetReadBuffer(64<<10))
		c.send(get("/", "Connection: close"))
		p := o.accept()
		p.head()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.WriteString(c, strings.Repeat(get("/more"), 20_000))
		}()
		eventually(t, "some of it has arrived", func() bool { return g.metric("blitz_downstream_received_bytes_total") > 1000 })
		p.send(ok(body))
		full := g.settled("blitz_downstream_sent_bytes_total", 1)
		for !full() {
		}
		r := c.response("GET")
		require.NoError(t, r.Err)
		require.Len(t, r.Text, len(body))
		require.Equal(t, body, r.Text)
		c.Close()
		<-sent
	})
}

// The same when the client speaks up only after the kernel has all of the response, which it still holds for the most part.
func TestLastResponseSurvivesLateInput(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		body := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB, more than the client's buffer and less than the gateway's
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		require.NoError(t, c.SetReadBuffer(64<<10))
		c.send(get("/", "Connection: close"))
		p := o.accept()
		p.head()
		p.send(ok(body))
		eventually(t, "all of it is sent", func() bool { return g.metric("blitz_downstream_sent_bytes_total") > float64(len(body)) })
		c.send(get("/more"))
		r := c.response("GET")
		require.NoError(t, r.Err)
		require.Equal(t, body, r.Text)
		c.Close()
	})
}
