package hardening

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// seen is one request as the origin read it.
type seen struct {
	line string // request line without the version
	head string // everything up to and including the empty line, as received
	body string // decoded
	tail string // trailer section
	conn int
}

// origin is an upstream that keeps every byte. Its parser accepts only what a gateway may send: one spelling of framing, CRLF, tokens. Everything
// else is a finding of its own, since another upstream would read it some other way.
type origin struct {
	ln net.Listener

	mu       sync.Mutex
	raw      [][]byte // per connection
	requests []seen
	faults   []string // what was not strict
	open     map[net.Conn]bool
}

// startOrigin runs an origin until the test ends.
func startOrigin(t *testing.T) *origin {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o := &origin{ln: ln, open: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.open[c] = true
			n := len(o.raw)
			o.raw = append(o.raw, nil)
			o.mu.Unlock()
			done.Go(func() { o.serve(c, n) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		o.mu.Lock()
		for c := range o.open {
			c.Close()
		}
		o.mu.Unlock()
		done.Wait()
	})
	return o
}

func (o *origin) addr() string { return o.ln.Addr().String() }

// tee records what is read.
type tee struct {
	o *origin
	c net.Conn
	n int
}

func (r *tee) Read(p []byte) (int, error) {
	n, err := r.c.Read(p)
	r.o.mu.Lock()
	r.o.raw[r.n] = append(r.o.raw[r.n], p[:n]...)
	r.o.mu.Unlock()
	return n, err
}

func (o *origin) serve(c net.Conn, n int) {
	defer func() {
		c.Close()
		o.mu.Lock()
		delete(o.open, c)
		o.mu.Unlock()
	}()
	r := bufio.NewReader(&tee{o, c, n})
	for {
		s, err := readRequest(r, func() { io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") })
		if err != nil {
			if _, cut := err.(cutError); !cut {
				o.mu.Lock()
				o.faults = append(o.faults, fmt.Sprintf("%v in %q", err, s.head))
				o.mu.Unlock()
			}
			return
		}
		s.conn = n
		o.mu.Lock()
		o.requests = append(o.requests, s)
		o.mu.Unlock()
		if err := o.answer(c, s); err != nil {
			return
		}
	}
}

// answer is 200 with a body that names the request, or the body alone for HEAD.
func (o *origin) answer(c net.Conn, s seen) error {
	body := s.line + "\n"
	if strings.HasPrefix(s.line, "CONNECT ") {
		_, err := io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		return err
	}
	out := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
	if !strings.HasPrefix(s.line, "HEAD ") {
		out += body
	}
	_, err := io.WriteString(c, out)
	return err
}

// with returns the requests whose head or body holds a word, and whether the word was in any bytes received.
func (o *origin) with(word string) (found []seen, anywhere bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.requests {
		if strings.Contains(s.head, word) || strings.Contains(s.body, word) {
			found = append(found, s)
		}
	}
	for _, b := range o.raw {
		anywhere = anywhere || bytes.Contains(b, []byte(word))
	}
	return found, anywhere
}

// complaints are the deviations from strict HTTP/1.1 that were seen.
func (o *origin) complaints() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.faults...)
}

// cutError: the connection ended, between requests or within one.
type cutError struct{ error }

// readLine reads one line ended by CRLF that holds no other control character.
func readLine(r *bufio.Reader, raw *strings.Builder) (string, error) {
	b, err := r.ReadBytes('\n')
	raw.Write(b)
	if err != nil {
		return "", cutError{err}
	}
	line, ok := strings.CutSuffix(string(b), "\r\n")
	if !ok {
		return "", fmt.Errorf("a line without CRLF: %q", b)
	}
	for _, c := range []byte(line) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return "", fmt.Errorf("a control character in %q", line)
		}
	}
	return line, nil
}

func isToken(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return true
}

// readFields reads field lines up to the empty one.
func readFields(r *bufio.Reader, raw *strings.Builder) (map[string][]string, error) {
	fields := map[string][]string{}
	for {
		line, err := readLine(r, raw)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return fields, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return nil, fmt.Errorf("not a field: %q", line)
		}
		name = strings.ToLower(name)
		fields[name] = append(fields[name], strings.Trim(value, " \t"))
	}
}

// readRequest reads one request.
func readRequest(r *bufio.Reader, proceed func()) (s seen, err error) {
	var raw strings.Builder
	defer func() {
		if s.head == "" {
			s.head = raw.String()
		}
	}()
	line, err := readLine(r, &raw)
	if err != nil {
		return s, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[1] == "" || parts[2] != "HTTP/1.1" {
		return s, fmt.Errorf("request line %q", line)
	}
	s.line = parts[0] + " " + parts[1]
	fields, err := readFields(r, &raw)
	if err != nil {
		return s, err
	}
	s.head = raw.String()
	if len(fields["host"]) != 1 {
		return s, fmt.Errorf("%d Host fields", len(fields["host"]))
	}
	length, coding := fields["content-length"], fields["transfer-encoding"]
	switch {
	case len(length)+len(coding) > 1:
		return s, fmt.Errorf("ambiguous framing")
	case len(length)+len(coding) == 1 && len(fields["expect"]) > 0:
		proceed()
	}
	switch {
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != length[0] {
			return s, fmt.Errorf("Content-Length %q", length[0])
		}
		b := make([]byte, n)
		if k, err := io.ReadFull(r, b); err != nil {
			s.body = string(b[:k])
			return s, cutError{err}
		}
		s.body = string(b)
	case len(coding) == 1:
		if coding[0] != "chunked" {
			return s, fmt.Errorf("Transfer-Encoding %q", coding[0])
		}
		s.body, s.tail, err = readChunked(r)
		return s, err
	}
	return s, nil
}

// readChunked reads a chunked body of the plainest form: lower-case hexadecimal without leading zeros, no extensions.
func readChunked(r *bufio.Reader) (body, trailers string, err error) {
	var all, raw strings.Builder
	for {
		line, err := readLine(r, &raw)
		if err != nil {
			return all.String(), "", err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil || strconv.FormatUint(n, 16) != line {
			return all.String(), "", fmt.Errorf("chunk size %q", line)
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&all, r, int64(n)); err != nil {
			return all.String(), "", cutError{err}
		}
		if end, err := readLine(r, &raw); err != nil {
			return all.String(), "", err
		} else if end != "" {
			return all.String(), "", fmt.Errorf("%q behind a chunk", end)
		}
	}
	raw.Reset()
	_, err = readFields(r, &raw)
	return all.String(), raw.String(), err
}
