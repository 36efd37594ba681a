package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// patience is how long a test waits for something that must happen. Nothing waits that long when all is well.
const patience = 15 * time.Second

// engines runs f on every engine this kernel allows. Both are required: a kernel without io_uring fails the test instead of
// hiding half of it.
func engines(t *testing.T, f func(t *testing.T, engine string)) {
	t.Helper()
	t.Parallel()
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, engine)
		})
	}
}

// carriers is engines, with clients in plain text and then with the same clients over TLS.
func carriers(t *testing.T, f func(t *testing.T, engine string)) {
	t.Helper()
	t.Parallel()
	for _, engine := range []string{"uring", "epoll", "uring" + overTLS, "epoll" + overTLS} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, engine)
		})
	}
}

// overTLS behind the name of an engine makes gate put a terminator in front of the gateway.
const overTLS = "+tls"

// setup is what a test changes about the gateway; the rest is one listener, one cluster "up" and a few routes.
type setup struct {
	endpoints []string // addresses, or "addr, weight: 3"
	listener  string   // further keys of the listener, as YAML flow
	cluster   string   // further keys of the cluster, as YAML flow
	routes    string   // routes before the usual ones, block style, two spaces in
	top       string   // further top-level keys
	workers   string   // further keys of workers, as YAML flow
	log       string   // further keys of access_log, as YAML flow
}

func (s setup) yaml(engine, log string) string {
	var b strings.Builder
	idle := "drain_idle: 0s\n" // most tests end with unused connections, and must not wait for them
	if strings.Contains(s.top, "drain_idle") {
		idle = ""
	}
	fmt.Fprintf(&b, "workers: {count: 1, engine: %s%s}\naccess_log: {path: %q%s}\n%s", engine, comma(s.workers), log, comma(s.log), idle)
	b.WriteString(s.top)
	b.WriteString("listeners:\n  - {name: edge, address: 127.0.0.1:0" + comma(s.listener) + "}\n")
	if len(s.endpoints) > 0 {
		b.WriteString("clusters:\n  - {name: up, endpoints: [")
		for i, e := range s.endpoints {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("{address: " + e + "}")
		}
		b.WriteString("]" + comma(s.cluster) + "}\n")
	}
	b.WriteString("routes:\n" + s.routes)
	b.WriteString("  - {match: {path: /hello}, respond: {body: \"hello\\n\"}}\n")
	b.WriteString("  - {match: {path: /echo/*}, echo: true}\n")
	if len(s.endpoints) > 0 && !strings.Contains(s.routes, "path: /*") {
		b.WriteString("  - {match: {path: /*}, cluster: up}\n")
	}
	return b.String()
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return ", " + s
}

// gateway is a running Server under test.
type gateway struct {
	t       *testing.T
	s       *Server
	addr    string
	logPath string
	ended   bool
	sheds   bool // the test makes it run out of buffers
	tls     bool // the listener speaks TLS
}

// gate starts a gateway. At the end of the test it is drained: every client must be gone, every exchange over, and every buffer
// back in its pool.
func gate(t *testing.T, engine string, s setup) *gateway {
	t.Helper()
	log := filepath.Join(t.TempDir(), "access.log")
	engine, secure := strings.CutSuffix(engine, byTLS)
	engine, carried := strings.CutSuffix(engine, overTLS)
	if carried || secure {
		s.listener = strings.TrimPrefix(comma(s.listener)+comma("tls: {"+newIssuer(t).certificates("site.test")+"}"), ", ")
	}
	c, err := config.Parse("test.yaml", []byte(s.yaml(engine, log)))
	require.NoError(t, err)
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	srv, err := Start(snap, "test")
	require.NoError(t, err)
	require.Equal(t, engine, srv.Info().Engine)
	g := &gateway{t: t, s: srv, addr: srv.Addrs()[0].TCP.String(), logPath: log, tls: secure}
	if carried {
		g.addr = terminator(t, g.addr)
	}
	t.Cleanup(func() { g.end() })
	return g
}

// end drains the gateway and checks what must be true of an idle one.
func (g *gateway) end() {
	g.t.Helper()
	if g.ended {
		return
	}
	g.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cut := g.s.Drain(ctx)
	if g.t.Failed() {
		return
	}
	require.Zero(g.t, cut, "connections that did not end by themselves")
	require.NoError(g.t, g.s.Err())
	c := g.counters()
	require.Zero(g.t, c.RequestsActive, "requests still active")
	require.Zero(g.t, c.DownstreamActive)
	if !g.sheds {
		require.Zero(g.t, c.Shed, "shed for want of memory")
	}
	for _, w := range g.s.workers {
		require.Zero(g.t, w.BufferBytes(), "buffers not given back")
	}
}

// counters are the counters of the only worker, after end.
func (g *gateway) counters() *telemetry.Counters {
	require.True(g.t, g.ended)
	return g.s.published[0].Counters
}

// metric reads one metric of the running gateway, labels included in name.
func (g *gateway) metric(name string) float64 {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	text := string(telemetry.AppendText(nil, g.s.Registry().Collect(ctx)))
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			require.NoError(g.t, err)
			return v
		}
	}
	require.Fail(g.t, "no metric "+name)
	return 0
}

// eventually waits until ok, which looks at the running gateway.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(t, "did not happen: "+what)
		}
	}
}

// entry is a line of the access log.
type entry struct {
	Method, Path, Query, Host, Protocol, Flags, Route, Cluster, Endpoint, Code, Detail, Client string
	Status, Attempts                                                                           int
	BytesIn                                                                                    int64  `json:"bytes_in"`
	BytesOut                                                                                   int64  `json:"bytes_out"`
	RequestID                                                                                  string `json:"request_id"`
}

// log ends the gateway and returns its access log.
func (g *gateway) log() (entries []entry) {
	g.t.Helper()
	g.end()
	b, err := os.ReadFile(g.logPath)
	require.NoError(g.t, err)
	for line := range strings.Lines(string(b)) {
		var e entry
		require.NoError(g.t, json.Unmarshal([]byte(line), &e), line)
		entries = append(entries, e)
	}
	return entries
}

// client is a raw connection to the gateway. Everything it waits for must come within patience.
type client struct {
	*net.TCPConn
	t  *testing.T
	br *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &client{TCPConn: c.(*net.TCPConn), t: t, br: bufio.NewReader(c)}
}

func (g *gateway) dial() *client {
	g.t.Helper()
	return dial(g.t, g.addr)
}

func (c *client) send(s string) {
	c.t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(c.t, err)
}

// response is a whole response as Go's client understands it. Err is how its body ended, nil: whole.
type response struct {
	*http.Response
	Text string
	Err  error
}

// head reads a response head only.
func (c *client) head(method string) *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	require.NoError(c.t, err)
	return r
}

// response reads a response to a request with the method.
func (c *client) response(method string) response {
	c.t.Helper()
	r := c.head(method)
	b, err := io.ReadAll(r.Body)
	return response{Response: r, Text: string(b), Err: err}
}

// ask sends a request and reads the whole response.
func (c *client) ask(request string) response {
	c.t.Helper()
	c.send(request)
	method, _, _ := strings.Cut(request, " ")
	r := c.response(method)
	require.NoError(c.t, r.Err)
	return r
}

// closed checks that the gateway ends the connection without sending anything more. RST counts: a gateway that closes with unread
// bytes in the kernel causes one.
func (c *client) closed() {
	c.t.Helper()
	b, err := io.ReadAll(c.br)
	require.Empty(c.t, string(b), "bytes after the end")
	if err != nil && !strings.Contains(err.Error(), "reset") {
		require.NoError(c.t, err)
	}
}

// broken checks that the response ends in a way that nobody can take for a whole one: within its head or within its body.
func (c *client) broken(method string) (head *http.Response, body string) {
	c.t.Helper()
	var timeout net.Error
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		require.False(c.t, errors.As(err, &timeout) && timeout.Timeout(), "timeout instead of an end")
		return nil, ""
	}
	b, err := io.ReadAll(r.Body)
	require.Error(c.t, err, "a whole response: %q", b)
	require.False(c.t, errors.As(err, &timeout) && timeout.Timeout(), "timeout instead of an end")
	return r, string(b)
}

// get is a whole request.
func get(path string, fields ...string) string {
	return request("GET", path, "", fields...)
}

// request renders a request with Content-Length when it has a body.
func request(method, path, body string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example.com\r\n", method, path)
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// origin is a listening socket whose connections the test scripts itself: what was not accepted yet waits in the backlog.
type origin struct {
	t    *testing.T
	ln   *net.TCPListener
	addr string
}

func listen(t *testing.T) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	return &origin{t: t, ln: ln.(*net.TCPListener), addr: ln.Addr().String()}
}

// peer is a connection from the gateway to an origin.
type peer struct {
	*net.TCPConn
	t  *testing.T
	br *bufio.Reader
}

// accept takes the next connection of the gateway.
func (o *origin) accept() *peer {
	o.t.Helper()
	require.NoError(o.t, o.ln.SetDeadline(time.Now().Add(patience)))
	c, err := o.ln.AcceptTCP()
	require.NoError(o.t, err)
	o.t.Cleanup(func() { c.Close() })
	require.NoError(o.t, c.SetDeadline(time.Now().Add(patience)))
	return &peer{TCPConn: c, t: o.t, br: bufio.NewReader(c)}
}

// head reads a request head as raw text.
func (p *peer) head() string {
	p.t.Helper()
	var b strings.Builder
	for {
		line, err := p.br.ReadString('\n')
		require.NoError(p.t, err, b.String())
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// request reads a whole request.
func (p *peer) request() (r *http.Request, body string) {
	p.t.Helper()
	r, err := http.ReadRequest(p.br)
	require.NoError(p.t, err)
	b, err := io.ReadAll(r.Body)
	require.NoError(p.t, err)
	return r, string(b)
}

func (p *peer) send(s string) {
	p.t.Helper()
	_, err := io.WriteString(p, s)
	require.NoError(p.t, err)
}

// reset ends the connection with RST.
func (p *peer) reset() {
	p.t.Helper()
	require.NoError(p.t, p.SetLinger(0))
	require.NoError(p.t, p.Close())
}

// gone waits until the gateway has ended the connection.
func (p *peer) gone() {
	p.t.Helper()
	_, err := io.Copy(io.Discard, p.br)
	if err != nil {
		require.Contains(p.t, err.Error(), "reset")
	}
}

// ok is a response of the origin.
func ok(body string, fields ...string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\n")
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// serve starts an origin with a handler of Go's server and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}

// named starts an origin that answers with its own name.
func named(t *testing.T, name string) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
}
