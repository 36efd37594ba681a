//go:build linux

package hardening

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/loop/looptest"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/worker"
	"github.com/stretchr/testify/require"
)

const fakeConfig = `
listeners:
  - {name: plain, address: "127.0.0.1:8080"}
clusters:
  - name: app
    endpoints: [{address: "127.0.0.1:9000"}]
    timeouts: {keepalive: 1s, idle: 5s, first_byte: 5s}
    max_connections: 4
    protocol: PROTOCOL
routes:
  - {match: {path: /*}, cluster: app}
`

// fakeWorld is a whole worker on a scripted kernel, between clients and an upstream that the test plays. Nothing in it is left to chance but
// what follows from the seed.
type fakeWorld struct {
	k       *looptest.Kernel
	l       loop.Loop
	w       *worker.Worker
	rnd     *rand.Rand
	ln      *looptest.PeerListener
	servers []fakeParty
	clients []fakeParty
	resets  bool // connections may die, so that requests may fail
	h2      pairing
	moved   bool // bytes arrived somewhere
	err     error
}

// fakeParty is one end of a connection that the test plays.
type fakeParty interface {
	// turn goes on as far as it can.
	turn()
	// done tells whether it has nothing left to do, and how many requests it saw answered.
	done() (over bool, answered int)
}

type fakeServer struct {
	w    *fakeWorld
	peer *looptest.Peer
	acc  []byte
	over bool
}

type fakeClient struct {
	w      *fakeWorld
	peer   *looptest.Peer
	tags   []string
	sizes  []int
	bodies []int
	next   int
	acc    []byte
	over   bool
}

func newFakeWorld(t *testing.T, seed uint64, f looptest.Faults, resets bool, h2 pairing) *fakeWorld {
	w := &fakeWorld{k: looptest.NewKernel(seed, f), rnd: rand.New(rand.NewPCG(seed, 7)), resets: resets, h2: h2}
	w.k.Window = 8<<10 + w.rnd.IntN(64<<10)
	protocol := map[bool]string{false: "h1", true: "h2"}[h2.up]
	c, err := config.Parse("test.yaml", []byte(strings.Replace(fakeConfig, "PROTOCOL", protocol, 1)))
	require.NoError(t, err)
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	w.l, err = w.k.Loop(loop.Options{Entries: 8 << w.rnd.IntN(5), Buffers: 4 << w.rnd.IntN(5), BufferSize: loop.DefaultBufferSize})
	require.NoError(t, err)
	w.ln = w.k.Listen(loop.Addr{TCP: netip.MustParseAddrPort("127.0.0.1:9000")})
	fd := w.k.ListenFD(snap.Listeners[0].Address)
	w.w, err = worker.New(worker.Options{Loop: w.l, Snapshot: snap, Sockets: [][]int{{fd}}, Count: new(telemetry.Counters)})
	require.NoError(t, err)
	for i := range 1 + w.rnd.IntN(5) {
		p, err := w.k.Dial(snap.Listeners[0].Address)
		require.NoError(t, err)
		if h2.down {
			w.clients = append(w.clients, newFakeH2Client(w, p, fmt.Sprintf("s%dc%d", seed, i)))
			continue
		}
		c := &fakeClient{w: w, peer: p}
		for j := range 1 + w.rnd.IntN(6) {
			c.tags = append(c.tags, fmt.Sprintf("s%dc%dr%d", seed, i, j))
			c.sizes = append(c.sizes, w.size())
			c.bodies = append(c.bodies, w.size()*w.rnd.IntN(2)) // 0: GET
		}
		w.clients = append(w.clients, c)
		for j := range c.tags {
			p.Write(c.request(j, w.rnd))
		}
	}
	return w
}

// size is mostly small, now and then beyond every buffer.
func (w *fakeWorld) size() int {
	if w.rnd.IntN(12) == 0 {
		return w.rnd.IntN(300 << 10)
	}
	return w.rnd.IntN(2000)
}

func (c *fakeClient) request(j int, rnd *rand.Rand) []byte {
	target := fmt.Sprintf("/%s/%d HTTP/1.1\r\nHost: a\r\n", c.tags[j], c.sizes[j])
	n := c.bodies[j]
	body := fill(c.tags[j], n)
	switch {
	case n == 0:
		return []byte("GET " + target + "\r\n")
	case rnd.IntN(2) == 0:
		return []byte("POST " + target + "Content-Length: " + strconv.Itoa(n) + "\r\n\r\n" + body)
	}
	half := n / 2
	out := "POST " + target + "Transfer-Encoding: chunked\r\n\r\n"
	if half > 0 {
		out += fmt.Sprintf("%x\r\n%s\r\n", half, body[:half])
	}
	return []byte(out + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n-half, body[half:]))
}

// run goes on until every client is done. Time passes only when nothing else happens; a minute of it means that something hangs.
func (w *fakeWorld) run() error {
	for waited := time.Duration(0); waited < time.Minute; {
		if err := w.k.Settle(); err != nil {
			return err
		}
		w.moved = false
		if w.pump() {
			return w.err
		}
		if !w.moved {
			waited += time.Millisecond
			if err := w.k.Advance(time.Millisecond); err != nil {
				return err
			}
		}
	}
	for _, c := range w.clients {
		if over, n := c.done(); !over {
			return fmt.Errorf("after %d answers, the next does not come: %v", n, c)
		}
	}
	return nil
}

// read appends what has arrived at p, and tells whether anything did.
func (w *fakeWorld) read(p *looptest.Peer, acc *[]byte) bool {
	b := p.Read()
	*acc = append(*acc, b...)
	w.moved = w.moved || len(b) > 0
	return len(b) > 0 || p.End() != nil
}

// pump plays both sides as far as it goes, and tells whether every client is done.
func (w *fakeWorld) pump() bool {
	for p := w.ln.Accept(); p != nil; p = w.ln.Accept() {
		if w.h2.up {
			w.servers = append(w.servers, newFakeH2Server(w, p))
		} else {
			w.servers = append(w.servers, &fakeServer{w: w, peer: p})
		}
	}
	for _, s := range w.servers {
		s.turn()
	}
	done := true
	for _, c := range w.clients {
		c.turn()
		over, _ := c.done()
		done = done && over
	}
	return done || w.err != nil
}

func (w *fakeWorld) failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (s *fakeServer) done() (bool, int) { return s.over, 0 }

func (c *fakeClient) done() (bool, int) { return c.over, c.next }

// turn answers what has arrived whole.
func (s *fakeServer) turn() {
	w := s.w
	if s.over || !w.read(s.peer, &s.acc) {
		return
	}
	for {
		in := bytes.NewReader(s.acc)
		r := bufio.NewReader(in)
		q, err := readRequest(r, func() {})
		var cut cutError
		switch {
		case errors.As(err, &cut):
			if s.peer.End() != nil {
				s.over = true
				s.peer.Close()
			}
			return
		case err != nil:
			w.failf("the upstream got %v in %.200q", err, s.acc)
			return
		}
		s.acc = s.acc[len(s.acc)-in.Len()-r.Buffered():]
		_, target, _ := strings.Cut(q.line, " ")
		parts := strings.Split(target, "/")
		if q.body != fill(parts[1], len(q.body)) {
			w.failf("the body of %s is %.100q", q.line, q.body)
		}
		n, _ := strconv.Atoi(parts[2])
		body := fill(parts[1], n)
		out := fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Tag: %s\r\n", parts[1])
		if half := n / 2; half > 0 && w.rnd.IntN(3) == 0 {
			out += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, body[:half], n-half, body[half:])
		} else {
			out += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, body)
		}
		if w.resets && w.rnd.IntN(20) == 0 {
			s.peer.Write([]byte(out[:w.rnd.IntN(len(out))]))
			s.over = true
			if w.rnd.IntN(2) == 0 {
				s.peer.Reset()
			} else {
				s.peer.Close()
			}
			return
		}
		s.peer.Write([]byte(out))
		if w.resets && w.rnd.IntN(10) == 0 { // goes stale
			s.over = true
			s.peer.Close()
			return
		}
	}
}

// turn reads what has arrived whole at a client.
func (c *fakeClient) turn() {
	w := c.w
	if c.over || !w.read(c.peer, &c.acc) {
		return
	}
	for c.next < len(c.tags) {
		in := bytes.NewReader(c.acc)
		conn := &rawClient{r: bufio.NewReader(in)}
		r, _, err := conn.read("GET")
		if err != nil {
			if c.peer.End() == nil {
				return // not whole yet
			}
			if !w.resets {
				w.failf("%s got %v and %.200q", c.tags[c.next], err, c.acc)
			}
			c.over = true
			c.peer.Close()
			return
		}
		c.acc = c.acc[len(c.acc)-in.Len()-conn.r.Buffered():]
		tag := c.tags[c.next]
		switch {
		case r.status == 200:
			if len(r.fields["x-tag"]) != 1 || r.fields["x-tag"][0] != tag || r.body != fill(tag, c.sizes[c.next]) {
				w.failf("%s was answered by %.200q %.100q", tag, r.head, r.body)
			}
		case r.status != 502 && r.status != 503 && r.status != 504 || !w.resets:
			w.failf("%s was answered by %.200q %.100q", tag, r.head, r.body)
		}
		c.next++
	}
	c.over = true
	c.peer.Close()
}

// faultModes are kernels of different reliability.
var faultModes = []struct {
	name   string
	faults looptest.Faults
	resets bool
}{
	{"no faults", looptest.Faults{}, false},
	{"faults that lose nothing", looptest.AllFaults(100), false},
	{"dying connections", looptest.AllFaults(50).WithResets(15), true},
}

// A whole worker under seeded faults: short reads and writes, missing buffers, late, duplicate and cancelled completions, and in the last run
// connections that die at every step. Every request gets its own answer, and at the end nothing is left.
func TestWorkerUnderFaults(t *testing.T) { underFaults(t, pairing{}, faultSeeds) }

func underFaults(t *testing.T, h2 pairing, seeds int) {
	for _, mode := range faultModes {
		t.Run(mode.name, func(t *testing.T) {
			requests := 0
			for seed := range uint64(seeds) {
				w := newFakeWorld(t, seed, mode.faults, mode.resets, h2)
				require.NoError(t, w.run(), "seed %d", seed)
				for _, c := range w.clients {
					_, n := c.done()
					requests += n
				}
				w.k.SetFaults(looptest.Faults{})
				for range 20 { // idle connections end
					require.NoError(t, w.k.Advance(time.Second), "seed %d", seed)
					w.pump()
				}
				require.NoError(t, w.err, "seed %d", seed)
				require.Zero(t, w.w.Open(), "seed %d: client connections", seed)
				require.Equal(t, worker.Usage{}, w.w.Usage(), "seed %d: what the worker holds", seed)
				require.Equal(t, 1, w.k.OpenFDs(), "seed %d: descriptors but the listener", seed)
			}
			require.Greater(t, requests, 3*seeds)
			t.Logf("%d requests answered", requests)
		})
	}
}
