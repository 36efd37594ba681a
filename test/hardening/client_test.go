package hardening

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// rawClient is one connection to a gateway.
type rawClient struct {
	net.Conn
	r *bufio.Reader
}

// dial connects, with a deadline for everything that follows.
func dial(addr string) (*rawClient, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		c.Close()
		return nil, err
	}
	return &rawClient{c, bufio.NewReader(c)}, nil
}

// response is one response as the client read it.
type response struct {
	status int
	head   string
	fields map[string][]string
	body   string
	tail   string // trailer section
}

// errBroken is returned for a response that began and is visibly not whole.
var errBroken = errors.New("the response is not whole")

// read reads one final response to a request with the given method, and skips interim ones, which it returns as heads.
func (c *rawClient) read(method string) (resp response, interim []string, err error) {
	for {
		var raw strings.Builder
		line, err := readLine(c.r, &raw)
		if err != nil {
			if raw.Len() > 0 {
				return resp, interim, fmt.Errorf("%w: %w after %q", errBroken, err, raw.String())
			}
			return resp, interim, err
		}
		parts := strings.SplitN(line, " ", 3)
		if len(parts) != 3 || parts[0] != "HTTP/1.1" || len(parts[1]) != 3 {
			return resp, interim, fmt.Errorf("status line %q", line)
		}
		if resp.status, err = strconv.Atoi(parts[1]); err != nil {
			return resp, interim, fmt.Errorf("status line %q", line)
		}
		if resp.fields, err = readFields(c.r, &raw); err != nil {
			return resp, interim, fmt.Errorf("%w: %w", errBroken, err)
		}
		resp.head = raw.String()
		if resp.status >= 200 || resp.status == 101 {
			break
		}
		interim = append(interim, resp.head)
	}
	length, coding := resp.fields["content-length"], resp.fields["transfer-encoding"]
	if len(length)+len(coding) > 1 {
		return resp, interim, fmt.Errorf("ambiguous framing in %q", resp.head)
	}
	switch {
	case method == "HEAD" || resp.status == 204 || resp.status == 304 || resp.status == 101:
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 31)
		if err != nil {
			return resp, interim, fmt.Errorf("Content-Length %q", length[0])
		}
		b := make([]byte, n)
		k, err := io.ReadFull(c.r, b)
		resp.body = string(b[:k])
		if err != nil {
			return resp, interim, fmt.Errorf("%w: %w", errBroken, err)
		}
	case len(coding) == 1:
		if coding[0] != "chunked" {
			return resp, interim, fmt.Errorf("Transfer-Encoding %q", coding[0])
		}
		resp.body, resp.tail, err = readChunked(c.r)
		if err != nil {
			return resp, interim, fmt.Errorf("%w: %w", errBroken, err)
		}
	default: // until the end of the connection
		b, err := io.ReadAll(c.r)
		resp.body = string(b)
		if err != nil {
			return resp, interim, fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	return resp, interim, nil
}

// ended checks that the gateway closes the connection without sending anything more.
func (c *rawClient) ended() error {
	b, err := io.ReadAll(c.r)
	var timeout net.Error
	switch {
	case len(b) > 0:
		return fmt.Errorf("further bytes: %q", b)
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the connection stays open")
	}
	return nil
}
