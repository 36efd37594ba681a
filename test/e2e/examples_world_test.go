//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// stage is what an example needs around it: a folder with certificates and files, and endpoints.
type stage struct {
	t   *testing.T
	dir string
	ca  string // file with the authority's certificate
	env []string
}

func newStage(t *testing.T) *stage { return &stage{t: t, dir: t.TempDir()} }

// certificates makes an authority and certificates for NAME.test, localhost and 127.0.0.1.
func (s *stage) certificates(names ...string) {
	s.t.Helper()
	if s.ca == "" {
		s.ca = authority(s.t, s.dir, names...)
	}
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, text string) string {
	s.t.Helper()
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o700))
	require.NoError(s.t, os.WriteFile(s.path(name), []byte(text), 0o600))
	return s.path(name)
}

// start runs the gateway with the example, in which addresses and files of this machine stand in place of those of the file, as old and new in turn.
// What must be replaced has to be there.
func (s *stage) start(name string, replacements ...string) *process {
	s.t.Helper()
	b, err := os.ReadFile("../../examples/" + name + ".yaml")
	require.NoError(s.t, err)
	for i := 0; i < len(replacements); i += 2 {
		require.Contains(s.t, string(b), replacements[i])
	}
	s.write("blitz.yaml", strings.NewReplacer(replacements...).Replace(string(b)))
	p := launchIn(s.t, s.dir, s.env, "serve", "--config", s.path("blitz.yaml"))
	p.listens()
	return p
}

// listener is the address of a listener of the gateway.
func (p *process) listener(name string) (addr string) {
	p.t.Helper()
	p.until("listener=" + name + " ")
	for line := range strings.Lines(p.log()) {
		if strings.Contains(line, "listener="+name+" ") {
			_, addr, _ = strings.Cut(strings.TrimSpace(line), "address=")
		}
	}
	return addr
}

// tell answers with what the endpoint saw: its name, the protocol, the request line, and then the fields and the body.
func tell(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/ready" {
			_, _ = io.WriteString(w, "ok")
			return
		}
		fmt.Fprintf(w, "at=%s\n%s %s %s\nHost: %s\n", name, r.Proto, r.Method, r.RequestURI, r.Host)
		_ = r.Header.Write(w)
		fmt.Fprintf(w, "\n%s", body)
	}
}

// endpoint starts an origin that speaks HTTP/1.1.
func (s *stage) endpoint(name string) string {
	s.t.Helper()
	return origin(s.t, tell(name))
}

// endpointH2 starts an origin that speaks HTTP/2 with prior knowledge only.
func (s *stage) endpointH2(h http.HandlerFunc) string {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	s.t.Cleanup(func() { srv.Close(); <-done })
	return ln.Addr().String()
}

// endpointTLS starts an origin with the certificate of name, which speaks the protocols by ALPN, and asks for a certificate where mutual.
func (s *stage) endpointTLS(cert string, mutual, h2 bool) string {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(s.path(cert+".crt"), s.path(cert+".key"))
	require.NoError(s.t, err)
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}}
	if mutual {
		cfg.ClientCAs, cfg.ClientAuth = s.roots(), tls.VerifyClientCertIfGiven
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	srv := &http.Server{TLSConfig: cfg, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.TLS.PeerCertificates {
			fmt.Fprintf(w, "from=%s\n", c.Subject.CommonName)
		}
		fmt.Fprintf(w, "sni=%s\n", r.TLS.ServerName)
		tell("tls")(w, r)
	})}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(h2)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ServeTLS(ln, "", "") }()
	s.t.Cleanup(func() { srv.Close(); <-done })
	return ln.Addr().String()
}

// endpointV2 starts an origin that wants a PROXY protocol header, version 2, and answers with the client's address in it.
func (s *stage) endpointV2() string {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				head := make([]byte, 16)
				if _, err := io.ReadFull(c, head); err != nil || string(head[:12]) != "\r\n\r\n\x00\r\nQUIT\n" || head[13] != 0x11 {
					return
				}
				rest := make([]byte, int(head[14])<<8|int(head[15]))
				if _, err := io.ReadFull(c, rest); err != nil || len(rest) < 12 {
					return
				}
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				text := fmt.Sprintf("client=%s:%d\n", net.IP(rest[:4]), int(rest[8])<<8|int(rest[9]))
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			}()
		}
	}()
	return ln.Addr().String()
}

// roots trust the authority.
func (s *stage) roots() *x509.CertPool {
	s.t.Helper()
	pem, err := os.ReadFile(s.ca)
	require.NoError(s.t, err)
	pool := x509.NewCertPool()
	require.True(s.t, pool.AppendCertsFromPEM(pem))
	return pool
}

// names starts a name server: every host is at 127.0.0.1, every service at localhost and port.
func (s *stage) names(port uint16) string {
	s.t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(s.t, err)
	s.t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:n]) != nil || len(q.Questions) != 1 {
				continue
			}
			asked := q.Questions[0]
			m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
			head := dnsmessage.ResourceHeader{Name: asked.Name, Type: asked.Type, Class: dnsmessage.ClassINET, TTL: 60}
			switch asked.Type {
			case dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
			case dnsmessage.TypeSRV:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.SRVResource{Port: port, Target: dnsmessage.MustNewName("one.api.internal.")}}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	return pc.LocalAddr().String()
}

// port of an address.
func port(t *testing.T, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return p
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// answer is a response, whole.
type answer struct {
	*http.Response
	text string
}

// asker asks one listener.
type asker struct {
	t *testing.T
	c *http.Client
	// url is what the paths are appended to.
	url string
}

// ask sends a request to url + path with the method, fields as "Name: value", and returns the whole answer. Redirects are not followed.
func (a *asker) ask(method, path, body string, fields ...string) answer {
	a.t.Helper()
	r, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	require.NoError(a.t, err)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	res, err := a.c.Do(r)
	require.NoError(a.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(a.t, err)
	return answer{res, string(b)}
}

// get asks for path and returns the body of the answer, which must be a 200.
func (a *asker) get(path string, fields ...string) string {
	a.t.Helper()
	r := a.ask("GET", path, "", fields...)
	require.Equal(a.t, 200, r.StatusCode, "%s: %s", path, r.text)
	return r.text
}

// until asks for path until the answer is a 200 that contains want: an endpoint has to be found, or a file to be noticed, first.
func (a *asker) until(path, want string) {
	a.t.Helper()
	last := answer{}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if last = a.ask("GET", path, ""); last.StatusCode == 200 && strings.Contains(last.text, want) {
			return
		}
	}
	require.Fail(a.t, "no such answer", "%s: want %q, have %d %s", path, want, last.StatusCode, last.text)
}

// plain asks over HTTP/1.1, h2 with prior knowledge, secure over TLS with the configuration.
func (s *stage) plain(addr string) *asker { return s.asker("http://"+addr, nil, false) }
func (s *stage) h2(addr string) *asker    { return s.asker("http://"+addr, nil, true) }
func (s *stage) secure(addr, name string, certs ...tls.Certificate) *asker {
	s.t.Helper()
	cfg := &tls.Config{ServerName: name, Certificates: certs, InsecureSkipVerify: s.ca == ""} // a certificate that the gateway made itself
	if s.ca != "" {
		cfg.RootCAs = s.roots()
	}
	return s.asker("https://"+addr, cfg, false)
}

func (s *stage) asker(url string, cfg *tls.Config, h2c bool) *asker {
	tr := &http.Transport{TLSClientConfig: cfg, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!h2c)
	tr.Protocols.SetHTTP2(cfg != nil)
	tr.Protocols.SetUnencryptedHTTP2(h2c)
	s.t.Cleanup(tr.CloseIdleConnections)
	return &asker{s.t, &http.Client{Timeout: patience, Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, url}
}

// raw sends text and returns all that comes back.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(c)
	require.NoError(t, err)
	return b.String()
}

// where is the name of the endpoint that answered.
func (a answer) where() string {
	_, rest, _ := strings.Cut(a.text, "at=")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}
