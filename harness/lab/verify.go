package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// answer is what came back on the wire.
type answer struct {
	body      []byte
	headBytes int
	closes    bool // the server announced that it closes the connection
}

// exchange sends one GET on an open connection and reads the whole answer. br must be the connection's only reader.
func exchange(c net.Conn, br *bufio.Reader, path string, closeAfter bool) (answer, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return answer{}, err
	}
	req := "GET " + path + " HTTP/1.1\r\nHost: " + c.RemoteAddr().String() + "\r\n"
	if closeAfter {
		req += "Connection: close\r\n"
	}
	if _, err := io.WriteString(c, req+"\r\n"); err != nil {
		return answer{}, err
	}
	var head bytes.Buffer
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		line, err := br.ReadBytes('\n')
		if err != nil {
			return answer{}, fmt.Errorf("read the head: %w", err)
		}
		head.Write(line)
		if head.Len() > 64<<10 {
			return answer{}, errors.New("the head does not end")
		}
	}
	n := head.Len()
	whole := bufio.NewReader(io.MultiReader(&head, br))
	res, err := http.ReadResponse(whole, nil)
	if err != nil {
		return answer{}, err
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("status %s, want 200", res.Status)
	}
	if res.ContentLength < 0 {
		return answer{}, errors.New("the answer has no Content-Length")
	}
	body := make([]byte, res.ContentLength)
	if _, err := io.ReadFull(res.Body, body); err != nil {
		return answer{}, fmt.Errorf("read the body: %w", err)
	}
	if n := whole.Buffered() + br.Buffered(); n > 0 {
		return answer{}, fmt.Errorf("%d bytes follow the answer", n)
	}
	return answer{body: body, headBytes: n, closes: res.Close}, nil
}

// verify asks addr for path twice on one connection (or once with Connection: close) and compares bytes. It returns the size of the
// response head.
func verify(ctx context.Context, s Scenario, addr string, want []byte) (int, error) {
	path, closing := s.path, s.newConnection && !s.handshakes
	c, err := s.dial(ctx, new(net.Dialer), addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	br := bufio.NewReader(c)
	times := 2
	if closing {
		times = 1
	}
	head := 0
	for range times {
		a, err := exchange(c, br, path, closing)
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(a.body, want) {
			return 0, fmt.Errorf("the body has %d bytes and is not the expected one of %d bytes", len(a.body), len(want))
		}
		if a.closes != closing {
			return 0, fmt.Errorf("close announced: %v, want %v", a.closes, closing)
		}
		head = a.headBytes
	}
	if closing {
		switch _, err := br.ReadByte(); {
		case err == nil:
			return 0, errors.New("bytes follow after Connection: close")
		case !errors.Is(err, io.EOF):
			return 0, fmt.Errorf("the connection stayed open after Connection: close: %w", err)
		}
	}
	return head, nil
}

// fetch returns the body at path.
func fetch(ctx context.Context, addr, path string) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	a, err := exchange(c, bufio.NewReader(c), path, false)
	return a.body, err
}
