package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/harness/target"
)

// wsOrigin is where the targets of reload scenarios send WebSockets: a connection that asks for an upgrade echoes from then on, anything else is refused.
type wsOrigin struct {
	ln    net.Listener
	conns sync.WaitGroup
}

// startWS listens on a port of its own.
func startWS() (*wsOrigin, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &wsOrigin{ln: ln}
	o.conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.conns.Go(func() { o.serve(c) })
		}
	})
	return o, nil
}

func (o *wsOrigin) port() int { return o.ln.Addr().(*net.TCPAddr).Port }

// serve accepts an upgrade and echoes bytes: a target forwards them as they are, so that frames need not be understood.
func (o *wsOrigin) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	if !strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
		_, _ = io.WriteString(c, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_, _ = io.Copy(c, br)
}

func (o *wsOrigin) close() error {
	err := o.ln.Close()
	o.conns.Wait()
	return err
}

// sockets are open WebSockets through a target.
type sockets struct {
	conns []net.Conn
	lost  atomic.Int64
	wg    sync.WaitGroup
}

// openSockets opens n and has each echo once.
func openSockets(ctx context.Context, addr string, n int) (*sockets, error) {
	s := &sockets{}
	for range n {
		c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return s, err
		}
		s.conns = append(s.conns, c)
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.WebSocketPath, addr); err != nil {
			return s, err
		}
		head := make([]byte, 0, 1024)
		one := make([]byte, 1)
		for !strings.HasSuffix(string(head), "\r\n\r\n") {
			if _, err := io.ReadFull(c, one); err != nil || len(head) > 4096 {
				return s, errors.Join(errors.New("no answer to a WebSocket's upgrade"), err)
			}
			head = append(head, one...)
		}
		if !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
			return s, fmt.Errorf("a WebSocket's upgrade was answered by %q", head)
		}
		if err := echo(c); err != nil {
			return s, fmt.Errorf("the first message of a WebSocket: %w", err)
		}
	}
	return s, nil
}

// hello is a text message as a client sends it: masked, with the mask 0.
var hello = []byte{0x81, 0x85, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'}

func echo(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := c.Write(hello); err != nil {
		return err
	}
	got := make([]byte, len(hello))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != string(hello) {
		return errors.New("the echo is another message")
	}
	return nil
}

// talk has each send a message ten times a second until ctx ends. One that fails is lost.
func (s *sockets) talk(ctx context.Context) {
	for i, c := range s.conns {
		s.wg.Go(func() {
			t := time.NewTimer(time.Duration(i) * time.Millisecond)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
				}
				if echo(c) != nil {
					s.lost.Add(1)
					return
				}
				t.Reset(100 * time.Millisecond)
			}
		})
	}
}

func (s *sockets) close() {
	for _, c := range s.conns {
		c.Close()
	}
	s.wg.Wait()
}
