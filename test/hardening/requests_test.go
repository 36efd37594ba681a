package hardening

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A requestCase is what a client sends on one connection and what has to come of it.
//
// In the texts, a line feed stands for CRLF, ␊ for LF alone, ␍ for CR alone, # for a word that names this run of the case
// (wherever the upstream finds it, this case is to blame), and ♯ for a number sign.
type requestCase struct {
	name string
	in   string
	// want lists the final answers in order: a status, for refusals with the code as in "400:bad_host". "close" at the end: the gateway then
	// closes the connection; otherwise it has to serve one more request on it.
	want string
	// up lists the requests that the upstream sees, and no others: method, target and, if any, the decoded body.
	up []string
	// has and hasNot are pieces of the heads that the upstream sees, compared without regard to case.
	has, hasNot []string
	// listener is the index of the listener, see requestConfig.
	listener int
	// slow cases wait for a timeout; big ones are not sent byte by byte.
	slow, big bool
}

const (
	plain   = 0 // defaults
	tight   = 1 // small limits
	hurried = 2 // short timeouts
)

const requestConfig = `
listeners:
  - {name: plain, address: "127.0.0.1:0", protocols: [h1]}
  - name: tight
    address: 127.0.0.1:0
    limits: {head_size: 2KiB, request_line: 256B, header_count: 10, body_size: 64B}
    max_requests: 3
  - name: hurried
    address: 127.0.0.1:0
    timeouts: {header: 300ms, idle: 300ms, body_idle: 300ms}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
routes:
  - {match: {path: /*}, cluster: app}
  - {match: {path: /local/*}, respond: {body: "local\n"}}
  - {match: {path: /echo/*}, echo: true}
  - {match: {path: /tunnel/*}, cluster: app, allow_upgrade: true}
  - {match: {host: tunnel.test}, cluster: app, allow_upgrade: true}
  - {match: {path: /few/*}, cluster: app, max_body: 8B}
  - {match: {path: /admin/*}, respond: {status: 403, body: "no\n"}}
`

// text turns the notation of the tables into bytes.
func text(s, word string) string {
	return strings.NewReplacer("\n", "\r\n", "␊", "\n", "␍", "\r", "#", word, "♯", "#").Replace(s)
}

// pieces cuts what a client sends into writes.
var pieces = []struct {
	name string
	cut  func(s string) []string
}{
	{"at once", func(s string) []string { return []string{s} }},
	{"in halves", func(s string) []string { return []string{s[:len(s)/2], s[len(s)/2:]} }},
	{"byte by byte", func(s string) []string { return strings.Split(s, "") }},
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var cases []requestCase
	for _, list := range [][]requestCase{framingCases, chunkCases, lineCases, fieldCases, targetCases, pathCases, versionCases,
		methodCases, pipelineCases, limitCases, forwardCases} {
		cases = append(cases, list...)
	}
	require.GreaterOrEqual(t, len(cases), 150)
	names := map[string]bool{}
	for _, c := range cases {
		require.False(t, names[c.name], "two cases named %q", c.name)
		names[c.name] = true
	}
	engines(t, func(t *testing.T, engine string) {
		o := startOrigin(t)
		g := start(t, engine, requestConfig, o.addr())
		var all sync.WaitGroup
		slots := make(chan struct{}, 32)
		for i, c := range cases {
			for j, p := range pieces {
				if c.skips(j) {
					continue
				}
				all.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					if err := c.run(g, word(i, j), p.cut); err != nil {
						t.Errorf("%s (%s): %v", c.name, p.name, err)
					}
				})
			}
		}
		all.Wait()
		for i, c := range cases {
			for j, p := range pieces {
				if c.skips(j) {
					continue
				}
				if err := c.upstream(o, word(i, j)); err != nil {
					t.Errorf("%s (%s): %v", c.name, p.name, err)
				}
			}
		}
		require.Empty(t, o.complaints(), "the upstream got bytes that are not strict HTTP/1.1")
	})
}

// word marks one run of one case. All words have the same length, so that the tables can count bytes.
func word(i, j int) string { return fmt.Sprintf("c%03d%d.", i, j) }

func (c *requestCase) skips(j int) bool { return c.big && j == 2 || c.slow && j > 0 }

// run sends one case and checks the answers.
func (c *requestCase) run(g gateway, word string, cut func(string) []string) error {
	conn, err := dial(g.addr(c.listener))
	if err != nil {
		return err
	}
	defer conn.Close()
	in := text(c.in, word)
	sent := make(chan struct{})
	go func() { // the gateway may answer and close before it has read everything
		defer close(sent)
		for _, p := range cut(in) {
			if _, err := conn.Write([]byte(p)); err != nil {
				return
			}
		}
	}()
	defer func() { <-sent }()
	method, _, _ := strings.Cut(strings.TrimLeft(in, "\r\n"), " ")
	closes, err := c.answers(conn, method)
	if err != nil {
		return err
	}
	if closes {
		if err := conn.ended(); err != nil {
			return err
		}
	} else {
		<-sent
		if _, err := fmt.Fprintf(conn, "GET /local/again HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			return fmt.Errorf("one more request: %w", err)
		}
		if r, _, err := conn.read("GET"); err != nil || r.body != "local\n" {
			return fmt.Errorf("one more request: %+v, %w", r, err)
		}
	}
	return nil
}

// answers reads what c.want lists, and tells whether it ends in "close".
func (c *requestCase) answers(conn *rawClient, method string) (closes bool, err error) {
	for i, want := range strings.Fields(c.want) {
		if want == "close" {
			return true, nil
		}
		status, code, _ := strings.Cut(want, ":")
		if i > 0 {
			method = "GET"
		}
		r, _, err := conn.read(method)
		if err != nil {
			return false, fmt.Errorf("answer %d: %w", i+1, err)
		}
		if strconv.Itoa(r.status) != status || code != "" && !strings.Contains(r.body, ": "+code+": ") {
			return false, fmt.Errorf("answer %d is %d %q, want %s", i+1, r.status, r.body, want)
		}
	}
	return false, nil
}

// upstream checks what arrived there.
func (c *requestCase) upstream(o *origin, word string) error {
	found, anywhere := o.with(word)
	var got []string
	heads := ""
	for _, s := range found {
		got = append(got, strings.TrimSpace(s.line+" "+s.body))
		heads += strings.ToLower(s.head + s.tail)
	}
	if want := text(strings.Join(c.up, " | "), word); strings.Join(got, " | ") != want {
		return fmt.Errorf("the upstream saw %q, want %q", strings.Join(got, " | "), want)
	}
	if anywhere && len(c.up) == 0 && !c.partial() {
		return fmt.Errorf("the upstream saw a part of it")
	}
	for _, h := range c.has {
		if h := strings.ToLower(text(h, word)); !strings.Contains(heads, h) {
			return fmt.Errorf("no %q in %q", h, heads)
		}
	}
	for _, h := range c.hasNot {
		if h := strings.ToLower(text(h, word)); strings.Contains(heads, h) {
			return fmt.Errorf("%q in %q", h, heads)
		}
	}
	return nil
}

// partial: the head is in order and was forwarded before the body turned out not to be, so that the upstream saw a request that never ended.
func (c *requestCase) partial() bool {
	return strings.HasPrefix(c.in, "POST /body") || strings.HasPrefix(c.in, "POST /few")
}

// The time that a client has for its head counts from the first byte: dribbling does not extend it.
func TestDribblingHeadIsCut(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		o := startOrigin(t)
		g := start(t, engine, requestConfig, o.addr())
		conn, err := dial(g.addr(hurried))
		require.NoError(t, err)
		defer conn.Close()
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			head := "GET /slow HTTP/1.1\r\nHost: a\r\n"
			for i := 0; ; i++ {
				b := "x"
				if i < len(head) {
					b = head[i : i+1]
				}
				if _, err := conn.Write([]byte(b)); err != nil {
					return
				}
				select {
				case <-tick.C:
				case <-stop:
					return
				}
			}
		})
		r, _, err := conn.read("GET")
		require.NoError(t, err)
		require.Equal(t, 408, r.status)
		close(stop)
		writer.Wait()
		require.NoError(t, conn.Conn.(*net.TCPConn).CloseWrite())
		require.NoError(t, conn.ended())
		_, anywhere := o.with("/slow")
		require.False(t, anywhere)
	})
}
