// Package workload renders what a run will send: every request as finished bytes, once, before the clock starts.
//
// It imports vegeta's target reader and internal/wire. What flows through: a URL with options, or a file of targets,
// goes in; an address and a list of rendered requests come out, which all connections share and only read.
package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"sort"
	"strconv"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"golang.org/x/net/http/httpguts"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// Spec is what to send.
type Spec struct {
	// URL of the server; with Targets it may be empty.
	URL string
	// Method of the request to URL: GET by default, POST with a body.
	Method string
	// Headers are "Name: value" lines, added to every request. A Host header replaces the one of the URL.
	Headers []string
	// Body of the request to URL, and of the targets that have none.
	Body []byte
	// Targets, when set, is read in vegeta's HTTP target format. Its requests are sent in turn.
	Targets io.Reader
	// Close asks the server to close the connection after each response.
	Close bool
	// H2 renders for HTTP/2. GRPC makes each body one message of gRPC and adds the fields that a call needs.
	H2, GRPC bool
}

// Request is one rendered request.
type Request struct {
	// Bytes are head and body as they go to the wire.
	Bytes []byte
	// Method decides how the response is framed (RFC 9112 section 6.3).
	Method wire.Method
	// For HTTP/2: three encodings of the head, and the body. Block means the same on every connection. Insert puts fields
	// into the table of a connection that has none there yet, and Indexed refers to them; both are nil if there are none.
	Block, Insert, Indexed []byte
	Body                   []byte
}

// Size is the size of the request as it goes out first, head and body.
func (r *Request) Size() int {
	if r.Block == nil {
		return len(r.Bytes)
	}
	return len(r.Block) + len(r.Body)
}

// Workload is the rendered requests and where they go.
type Workload struct {
	// URL and Method of the first request, for the record.
	URL, Method string
	// HostPort is the server's name and port. TLS: the URL says https.
	HostPort string
	TLS      bool
	Requests []Request
}

// target is one request before rendering.
type target struct {
	url    *url.URL
	method string
	header http.Header
	body   []byte
}

// New renders a Spec. It does no network I/O.
func New(s Spec) (*Workload, error) {
	extra, err := parseHeaders(s.Headers)
	if err != nil {
		return nil, err
	}
	targets, err := s.targets(extra)
	if err != nil {
		return nil, err
	}
	w := &Workload{URL: targets[0].url.String(), Method: targets[0].method}
	for i, t := range targets {
		hp, err := hostPort(t.url)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			w.HostPort, w.TLS = hp, t.url.Scheme == "https"
		} else if hp != w.HostPort || w.TLS != (t.url.Scheme == "https") {
			return nil, fmt.Errorf("targets go to %s and to %s: one run loads one server", w.URL, t.url)
		}
		if s.H2 {
			continue
		}
		b, err := render(t, s.Close)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", t.method, t.url, err)
		}
		w.Requests = append(w.Requests, Request{Bytes: b, Method: wire.LookupMethod([]byte(t.method))})
	}
	if s.H2 {
		w.Requests, err = renderH2(targets, s.GRPC)
	}
	return w, err
}

func (s Spec) targets(extra http.Header) ([]target, error) {
	if s.Targets == nil {
		u, err := url.Parse(s.URL)
		if err != nil {
			return nil, err
		}
		m := s.Method
		if m == "" {
			m = http.MethodGet
			if len(s.Body) > 0 {
				m = http.MethodPost
			}
		}
		return []target{{u, m, extra, s.Body}}, nil
	}
	if s.URL != "" || s.Method != "" {
		return nil, errors.New("a targets file brings its own URLs and methods: give either the file or a URL")
	}
	vs, err := vegeta.ReadAllTargets(vegeta.NewHTTPTargeter(s.Targets, s.Body, extra))
	if err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	out := make([]target, 0, len(vs))
	for _, v := range vs {
		u, err := url.Parse(v.URL)
		if err != nil {
			return nil, fmt.Errorf("targets: %w", err)
		}
		out = append(out, target{u, v.Method, v.Header, v.Body})
	}
	return out, nil
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, l := range lines {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("header %q: expected Name: value", l)
		}
		h[name] = append(h[name], strings.TrimSpace(value))
	}
	return h, nil
}

func hostPort(u *url.URL) (string, error) {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%s: expected http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH", u)
	case u.Hostname() == "":
		return "", fmt.Errorf("%s: has no host", u)
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// render writes a request in HTTP/1.1. Fields that decide the framing are ours alone: given by hand they could
// make the server read another request than the one that is timed.
func render(t target, closing bool) ([]byte, error) {
	if !isToken(t.method) {
		return nil, fmt.Errorf("method %q is not a token", t.method)
	}
	h, err := t.head()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", t.method, t.url.RequestURI(), h.host)
	if h.userAgent != "" {
		fmt.Fprintf(&b, "User-Agent: %s\r\n", h.userAgent)
	}
	for _, f := range h.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	if t.hasLength() {
		b.WriteString("Content-Length: " + strconv.Itoa(len(t.body)) + "\r\n")
	}
	if closing {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\n")
	b.Write(t.body)
	return b.Bytes(), nil
}

// head is what the fields of a target come to: the ones with a place of their own, and the others, sorted by name.
type head struct {
	host, userAgent string
	fields          [][2]string
}

func (t target) head() (head, error) {
	h := head{host: t.url.Host, userAgent: "blitzload"}
	names := make([]string, 0, len(t.header))
	for n := range t.header {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, v := range t.header[name] {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return h, fmt.Errorf("header %q: %q is not a valid field", name, v)
			}
			switch textproto.CanonicalMIMEHeaderKey(name) {
			case "Host":
				h.host = v
			case "User-Agent":
				h.userAgent = v
			case "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect":
				return h, fmt.Errorf("header %q is set by blitzload itself", name)
			default:
				h.fields = append(h.fields, [2]string{name, v})
			}
		}
	}
	return h, nil
}

// hasLength tells whether the request says how long its body is.
func (t target) hasLength() bool {
	return len(t.body) > 0 || t.method == http.MethodPost || t.method == http.MethodPut || t.method == http.MethodPatch
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !httpguts.IsTokenRune(r) }) < 0
}

// Resolve finds the address of the server. Of several it takes the first: a run loads one address, whose name is in the record.
func (w *Workload) Resolve(ctx context.Context) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(w.HostPort)
	if err != nil {
		return netip.AddrPort{}, err
	}
	p, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(a, uint16(p)), nil
	}
	as, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(as[0].Unmap(), uint16(p)), nil
}
