package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scripted runs f for each connection to an upstream, until the test ends. stop is closed when it ends.
func scripted(t *testing.T, f func(c net.Conn, r *bufio.Reader, stop <-chan struct{})) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var done sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	stop := make(chan struct{})
	done.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			done.Go(func() {
				defer c.Close()
				f(c, bufio.NewReader(c), stop)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		close(stop)
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		done.Wait()
	})
	return ln.Addr().String()
}

// skipHead reads up to the empty line.
func skipHead(r *bufio.Reader) {
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return
		}
	}
}

// An upload that stops moving, because nobody reads it any more, must end in an answer and leave nothing behind.
func TestUploads(t *testing.T) {
	t.Parallel()
	const huge = 64 << 20 // more than all buffers on the way hold
	for _, c := range []struct {
		name     string
		length   int // announced and tried; -1: chunked
		upstream func(c net.Conn, r *bufio.Reader, stop <-chan struct{})
		want     int
		closes   bool
	}{
		{"nobody reads the body", huge, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) { skipHead(r); <-stop }, 504, true},
		{"nobody reads the chunked body", -1, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) { skipHead(r); <-stop }, 504, true},
		{"answered before the body is read", huge, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
			skipHead(r)
			time.Sleep(200 * time.Millisecond) // until the upload has come to a halt
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			<-stop
		}, 200, true},
		{"answered before the chunked body is read", -1, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
			skipHead(r)
			time.Sleep(200 * time.Millisecond)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			<-stop
		}, 200, true},
		{"refused and closed", huge, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
			skipHead(r)
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
		}, 413, true},
		{"closed without a word", huge, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) { skipHead(r) }, 502, true},
		{"small, answered before it is read", 40 << 10, func(c net.Conn, r *bufio.Reader, stop <-chan struct{}) {
			skipHead(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
			io.Copy(io.Discard, r)
		}, 200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				g := start(t, engine, responseConfig, scripted(t, c.upstream))
				conn, err := dial(g.addr(0))
				require.NoError(t, err)
				defer conn.Close()
				var writer sync.WaitGroup
				writer.Go(func() {
					framing, n := "Transfer-Encoding: chunked", huge
					if c.length >= 0 {
						framing, n = fmt.Sprintf("Content-Length: %d", c.length), c.length
					}
					if _, err := fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", framing); err != nil {
						return
					}
					piece := strings.Repeat("x", 8<<10)
					for ; n > 0; n -= len(piece) {
						out := piece
						if c.length < 0 {
							out = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
						}
						if _, err := io.WriteString(conn, out); err != nil {
							return // what the test expects of most cases
						}
					}
				})
				r, _, err := conn.read("POST")
				require.NoError(t, err)
				require.Equal(t, c.want, r.status)
				if c.closes {
					require.NoError(t, conn.ended())
					conn.Close()
				}
				writer.Wait()
				if !c.closes {
					_, err = io.WriteString(conn, "GET /upload HTTP/1.1\r\nHost: a\r\n\r\n")
					require.NoError(t, err)
					r, _, err := conn.read("GET")
					require.NoError(t, err)
					require.Equal(t, c.want, r.status)
				}
			})
		})
	}
}
