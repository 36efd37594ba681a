package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A responseCase is what an upstream answers to one request and what the client has to get. In out, a line feed stands for CRLF, ␊ for LF alone, ␍ for
// CR alone.
type responseCase struct {
	name string
	out  string
	// end is what the upstream does behind out: stay (wait for the next request), close, reset.
	end end
	// method and version of the client's request; GET and HTTP/1.1 unless given.
	method, version string
	// want is a status with the code of the failure ("502:upstream_protocol_error"), a status with the body ("200 hello"), or "broken": whatever the
	// client reads, it must notice that it is not a whole response.
	want string
	// has and hasNot are pieces of what the client reads before the body, interim responses included.
	has, hasNot []string
	// reuse: the connection is in order and may carry the next request. Otherwise it must not.
	reuse bool
	// once: written in one piece only. Bytes that arrive long after the response they follow cannot be told from an answer to the next request,
	// by anybody.
	once bool
}

type end int

const (
	stay end = iota
	closing
	reset
)

const responseConfig = `
listeners:
  - {name: plain, address: "127.0.0.1:0"}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
    timeouts: {first_byte: 1s, idle: 1s}
routes:
  - {match: {path: /*}, cluster: app}
  - {match: {path: /tunnel/*}, cluster: app, allow_upgrade: true}
`

const (
	malformed = "502:upstream_protocol_error"
	truncated = "502:upstream_truncated"
)

// puppet is an upstream that answers /case/N with the N-th case.
type puppet struct {
	cases []responseCase

	mu     sync.Mutex
	faults []string
	conns  map[net.Conn]bool
}

func (p *puppet) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	poisoned := ""
	for {
		s, err := readRequest(r, func() {})
		if err != nil {
			return
		}
		if poisoned != "" {
			p.mu.Lock()
			p.faults = append(p.faults, fmt.Sprintf("%s came on the connection that had answered %q", s.line, poisoned))
			p.mu.Unlock()
		}
		_, target, _ := strings.Cut(s.line, " ")
		parts := strings.Split(target, "/")
		if parts[1] == "tunnel" {
			parts = parts[1:]
		}
		if parts[1] == "good" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(target), target)
			continue
		}
		i, _ := strconv.Atoi(parts[2])
		cs := &p.cases[i]
		if !cs.reuse {
			poisoned = cs.name
		}
		out := text(cs.out, "")
		if parts[3] == "0" || len(out) > 1000 {
			io.WriteString(c, out)
		} else {
			for j := range len(out) {
				if _, err := io.WriteString(c, out[j:j+1]); err != nil {
					break
				}
			}
		}
		switch cs.end {
		case closing:
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, r) // so that our own close is no reset
			return
		case reset:
			c.(*net.TCPConn).SetLinger(0)
			return
		}
	}
}

// startPuppet runs a puppet until the test ends.
func startPuppet(t *testing.T, cases []responseCase) (*puppet, string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &puppet{cases: cases, conns: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns[c] = true
			p.mu.Unlock()
			done.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		done.Wait()
	})
	return p, ln.Addr().String()
}

func TestResponses(t *testing.T) {
	t.Parallel()
	var cases []responseCase
	for _, list := range [][]responseCase{statusCases, headCases, bodyCases, interimCases, cutCases, extraCases} {
		cases = append(cases, list...)
	}
	require.GreaterOrEqual(t, len(cases), 60)
	names := map[string]bool{}
	for _, c := range cases {
		require.False(t, names[c.name], "two cases named %q", c.name)
		names[c.name] = true
	}
	engines(t, func(t *testing.T, engine string) {
		p, addr := startPuppet(t, cases)
		g := start(t, engine, responseConfig, addr)
		var all sync.WaitGroup
		slots := make(chan struct{}, 64)
		for i, c := range cases {
			for j := range 2 {
				for _, pipelined := range []bool{false, true} {
					if c.once && j > 0 {
						continue
					}
					all.Go(func() {
						slots <- struct{}{}
						defer func() { <-slots }()
						if err := c.run(g, i, j, pipelined); err != nil {
							t.Errorf("%s (in pieces %d, pipelined %v): %v", c.name, j, pipelined, err)
						}
					})
				}
			}
		}
		all.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(t, p.faults)
	})
}

// run sends the request of one case, with or without another one behind it, and checks what comes back.
func (c *responseCase) run(g gateway, i, j int, pipelined bool) error {
	conn, err := dial(g.addr(0))
	if err != nil {
		return err
	}
	defer conn.Close()
	method, version, prefix, fields := "GET", "1.1", "", ""
	if c.method != "" {
		method = c.method
	}
	if method == "UPGRADE" {
		method, prefix, fields = "GET", "/tunnel", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	}
	if c.version != "" {
		version = c.version
	}
	first := fmt.Sprintf("%s %s/case/%d/%d HTTP/%s\r\nHost: a\r\n%s\r\n", method, prefix, i, j, version, fields)
	good := fmt.Sprintf("/good/%d/%d/%v", i, j, pipelined)
	second := "GET " + good + " HTTP/1.1\r\nHost: a\r\n\r\n"
	out := first
	if pipelined {
		out += second
	}
	if _, err := io.WriteString(conn, out); err != nil {
		return err
	}
	r, interim, err := conn.read(method)
	heads := strings.ToLower(strings.Join(interim, "") + r.head + r.tail)
	for _, h := range c.has {
		if !strings.Contains(heads, text(h, "")) {
			return fmt.Errorf("no %q in %q", h, heads)
		}
	}
	for _, h := range c.hasNot {
		if strings.Contains(heads, text(h, "")) {
			return fmt.Errorf("%q in %q", h, heads)
		}
	}
	if c.want == "broken" {
		if err == nil {
			if r.status == 502 && strings.Contains(r.body, ": upstream_truncated: ") {
				return nil // a reset overtook what had been sent
			}
			return fmt.Errorf("a whole response: %+v", r)
		}
		if e, ok := err.(net.Error); ok && e.Timeout() {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	status, rest, _ := strings.Cut(c.want, " ")
	status, code, _ := strings.Cut(status, ":")
	if strconv.Itoa(r.status) != status || code != "" && !strings.Contains(r.body, ": "+code+": ") || code == "" && r.body != rest {
		return fmt.Errorf("%d %q, want %s", r.status, r.body, c.want)
	}
	if len(r.fields["connection"]) > 0 && r.fields["connection"][0] == "close" || version == "1.0" {
		return conn.ended()
	}
	if !pipelined {
		if _, err := io.WriteString(conn, second); err != nil {
			return err
		}
	}
	if r, _, err = conn.read("GET"); err != nil || r.status != 200 || r.body != good {
		return fmt.Errorf("the next request is answered by %d %q, %w", r.status, r.body, err)
	}
	return nil
}
