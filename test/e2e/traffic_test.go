//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// traffic is clients that never try anything again: what goes wrong for one of them is a failure.
type traffic struct {
	t        *testing.T
	addr     string
	stop     chan struct{}
	wg       sync.WaitGroup
	requests atomic.Int64
	echoes   atomic.Int64
	mu       sync.Mutex
	failures []string
}

// load starts clients that keep their connection, clients that make one for each request, and WebSockets, through which a line goes forth and back
// again and again. Each pauses between requests, so that the gateway has most of the CPU.
func load(t *testing.T, addr string, keep, once, sockets int) *traffic {
	l := &traffic{t: t, addr: addr, stop: make(chan struct{})}
	group := func(n int, f func(i int) error) {
		for i := range n {
			l.wg.Add(1)
			go func() {
				defer l.wg.Done()
				if err := f(i); err != nil {
					l.mu.Lock()
					l.failures = append(l.failures, err.Error())
					l.mu.Unlock()
				}
			}()
		}
	}
	group(keep, l.keep)
	group(once, l.once)
	group(sockets, l.socket)
	t.Cleanup(func() { l.end() })
	return l
}

func (l *traffic) stopped() bool {
	select {
	case <-l.stop:
		return true
	case <-time.After(500 * time.Microsecond):
		return false
	}
}

func (l *traffic) dial() (net.Conn, *bufio.Reader, error) {
	c, err := net.DialTimeout("tcp", l.addr, patience)
	if err != nil {
		return nil, nil, err
	}
	return c, bufio.NewReader(c), c.SetDeadline(time.Now().Add(2 * time.Minute))
}

// ask makes one request and tells whether the connection goes on.
func (l *traffic) ask(c net.Conn, br *bufio.Reader, field string) (more bool, err error) {
	if _, err := io.WriteString(c, "GET /up HTTP/1.1\r\nHost: h\r\n"+field+"\r\n"); err != nil {
		return false, err
	}
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		return false, err
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return false, err
	}
	if r.StatusCode != 200 || string(b) != "fine" {
		return false, fmt.Errorf("status %d: %q", r.StatusCode, b)
	}
	l.requests.Add(1)
	return !r.Close, nil
}

func (l *traffic) keep(i int) error {
	for !l.stopped() {
		c, br, err := l.dial()
		if err != nil {
			return fmt.Errorf("keep-alive client %d: connect: %w", i, err)
		}
		for n, more := 0, true; more && !l.stopped(); n++ {
			if more, err = l.ask(c, br, ""); err != nil {
				_ = c.Close()
				return fmt.Errorf("keep-alive client %d: request %d of a connection: %w", i, n, err)
			}
		}
		_ = c.Close()
	}
	return nil
}

func (l *traffic) once(i int) error {
	for !l.stopped() {
		c, br, err := l.dial()
		if err != nil {
			return fmt.Errorf("client %d: connect: %w", i, err)
		}
		_, err = l.ask(c, br, "Connection: close\r\n")
		_ = c.Close()
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	return nil
}

func (l *traffic) socket(i int) error {
	c, br, err := l.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(br, nil)
	if err != nil || r.StatusCode != 101 {
		return fmt.Errorf("WebSocket %d: %v %v", i, r, err)
	}
	for n := 0; !l.stopped(); n++ {
		want := fmt.Sprintf("%d of %d\n", n, i)
		if _, err := io.WriteString(c, want); err != nil {
			return fmt.Errorf("WebSocket %d, line %d: %w", i, n, err)
		}
		got, err := br.ReadString('\n')
		if err != nil || got != want {
			return fmt.Errorf("WebSocket %d, line %d: %q %w", i, n, got, err)
		}
		l.echoes.Add(1)
	}
	return nil
}

// end stops the clients and returns what went wrong.
func (l *traffic) end() []string {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

// flowing waits until all is well under way.
func (l *traffic) flowing(sockets bool) {
	l.t.Helper()
	begin, echoes := l.requests.Load(), l.echoes.Load()
	for end := time.Now().Add(patience); l.requests.Load() < begin+100 || sockets && l.echoes.Load() < echoes+20; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		failures := strings.Join(l.failures, "\n")
		l.mu.Unlock()
		require.Empty(l.t, failures)
		require.True(l.t, time.Now().Before(end), "the traffic stands still")
	}
}

// echoing is an origin that answers "fine", and echoes on upgraded connections.
func echoing(t *testing.T) string {
	return origin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "fine")
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, rw)
	})
}
