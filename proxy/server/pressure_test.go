package server

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bulk is how much the back-pressure tests move.
func bulk() int64 {
	if testing.Short() {
		return 16 << 20
	}
	return 256 << 20
}

// held is the most that the buffers of the gateway may hold for one slow exchange: the high-water mark, what was taken in before the
// source noticed, and heads.
const held = 4 << 20

// watch samples the buffers of the gateway's only worker while f runs, and returns the largest value seen.
func (g *gateway) watch(f func()) (most int64) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	w := g.s.workers[0]
	for {
		sample := make(chan int64, 1)
		if !w.Post(func() { sample <- w.BufferBytes() }) {
			<-done
			return most
		}
		most = max(most, <-sample)
		select {
		case <-done:
			return most
		case <-time.After(200 * time.Microsecond):
		}
	}
}

// pattern is cheap to make and to check at any offset: the same block over and over, with its number at the front.
type pattern struct {
	block []byte
	n     uint64
}

func newPattern() *pattern {
	b := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return &pattern{block: b}
}

func (p *pattern) next() []byte {
	copy(p.block, fmt.Sprintf("%016x", p.n))
	p.n++
	return p.block
}

// write writes total bytes.
func (p *pattern) write(w io.Writer, total int64) error {
	for total > 0 {
		b := p.next()
		b = b[:min(int64(len(b)), total)]
		if _, err := w.Write(b); err != nil {
			return err
		}
		total -= int64(len(b))
	}
	return nil
}

// sum is the hash of total bytes of the pattern.
func sum(total int64) [32]byte {
	h := sha256.New()
	_ = newPattern().write(h, total)
	return [32]byte(h.Sum(nil))
}

// hashSlowly reads nothing until full says that everything between is full, and then everything.
func hashSlowly(r io.Reader, full func() bool) (n int64, s [32]byte, err error) {
	h := sha256.New()
	for !full() {
	}
	n, err = io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return n, [32]byte(h.Sum(nil)), err
}

// settled returns a function that tells when a metric has stopped growing.
func (g *gateway) settled(name string, least float64) func() bool {
	last := -1.0
	same := 0
	return func() bool {
		v := g.metric(name)
		if v == last && v >= least {
			same++
		} else {
			same = 0
		}
		last = v
		return same > 20
	}
}

func TestSlowClientHoldsTheEndpointBack(t *testing.T) {
	for name, framing := range map[string]string{"length": "", "chunked": "chunked", "until close": "close"} {
		t.Run(name, func(t *testing.T) {
			carriers(t, func(t *testing.T, engine string) {
				total := bulk() / 16
				if framing == "" {
					total = bulk()
				}
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}})
				c := g.dial()
				c.send(get("/"))
				p := o.accept()
				p.head()
				var failed error
				wrote := make(chan struct{})
				go func() {
					defer close(wrote)
					defer p.Close()
					switch framing {
					case "":
						p.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.FormatInt(total, 10) + "\r\n\r\n")
						failed = newPattern().write(p, total)
					case "close":
						p.send("HTTP/1.1 200 OK\r\n\r\n")
						failed = newPattern().write(p, total)
					case "chunked":
						p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
						failed = newPattern().write(chunker{p}, total)
						p.send("0\r\n\r\n")
					}
				}()
				var n int64
				var got [32]byte
				var err error
				most := g.watch(func() {
					r := c.head("GET")
					n, got, err = hashSlowly(r.Body, g.settled("blitz_upstream_received_bytes_total", 512<<10))
				})
				<-wrote
				require.NoError(t, failed)
				require.NoError(t, err)
				require.Equal(t, total, n)
				require.Equal(t, sum(total), got)
				require.Less(t, most, int64(held))
				require.Greater(t, most, int64(128<<10), "the watch saw nothing")
				c.Close()
			})
		})
	}
}

// chunker writes each piece as a chunk.
type chunker struct{ w io.Writer }

func (c chunker) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(c.w, "%x\r\n", len(p)); err != nil {
		return 0, err
	}
	n, err := c.w.Write(p)
	if err == nil {
		_, err = io.WriteString(c.w, "\r\n")
	}
	return n, err
}

func TestSlowEndpointHoldsTheClientBack(t *testing.T) {
	for name, chunked := range map[string]bool{"length": false, "chunked": true} {
		t.Run(name, func(t *testing.T) {
			carriers(t, func(t *testing.T, engine string) {
				total := bulk() / 16
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}})
				c := g.dial()
				var failed error
				wrote := make(chan struct{})
				go func() {
					defer close(wrote)
					if chunked {
						c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
						failed = newPattern().write(chunker{c}, total)
						c.send("0\r\n\r\n")
						return
					}
					c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.FormatInt(total, 10) + "\r\n\r\n")
					failed = newPattern().write(c, total)
				}()
				p := o.accept()
				var n int64
				var got [32]byte
				most := g.watch(func() {
					r, err := http.ReadRequest(p.br)
					if err == nil {
						n, got, err = hashSlowly(r.Body, g.settled("blitz_downstream_received_bytes_total", 512<<10))
					}
					if err != nil {
						t.Error(err)
					}
				})
				<-wrote
				require.NoError(t, failed)
				require.Equal(t, total, n)
				require.Equal(t, sum(total), got)
				require.Less(t, most, int64(held))
				p.send(ok("thanks"))
				require.Equal(t, "thanks", c.response("POST").Text)
				c.Close()
			})
		})
	}
}

// The echo is both at once: a client that does not read its own body back is not read from either.
func TestEchoHoldsBackItsClient(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		total := bulk() / 16
		g := gate(t, engine, setup{})
		c := g.dial()
		go func() {
			_, _ = io.WriteString(c, "POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.FormatInt(total, 10)+"\r\n\r\n")
			_ = newPattern().write(c, total)
		}()
		var n int64
		var got [32]byte
		var err error
		most := g.watch(func() {
			r := c.head("POST")
			n, got, err = hashSlowly(r.Body, g.settled("blitz_downstream_received_bytes_total", 512<<10))
		})
		require.NoError(t, err)
		require.Equal(t, total, n)
		require.Equal(t, sum(total), got)
		require.Less(t, most, int64(held))
		c.Close()
	})
}

// A client that asks and asks without reading the answers is not answered without end.
func TestPipelinedRequestsAreHeldBackByUnreadAnswers(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		const requests = 800
		body := strings.Repeat("x", 32<<10)
		g := gate(t, engine, setup{routes: "  - {match: {path: /big}, respond: {body: \"" + body + "\"}}\n"})
		c := g.dial()
		go func() {
			_, _ = io.WriteString(c, strings.Repeat(get("/big"), requests))
			_ = c.CloseWrite()
		}()
		most := g.watch(func() {
			full := g.settled("blitz_requests_total", 8)
			for !full() {
			}
			for range requests {
				r := c.response("GET")
				if r.Text != body {
					t.Error("wrong body")
				}
			}
			c.closed()
		})
		require.Less(t, most, int64(held))
		require.Len(t, g.log(), requests)
	})
}

// Megabytes of requests behind one slow answer: they wait, and every one is answered.
func TestManyRequestsBehindASlowOne(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		const requests = 3000
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		one := get("/hello", "X-Long: "+strings.Repeat("y", 1400))
		go func() { _, _ = io.WriteString(c, get("/slow")+strings.Repeat(one, requests)) }()
		p := o.accept()
		p.head()
		full := g.settled("blitz_downstream_received_bytes_total", 1)
		for !full() {
		}
		p.send(ok("slow"))
		require.Equal(t, "slow", c.response("GET").Text)
		for range requests {
			require.Equal(t, "hello\n", c.response("GET").Text)
		}
		c.Close()
	})
}
