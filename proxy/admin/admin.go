// Package admin is the listener for operators: metrics, health, what the gateway is doing, and the few things that can be changed while it runs. It
// belongs to the control plane; what it shows and does is handed to it as a list of endpoints. It imports the HTTP/1.1 codec, telemetry, and the address type of internal/loop.
//
// It speaks HTTP with the gateway's own codec over blocking sockets, one request per connection: net/http with what it imports would be
// a good part of the gateway's cold start, used or not.
package admin

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

const (
	// collectTimeout bounds how long a scrape waits for a busy worker; what such a worker said last is shown instead.
	collectTimeout = time.Second
	// exchangeTimeout bounds one connection: reading the request, and writing the answer.
	exchangeTimeout = 10 * time.Second
	// answerTimeout bounds how long an answer may take to be made: a CPU profile of a minute, a reload that looks up names.
	answerTimeout = 2 * time.Minute
	// maxConnections at a time; further ones wait in the backlog.
	maxConnections = 64
	maxHead        = 16 << 10
	// maxBody is the largest body of a request: a configuration.
	maxBody = 64 << 20
)

// Request is what an endpoint gets.
type Request struct {
	Path, Query string
	Body        []byte
}

// Param is the value of a parameter of the query, "" when there is none. Nothing is decoded: values here are words and numbers.
func (r *Request) Param(name string) string {
	for part := range strings.SplitSeq(r.Query, "&") {
		if v, ok := strings.CutPrefix(part, name+"="); ok {
			return v
		}
	}
	return ""
}

// Response is what it answers.
type Response struct {
	Status int
	Type   string
	Body   []byte
}

// Media types.
const (
	Text = "text/plain; charset=utf-8"
	JSON = "application/json"
	HTML = "text/html; charset=utf-8"
)

// Endpoint is one thing that can be asked for.
type Endpoint struct {
	// Method is GET (which includes HEAD), POST or PUT. Whatever is not GET changes something, and needs the token.
	Method, Path string
	// Help is a line for people.
	Help string
	// Do answers. It may be called by several goroutines at a time.
	Do func(ctx context.Context, r *Request) Response
}

// Options of a Server.
type Options struct {
	Registry *telemetry.Registry
	// Endpoints beside /metrics and /healthz.
	Endpoints []Endpoint
	// Token returns the secret without which nothing can be changed; "": nothing can be.
	Token func() string
}

// Server answers operators.
type Server struct {
	opt      Options
	listener net.Listener
	slots    chan struct{}
}

// Start listens on addr. Only the operator's own machine should reach it: whoever does may read everything.
func Start(addr loop.Addr, o Options) (*Server, error) {
	l, err := listen(addr)
	if err != nil {
		return nil, err
	}
	return StartOn(l, o), nil
}

// StartOn answers on a socket that is listening already.
func StartOn(l net.Listener, o Options) *Server {
	s := &Server{opt: o, listener: l, slots: make(chan struct{}, maxConnections)}
	s.opt.Endpoints = append([]Endpoint{
		{"GET", "/metrics", "metrics in Prometheus' text format", s.metrics},
		{"GET", "/healthz", "200 while the process runs", func(context.Context, *Request) Response { return Response{200, Text, []byte("ok\n")} }},
		{"GET", "/help", "this list", s.help},
	}, o.Endpoints...)
	go s.accept()
	return s
}

// File is a second descriptor of the listening socket, for another process; nil when there is none to be had.
func (s *Server) File() *os.File {
	l, ok := s.listener.(interface{ File() (*os.File, error) })
	if !ok {
		return nil
	}
	f, err := l.File()
	if err != nil {
		return nil
	}
	return f
}

// Leave is Close; another process goes on with the socket, so that the file of a Unix socket stays.
func (s *Server) Leave() {
	if u, ok := s.listener.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	s.Close()
}

func listen(addr loop.Addr) (net.Listener, error) {
	network, at := "tcp", addr.TCP.String()
	if addr.Unix != "" {
		network, at = "unix", addr.Unix
		if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	} else if !addr.TCP.Addr().IsLoopback() {
		slog.Warn("the admin listener can be reached from outside this machine", "address", at)
	}
	return net.Listen(network, at)
}

// Addr is the address being listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close stops accepting. Answers under way are finished.
func (s *Server) Close() { _ = s.listener.Close() }

func (s *Server) accept() {
	for {
		s.slots <- struct{}{}
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			slog.Warn("admin: accept failed, pausing", "error", err)
			time.Sleep(100 * time.Millisecond)
			<-s.slots
		default:
			go s.serve(c)
		}
	}
}

// serve answers one request.
func (s *Server) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		<-s.slots
	}()
	if c.SetDeadline(time.Now().Add(exchangeTimeout)) != nil {
		return
	}
	var req wire.Request
	buf := make([]byte, 0, maxHead)
	limits := wire.Limits{HeadBytes: maxHead}.WithDefaults()
	head := 0
	for head == 0 {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		var bad *wire.Error
		if head, bad = h1.ParseRequest(buf, &req, &limits); bad != nil {
			write(c, false, "", Response{bad.Status, Text, []byte(bad.Detail + "\n")})
			return
		}
		if head == 0 && len(buf) == cap(buf) {
			return // the codec refuses larger heads, so this cannot be
		}
	}
	// What follows outlives buf, in which the request's slices are.
	method, path, query := string(req.MethodName), string(req.Path), string(req.Query)
	token := string(bearer(&req))
	isHead := req.Method == wire.MethodHead
	if isHead {
		method = "GET"
	}
	e, allow := s.find(method, path)
	r := &Request{Path: path, Query: query}
	switch {
	case e == nil && allow == "":
		write(c, isHead, "", Response{404, Text, []byte("there is nothing at this path; see /help\n")})
		return
	case e == nil:
		write(c, isHead, allow, Response{405, Text, []byte("expected " + allow + "\n")})
		return
	case e.Method != "GET":
		if refusal := s.guard(token); refusal != nil {
			write(c, false, "", *refusal)
			return
		}
		if req.Expect100 {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		body, refusal := readBody(c, &req, buf[head:])
		if refusal != nil {
			write(c, false, "", *refusal)
			return
		}
		r.Body = body
	}
	_ = c.SetDeadline(time.Now().Add(answerTimeout))
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	answer := e.Do(ctx, r)
	_ = c.SetDeadline(time.Now().Add(exchangeTimeout))
	write(c, isHead, "", answer)
}

// find returns the endpoint, or the methods that would be allowed.
func (s *Server) find(method, path string) (e *Endpoint, allow string) {
	var methods []string
	for i := range s.opt.Endpoints {
		e := &s.opt.Endpoints[i]
		if e.Path != path {
			continue
		}
		if e.Method == method {
			return e, ""
		}
		methods = append(methods, e.Method)
		if e.Method == "GET" {
			methods = append(methods, "HEAD")
		}
	}
	slices.Sort(methods)
	return nil, strings.Join(methods, ", ")
}

// bearer is the token of a request (RFC 6750 section 2.1).
func bearer(r *wire.Request) []byte {
	v := r.Get(wire.FieldAuthorization)
	if len(v) > 7 && wire.EqualFold(v[:7], []byte("bearer ")) {
		return v[7:]
	}
	return nil
}

// guard refuses a change without the token.
func (s *Server) guard(token string) *Response {
	want := ""
	if s.opt.Token != nil {
		want = s.opt.Token()
	}
	switch {
	case want == "":
		return &Response{403, Text, []byte("nothing can be changed here: the configuration has no admin.token\n")}
	case subtle.ConstantTimeCompare([]byte(token), []byte(want)) != 1:
		return &Response{401, Text, []byte("expected Authorization: Bearer and the token of the configuration\n")}
	}
	return nil
}

// readBody reads a body whose beginning has been read.
func readBody(c net.Conn, r *wire.Request, begin []byte) ([]byte, *Response) {
	switch {
	case r.Body == wire.BodyNone:
		return nil, nil
	case r.Body != wire.BodyLength:
		return nil, &Response{411, Text, []byte("expected a body with Content-Length\n")}
	case r.Length > maxBody:
		return nil, &Response{413, Text, []byte("expected at most 64 MiB\n")}
	}
	body := make([]byte, r.Length)
	n := copy(body, begin)
	if _, err := io.ReadFull(c, body[n:]); err != nil {
		return nil, &Response{400, Text, []byte("the body did not come\n")}
	}
	return body, nil
}

func (s *Server) metrics(ctx context.Context, _ *Request) Response {
	return Response{200, telemetry.ContentType, telemetry.AppendText(nil, s.Collect(ctx))}
}

// Collect asks the workers for their counters.
func (s *Server) Collect(ctx context.Context) *telemetry.Samples {
	ctx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	return s.opt.Registry.Collect(ctx)
}

func (s *Server) help(context.Context, *Request) Response {
	var b strings.Builder
	for _, e := range s.opt.Endpoints {
		b.WriteString(e.Method + " " + e.Path + strings.Repeat(" ", max(24-len(e.Method)-len(e.Path), 1)) + e.Help + "\n")
	}
	return Response{200, Text, []byte(b.String())}
}

func write(c net.Conn, head bool, allow string, r Response) {
	b := h1.AppendStatusLine(nil, r.Status, nil)
	b = h1.AppendField(b, []byte("content-type"), []byte(r.Type))
	b = h1.AppendField(b, []byte("content-length"), strconv.AppendInt(nil, int64(len(r.Body)), 10))
	if allow != "" {
		b = h1.AppendField(b, []byte("allow"), []byte(allow))
	}
	if r.Type == HTML {
		b = append(b, "content-security-policy: default-src 'self' 'unsafe-inline'; img-src data:; frame-ancestors 'none'\r\n"...)
	}
	b = append(b, "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"...)
	if !head {
		b = append(b, r.Body...)
	}
	_, _ = c.Write(b)
}
