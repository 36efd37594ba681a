package hardening

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// taggedRequests is how many requests the test sends on each engine; the environment says more for the full run.
func taggedRequests(t *testing.T) int {
	s := os.Getenv("BLITZ_TAGGED")
	if s == "" {
		return taggedDefault
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "BLITZ_TAGGED")
	return n
}

const taggedConfig = `
listeners:
  - {name: plain, address: "127.0.0.1:0"}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
    timeouts: {first_byte: 5s, idle: 5s}
    max_connections: 40
    max_idle: 24
routes:
  - {match: {path: /*}, cluster: app}
`

// fill is n bytes that nobody would take for those of another tag.
func fill(tag string, n int) string {
	s := strings.Repeat(tag+" ", n/(len(tag)+1)+1)
	return s[:n]
}

// tagServer answers /tag/LENGTH with so many bytes made of the tag, and misbehaves now and then. It also checks that the body of a request
// is that of its tag.
type tagServer struct {
	seed    uint64
	conns   atomic.Uint64
	crossed atomic.Pointer[string]
}

func (s *tagServer) serve(c net.Conn, r *bufio.Reader, _ <-chan struct{}) {
	rnd := rand.New(rand.NewPCG(s.seed, s.conns.Add(1)))
	for {
		q, err := readRequest(r, func() {})
		if err != nil {
			var cut cutError
			if !errors.As(err, &cut) {
				s.complain(fmt.Sprintf("not a request: %v in %q", err, q.head))
			}
			return
		}
		method, target, _ := strings.Cut(q.line, " ")
		parts := strings.Split(target, "/")
		if len(parts) != 3 {
			s.complain("target " + target)
			return
		}
		tag := parts[1]
		if method == "POST" && q.body != fill(tag, len(q.body)) {
			s.complain(fmt.Sprintf("the body of %s is %.100q", q.line, q.body))
		}
		n, _ := strconv.Atoi(parts[2])
		if !s.answer(c, rnd, tag, fill(tag, n)) {
			return
		}
	}
}

func (s *tagServer) complain(what string) { s.crossed.CompareAndSwap(nil, &what) }

// answer writes one response; false: the connection is over.
func (s *tagServer) answer(c net.Conn, rnd *rand.Rand, tag, body string) bool {
	head := "HTTP/1.1 200 OK\r\nX-Tag: " + tag + "\r\n"
	last := false
	var out string
	switch rnd.IntN(20) {
	default:
		out = head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	case 0, 1, 2:
		out = head + "Transfer-Encoding: chunked\r\n\r\n"
		for rest := body; rest != ""; {
			n := min(1+rnd.IntN(len(body)), len(rest))
			out += strconv.FormatInt(int64(n), 16) + "\r\n" + rest[:n] + "\r\n"
			rest = rest[n:]
		}
		out += "0\r\n\r\n"
	case 3:
		out, last = head+"\r\n"+body, true
	case 4:
		out, last = head+"Connection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body, true
	}
	switch rnd.IntN(100) {
	case 0: // gone without a word
		return false
	case 1: // reset without a word
		c.(*net.TCPConn).SetLinger(0)
		return false
	case 2, 3: // reset, or closed, somewhere
		n := rnd.IntN(len(out))
		io.WriteString(c, out[:n])
		if last || rnd.IntN(2) == 0 { // a body that lasts until the end could not be told from a whole one
			c.(*net.TCPConn).SetLinger(0)
		}
		return false
	case 4: // late
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
	case 5: // slow
		for out != "" {
			n := min(1+rnd.IntN(1+len(out)/2), len(out))
			if _, err := io.WriteString(c, out[:n]); err != nil {
				return false
			}
			out = out[n:]
			time.Sleep(time.Duration(rnd.IntN(300)) * time.Microsecond)
		}
		return !last
	case 6: // stale: closed although it might have been kept
		last = true
	}
	if _, err := io.WriteString(c, out); err != nil {
		return false
	}
	return !last
}

// tally counts what became of requests.
type tally struct {
	sent, right, failed, cut atomic.Int64
}

// tagClient sends requests on one connection after another until the tally says enough.
func tagClient(addr string, id int, rnd *rand.Rand, n *tally, enough int64) error {
	var conn *rawClient
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	type request struct {
		tag    string
		length int
	}
	for serial := 0; n.sent.Load() < enough; {
		if conn == nil {
			var err error
			if conn, err = dial(addr); err != nil {
				return err
			}
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		var batch []request
		var out strings.Builder
		for range 1 + rnd.IntN(6) {
			q := request{fmt.Sprintf("t%d-%d", id, serial), rnd.IntN(300)}
			if rnd.IntN(200) == 0 {
				q.length = rnd.IntN(300 << 10)
			}
			serial++
			batch = append(batch, q)
			target := fmt.Sprintf("/%s/%d HTTP/1.1\r\nHost: a\r\n", q.tag, q.length)
			size := rnd.IntN(200)
			if rnd.IntN(300) == 0 {
				size = rnd.IntN(200 << 10)
			}
			switch rnd.IntN(4) {
			case 0:
				body := fill(q.tag, size)
				out.WriteString("POST " + target + "Content-Length: " + strconv.Itoa(size) + "\r\n\r\n" + body)
			case 1:
				body := fill(q.tag, 1+size)
				out.WriteString("POST " + target + "Transfer-Encoding: chunked\r\n\r\n")
				half := len(body) / 2
				if half > 0 {
					fmt.Fprintf(&out, "%x\r\n%s\r\n", half, body[:half])
				}
				fmt.Fprintf(&out, "%x\r\n%s\r\n0\r\n\r\n", len(body)-half, body[half:])
			default:
				out.WriteString("GET " + target + "\r\n")
			}
		}
		n.sent.Add(int64(len(batch)))
		var writer sync.WaitGroup
		writer.Go(func() { io.WriteString(conn, out.String()) }) // an error shows in what is read
		for i, q := range batch {
			r, _, err := conn.read("GET")
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return fmt.Errorf("%s was never answered", q.tag)
			case err != nil:
				n.cut.Add(int64(len(batch) - i))
				conn.Close()
				writer.Wait()
				conn = nil
			case r.status == 200:
				if len(r.fields["x-tag"]) != 1 || r.fields["x-tag"][0] != q.tag || r.body != fill(q.tag, q.length) {
					return fmt.Errorf("%s was answered by %.300q %.100q", q.tag, r.head, r.body)
				}
				n.right.Add(1)
			case r.status == 502 || r.status == 503 || r.status == 504:
				if strings.Contains(strings.ToLower(r.head), "x-tag") {
					return fmt.Errorf("%s failed with the fields of an answer: %q", q.tag, r.head)
				}
				n.failed.Add(1)
			default:
				return fmt.Errorf("%s: status %d %q", q.tag, r.status, r.body)
			}
			if conn == nil {
				break
			}
		}
		writer.Wait()
	}
	return nil
}

// Every answer belongs to its request, whatever the upstream does; and every request is answered, or its connection ends.
func TestTaggedAnswers(t *testing.T) {
	total := int64(taggedRequests(t))
	engines(t, func(t *testing.T, engine string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		s := &tagServer{seed: seed}
		g := start(t, engine, taggedConfig, scripted(t, s.serve))
		var n tally
		var clients sync.WaitGroup
		for i := range 32 {
			clients.Go(func() {
				if err := tagClient(g.addr(0), i, rand.New(rand.NewPCG(seed, uint64(i)<<32)), &n, total); err != nil {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		clients.Wait()
		if what := s.crossed.Load(); what != nil {
			t.Errorf("the upstream: %s", *what)
		}
		t.Logf("%d sent: %d right, %d failed with a status, %d cut", n.sent.Load(), n.right.Load(), n.failed.Load(), n.cut.Load())
		require.Equal(t, n.sent.Load(), n.right.Load()+n.failed.Load()+n.cut.Load())
		require.Greater(t, n.right.Load(), total*8/10)
		require.NotZero(t, n.failed.Load()+n.cut.Load(), "no fault was ever seen: does this test test anything?")
	})
}
