package server

import (
	"bytes"
	"crypto/tls"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// quietTLS is a TLS client that allocates nothing once it is connected: our own record layer over a blocking socket.
type quietTLS struct {
	conn    net.Conn
	t       *tlsrec.Conn
	in, out []byte
	n       int // bytes in in
}

func dialQuietTLS(t *testing.T, addr string) *quietTLS {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	q := &quietTLS{conn: conn, t: tlsrec.Client(anyCert(), tlsrec.Options{}), in: make([]byte, 64<<10), out: make([]byte, 0, 64<<10)}
	for q.t.State() == nil {
		k, _, err := q.t.Receive(q.in[:q.n])
		require.NoError(t, err)
		q.n = copy(q.in, q.in[k:q.n])
		if q.t.Pending() > 0 {
			_, err = conn.Write(q.t.AppendPending(nil))
			require.NoError(t, err)
		}
		if q.t.State() == nil {
			k, err := conn.Read(q.in[q.n:])
			require.NoError(t, err)
			q.n += k
		}
	}
	return q
}

// ask sends a request and reads content until size bytes have come, or until it ends with end when size is 0. It returns the size, 0 when
// something is wrong.
func (q *quietTLS) ask(request, end []byte, size int, got []byte) int {
	out, err := q.t.Seal(q.out[:0], request)
	if err != nil {
		return 0
	}
	if _, err := q.conn.Write(out); err != nil {
		return 0
	}
	have := 0
	for {
		n, ev, err := q.t.Receive(q.in[:q.n])
		if err != nil {
			return 0
		}
		if ev.Kind == tlsrec.Data {
			have += copy(got[have:], ev.Data)
		}
		q.n = copy(q.in, q.in[n:q.n])
		if ev.Kind == tlsrec.Data {
			if size > 0 && have >= size || size == 0 && bytes.HasSuffix(got[:have], end) {
				return have
			}
			continue
		}
		k, err := q.conn.Read(q.in[q.n:])
		if err != nil {
			return 0
		}
		q.n += k
	}
}

// A request over TLS costs no allocation either.
func TestTLSRequestsAllocateNothing(t *testing.T) {
	const warmUp, requests, allowed = 500, 5000, 0.01
	for _, engine := range []string{"uring", "epoll"} {
		for _, x := range []struct{ name, request, end, log, line string }{
			{"static", get("/hello", "User-Agent: test"), "hello\n", "", `"tls":"TLSv1.3"`},
			{"static and chosen fields", get("/hello", "User-Agent: test"), "hello\n", "fields: [path, sni, cipher, alpn, tls]",
				`^\{"path":"/hello","sni":"site.test","cipher":"TLS_AES_\w+","alpn":"http/1.1","tls":"TLSv1.3"\}$`},
			{"proxied and text", get("/proxied", "User-Agent: test"), "proxied", "format: text, fields: [tls, path, cipher, alpn, sni]",
				`^"TLSv1.3" "/proxied" "TLS_AES_\w+" "http/1.1" "site.test"$`},
		} {
			t.Run(engine+"/"+x.name, func(t *testing.T) {
				a := newIssuer(t)
				g := gate(t, engine, setup{endpoints: []string{quietOrigin(t)}, listener: "tls: {" + a.certificates("site.test") + "}", log: x.log})
				q := dialQuietTLS(t, g.addr)
				got := make([]byte, 4096)
				size := q.ask([]byte(x.request), []byte(x.end), 0, got)
				require.NotZero(t, size)
				one, end := []byte(x.request), []byte(x.end)
				run := func(n int) bool {
					for range n {
						if q.ask(one, end, size, got) != size {
							return false
						}
					}
					return true
				}
				require.True(t, run(warmUp))
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				worked := run(requests)
				runtime.ReadMemStats(&after)
				require.True(t, worked)
				require.Less(t, float64(after.Mallocs-before.Mallocs)/requests, allowed, "allocations per request")
				q.conn.Close()
				g.end()
				log, err := os.ReadFile(g.logPath)
				require.NoError(t, err)
				first, _, _ := bytes.Cut(log, []byte("\n"))
				require.Regexp(t, x.line, string(first))
			})
		}
	}
}

// What an idle TLS connection costs in Go's heap and stacks, the client's socket in this process included; pools hold nothing for it.
// BLITZ_IDLE_CONNECTIONS sets the number, for which there must be descriptors.
func TestIdleTLSConnectionsAreSmall(t *testing.T) {
	n := 400
	if s := os.Getenv("BLITZ_IDLE_CONNECTIONS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			a := newIssuer(t)
			g := gate(t, engine, setup{listener: "tls: {" + a.certificates("site.test") + "}"})
			conns := make([]net.Conn, 0, n)
			open := func() {
				raw, err := net.Dial("tcp", g.addr)
				require.NoError(t, err)
				conns = append(conns, raw)
				c := tls.Client(raw, anyCert())
				_, err = c.Write([]byte(get("/hello")))
				require.NoError(t, err)
				_, err = c.Read(make([]byte, 1000))
				require.NoError(t, err)
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
			require.Zero(t, <-held, "a buffer that an idle connection holds")
			require.EqualValues(t, n+20, g.metric("blitz_downstream_tls_connections_active"))
			for _, c := range conns {
				c.Close()
			}
		})
	}
}

// The client may change its keys at any time, and ask for ours to be changed (RFC 8446 section 4.6.3).
func TestKeyUpdateBothWays(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		g := gate(t, engine, setup{listener: "tls: {" + a.certificates("site.test") + "}"})
		q := dialQuietTLS(t, g.addr)
		got := make([]byte, 4096)
		for i := range 20 {
			require.NoError(t, q.t.UpdateKeys(i%2 == 0))
			require.NotZero(t, q.ask([]byte(get("/hello")), []byte("hello\n"), 0, got))
		}
		q.conn.Close()
	})
}
