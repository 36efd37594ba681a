package tlsrec

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// site is a blocking server over Conn for other people's clients. It speaks enough HTTP for curl and echoes to others.
type site struct {
	addr  string
	mu    sync.Mutex
	ended []*ending
	wg    sync.WaitGroup
}

// ending is how a connection went.
type ending struct {
	state   *State
	err     error
	updates int // of the client's keys
	got     string
}

func newSite(t *testing.T, cfg *tls.Config, speak func(*glue, *ending) error) *site {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &site{addr: l.Addr().String()}
	s.wg.Go(func() {
		for {
			sock, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() {
				defer sock.Close()
				_ = sock.SetDeadline(time.Now().Add(20 * time.Second))
				g := newGlue(Server(cfg, Options{Sizer: DefaultSizer}), sock)
				defer g.c.Close()
				end := &ending{}
				end.err = g.handshake()
				if end.err == nil {
					end.state = g.c.State()
					end.err = speak(g, end)
				}
				s.mu.Lock()
				s.ended = append(s.ended, end)
				s.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() { l.Close(); s.wg.Wait() })
	return s
}

// all returns how the connections went that have come so far, once n of them have ended.
func (s *site) all(t *testing.T, n int) []*ending {
	t.Helper()
	var ended []*ending
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		ended = append([]*ending(nil), s.ended...)
		return len(ended) >= n
	}, 10*time.Second, time.Millisecond)
	return ended
}

// speakLines answers every line with itself, and counts the client's KeyUpdates.
func speakLines(g *glue, end *ending) error {
	secret := g.c.in.secret
	for {
		ev, err := g.next()
		if err != nil {
			return err
		}
		if g.c.in.secret != secret {
			end.updates++
			secret = g.c.in.secret
		}
		switch ev.Kind {
		case Data:
			end.got += string(ev.Data)
			if !strings.HasSuffix(end.got, "\n") {
				continue
			}
			last := strings.LastIndexByte(strings.TrimSuffix(end.got, "\n"), '\n') + 1
			if err := g.write([]byte("echo " + end.got[last:])); err != nil {
				return err
			}
		case Closed:
			g.c.CloseNotify()
			return g.flush()
		}
	}
}

// speakHTTP answers one request with a body that takes many records, then closes.
func speakHTTP(g *glue, end *ending) error {
	for !strings.Contains(end.got, "\r\n\r\n") {
		ev, err := g.next()
		if err != nil {
			return err
		}
		if ev.Kind == Closed {
			return io.ErrUnexpectedEOF
		}
		end.got += string(ev.Data)
	}
	body := payload(200_000)
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	if err := g.write([]byte(head)); err != nil {
		return err
	}
	if err := g.write(body); err != nil {
		return err
	}
	g.c.CloseNotify()
	return g.flush()
}

func needTool(t *testing.T, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: only crypto/tls has been our peer", name)
	}
	return path
}

// files writes the authority and a client's identity where other programs can read them.
func files(t *testing.T) (caFile, certFile, keyFile string) {
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	client := ca().issue(t, "client.test")
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	require.NoError(t, err)
	return write("ca.crt", "CERTIFICATE", ca().cert.Raw), write("client.crt", "CERTIFICATE", client.Certificate[0]), write("client.key", "PRIVATE KEY", key)
}

// talk runs openssl s_client, types each line once what was typed before has been answered, and returns what it printed.
// A line that begins with a command letter of s_client gets no answer of ours.
func talk(t *testing.T, s *site, lines []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, needTool(t, "openssl"), append([]string{"s_client", "-connect", s.addr, "-servername", "site.test"}, args...)...)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out := &printed{changed: make(chan struct{}, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	for _, line := range lines {
		wait := "echo " + line
		switch line {
		case "K", "k":
			wait = "KEYUPDATE"
		case "Q":
			wait = ""
		}
		seen := strings.Count(out.String(), wait)
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			break
		}
		for wait != "" && strings.Count(out.String(), wait) == seen {
			select {
			case <-out.changed:
			case <-ctx.Done():
				t.Fatalf("no %q in:\n%s", wait, out.String())
			}
		}
	}
	in.Close()
	err = cmd.Wait()
	return out.String(), err
}

// printed collects output and says when there is more.
type printed struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{}
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
	return p.buf.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

func TestOpenSSLClient(t *testing.T) {
	caFile, certFile, keyFile := files(t)
	plain := newSite(t, serverConfig(), speakLines)
	mutual := serverConfig()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
	private := newSite(t, mutual, speakLines)
	p384 := serverConfig()
	p384.CurvePreferences = []tls.CurveID{tls.CurveP384}
	retry := newSite(t, p384, speakLines)

	cases := []struct {
		name  string
		site  *site
		args  []string
		lines []string
		want  []string
		suite uint16
	}{
		{"AES-128", plain, []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"}, []string{"hello"}, []string{"Cipher is TLS_AES_128_GCM_SHA256"}, tls.TLS_AES_128_GCM_SHA256},
		{"AES-256", plain, []string{"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, []string{"hello"}, []string{"Cipher is TLS_AES_256_GCM_SHA384"}, tls.TLS_AES_256_GCM_SHA384},
		{"ChaCha20", plain, []string{"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, []string{"hello"}, []string{"Cipher is TLS_CHACHA20_POLY1305_SHA256"}, tls.TLS_CHACHA20_POLY1305_SHA256},
		{"X25519", plain, []string{"-tls1_3", "-groups", "X25519"}, []string{"hello"}, []string{"X25519"}, 0},
		{"P-256", plain, []string{"-tls1_3", "-groups", "P-256"}, []string{"hello"}, []string{"ECDH, prime256v1"}, 0},
		{"HelloRetryRequest", retry, []string{"-tls1_3", "-groups", "X25519:P-384"}, []string{"hello"}, []string{"ECDH, secp384r1"}, 0},
		{"ALPN", plain, []string{"-alpn", "foo,http/1.1"}, []string{"hello"}, []string{"ALPN protocol: http/1.1"}, 0},
		{"KeyUpdate", plain, []string{"-tls1_3"}, []string{"one", "k", "two", "K", "three", "K", "k", "four"}, nil, 0},
		{"KeyUpdate, AES-256", plain, []string{"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}, []string{"K", "one", "K", "two"}, nil, 0},
		{"KeyUpdate, ChaCha20", plain, []string{"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, []string{"K", "one", "K", "two"}, nil, 0},
		{"client certificate", private, []string{"-cert", certFile, "-key", keyFile}, []string{"hello"}, nil, 0},
		{"TLS 1.2", plain, []string{"-tls1_2"}, []string{"hello"}, []string{"Protocol  : TLSv1.2"}, 0},
		{"TLS 1.2, client certificate", private, []string{"-tls1_2", "-cert", certFile, "-key", keyFile}, []string{"hello"}, nil, 0},
		{"small fragments", plain, []string{"-tls1_3", "-max_send_frag", "512"}, []string{strings.Repeat("0123456789", 300)}, nil, 0},
		{"padding", plain, []string{"-tls1_3", "-record_padding", "1000"}, []string{"hello"}, nil, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.site.mu.Lock()
			before := len(tc.site.ended)
			tc.site.mu.Unlock()
			got, err := talk(t, tc.site, append(tc.lines, "Q"), append(tc.args, "-CAfile", caFile, "-verify_return_error")...)
			require.NoError(t, err, got)
			for _, want := range append(tc.want, "Verify return code: 0 (ok)") {
				assert.Contains(t, got, want)
			}
			end := tc.site.all(t, before+1)[before]
			require.NoError(t, end.err)
			updates := 0
			for _, l := range tc.lines {
				if l == "K" || l == "k" {
					updates++
				}
			}
			if tc.suite != 0 {
				assert.Equal(t, tc.suite, end.state.Suite)
			}
			if tc.name == "KeyUpdate" {
				updates-- // two in a row are seen as one by what looks only at data
			}
			assert.Equal(t, updates, end.updates)
			if tc.site == private {
				assert.Equal(t, "client.test", end.state.PeerCertificates[0].Subject.CommonName)
			}
		})
	}
}

func TestOpenSSLResumes(t *testing.T) {
	s := newSite(t, serverConfig(), speakLines)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(t.TempDir(), "session")
		out, err := talk(t, s, []string{"one", "Q"}, version, "-sess_out", session)
		require.NoError(t, err)
		require.Contains(t, out, "New, TLSv1")
		for range 2 {
			out, err = talk(t, s, []string{"two", "Q"}, version, "-sess_in", session)
			require.NoError(t, err)
			require.Contains(t, out, "Reused, TLSv1", version)
		}
	}
	ended := s.all(t, 6)
	for i, end := range ended {
		require.NoError(t, end.err)
		assert.Equal(t, i%3 > 0, end.state.Resumed, i)
	}
}

func TestOpenSSLReconnects(t *testing.T) {
	s := newSite(t, serverConfig(), speakLines)
	out, err := talk(t, s, []string{"Q"}, "-tls1_2", "-reconnect")
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(out, "Reused, TLSv1.2"), out)
	resumed := 0
	for _, end := range s.all(t, 6) {
		if end.state.Resumed {
			resumed++
		}
	}
	assert.Equal(t, 5, resumed)
}

func TestOpenSSLIsRefused(t *testing.T) {
	modern := serverConfig()
	modern.MinVersion = tls.VersionTLS13
	mutual := serverConfig()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca().pool
	for _, tc := range []struct {
		name string
		cfg  *tls.Config
		args []string
		code string
		want string
	}{
		{"TLS 1.1", serverConfig(), []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, "protocol_version", "alert protocol version"},
		{"TLS 1.2 where 1.3 is the least", modern, []string{"-tls1_2"}, "protocol_version", "alert protocol version"},
		{"a suite without forward secrecy", serverConfig(), []string{"-tls1_2", "-cipher", "AES128-SHA"}, "no_cipher_suite", "alert handshake failure"},
		{"no client certificate", mutual, []string{"-tls1_3"}, "certificate_required", "alert certificate required"},
		{"unknown ALPN", serverConfig(), []string{"-alpn", "foo"}, "no_application_protocol", "alert no application protocol"},
		{"our issuer is unknown", serverConfig(), []string{"-verify_return_error"}, "remote_unknown_ca", "verify error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, tc.cfg, speakLines)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, needTool(t, "openssl"), append([]string{"s_client", "-connect", s.addr, "-ign_eof"}, tc.args...)...)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, string(out))
			assert.Contains(t, string(out), tc.want)
			var e *Error
			require.ErrorAs(t, s.all(t, 1)[0].err, &e)
			assert.Equal(t, tc.code, e.Code, e.Error())
		})
	}
}

func TestCurl(t *testing.T) {
	curl := needTool(t, "curl")
	caFile, certFile, keyFile := files(t)
	cfg := serverConfig()
	cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, ca().pool
	s := newSite(t, cfg, speakHTTP)
	_, port, _ := net.SplitHostPort(s.addr)
	for i, args := range [][]string{
		{"--tlsv1.3"}, {"--tls-max", "1.2"}, {"--tlsv1.3", "--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256"},
		{"--curves", "P-256"}, {"--cert", certFile, "--key", keyFile},
	} {
		t.Run(strings.Join(args[:1], " "), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, curl, append([]string{"-sS", "--noproxy", "*", "--http1.1", "--cacert", caFile,
				"--resolve", "site.test:" + port + ":127.0.0.1", "https://site.test:" + port + "/"}, args...)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			require.NoError(t, cmd.Run(), stderr.String())
			assert.Equal(t, payload(200_000), stdout.Bytes())
			end := s.all(t, i+1)[i]
			require.NoError(t, end.err)
			assert.Equal(t, "http/1.1", end.state.ALPN)
		})
	}
}
