package server

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Servers that others wrote, as HTTP/2 upstreams: whatever they send is what gateways meet. nginx and h2o stand before an origin of Go, nghttpd has
// files and an echo of its own. All have /text, a 404 at /missing, and send back what is posted.
const (
	nginxH2 = `daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  client_max_body_size 0; keepalive_requests 50;
  server {
    listen ADDRESS SSLhttp2;
    CERTIFICATES
    location / { proxy_pass http://ORIGIN; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off; }
  }
}
`
	h2oH2 = `num-threads: 1
listen:
  host: 127.0.0.1
  port: PORT
CERTIFICATES
hosts:
  default:
    paths:
      /:
        proxy.reverse.url: http://ORIGIN/
`
)

// h2Server starts one of these servers until the test ends, and returns its address. It skips when the server is not installed.
func h2Server(t *testing.T, name, cert, key string) string {
	t.Helper()
	if name == "go" {
		h := func(w http.ResponseWriter, r *http.Request) { echoOrigin(w, r) }
		if cert == "" {
			return serveH2(t, h)
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		require.NoError(t, err)
		return serveTLS(t, "h2", &tls.Config{Certificates: []tls.Certificate{pair}}, h)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Skip(name + " is not installed; .ci/deps lists what the tests use")
		}
	}
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	require.NoError(t, err)
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	require.NoError(t, ln.Close())
	conf := filepath.Join(dir, "server.conf")
	origin := ""
	if name != "nghttpd" {
		origin = serve(t, echoOrigin)
	}
	write := func(text, ssl, certificates string) {
		if cert == "" {
			ssl, certificates = "", ""
		}
		text = strings.NewReplacer("DIR", dir, "ADDRESS", addr, "PORT", port, "ORIGIN", origin, "SSL", ssl, "CERTIFICATES", certificates).Replace(text)
		require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	}
	var args []string
	switch name {
	case "nginx":
		write(nginxH2, "ssl ", fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", cert, key))
		args = []string{"-p", dir, "-c", conf, "-e", filepath.Join(dir, "start.log")}
	case "h2o":
		write(h2oH2, "", fmt.Sprintf("  ssl:\n    certificate-file: %s\n    key-file: %s", cert, key))
		args = []string{"-c", conf}
	case "nghttpd":
		require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), []byte("some text"), 0o600))
		args = []string{"-a", "127.0.0.1", "-d", dir, "--echo-upload", "--trailer", "x-sum: 42", "-m", "20"}
		if cert == "" {
			args = append(args, "--no-tls", port)
		} else {
			args = append(args, port, key, cert)
		}
	}
	cmd := exec.Command(path, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() {
		select {
		case <-done:
			t.Errorf("%s ended before its time: %v %s", name, cmd.ProcessState, said.String())
		default:
		}
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-done:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-done
		}
	})
	require.Eventually(t, func() bool {
		select {
		case <-done:
			return true
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond)
	select {
	case <-done:
		t.Fatalf("%s has ended: %s", name, said.String())
	default:
	}
	return addr
}

// echoOrigin is what the servers have in common.
func echoOrigin(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		w.Header().Set("Trailer", "X-Sum")
		b, _ := io.ReadAll(r.Body) // an HTTP/1.1 server of Go does not read on while it writes
		_, _ = w.Write(b)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
	case r.URL.Path == "/text":
		_, _ = io.WriteString(w, "some text")
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "not here")
	}
}

func TestH2UpstreamServers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "ca")
	_, cert, key := ca.issue("127.0.0.1")
	for _, name := range []string{"go", "nghttpd", "nginx", "h2o"} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", name, secure), func(t *testing.T) {
				t.Parallel()
				s := setup{cluster: "protocol: h2"}
				if secure {
					s.endpoints = []string{h2Server(t, name, cert, key)}
					s.cluster += ", tls: {ca: " + ca.file + "}"
				} else {
					s.endpoints = []string{h2Server(t, name, "", "")}
				}
				for _, engine := range []string{"uring", "epoll"} {
					t.Run(engine, func(t *testing.T) {
						g := gate(t, engine, s)
						h1 := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
						exerciseH2Server(t, g, h1, false)
						h1.CloseIdleConnections()
						h2 := g.transport()
						exerciseH2Server(t, g, h2, name == "go" || name == "nghttpd")
						h2.CloseIdleConnections()
						g.end()
						n := g.counters()
						if name == "nginx" { // after 50 requests; those that it did not look at any more are repeated
							require.Greater(t, n.UpstreamGoAways, uint64(2))
							require.Greater(t, n.UpstreamConnects, n.UpstreamGoAways)
						} else {
							require.Zero(t, n.UpstreamRetries)
							require.Less(t, n.UpstreamConnects, uint64(10))
						}
					})
				}
			})
		}
	}
}

// clients is how many ask at once.
const clients = 24

// exerciseH2Server asks a server through g for everything it has. An HTTP/1.1 client gets no trailers where a length is known.
func exerciseH2Server(t *testing.T, g *gateway, client *http.Client, trailers bool) {
	ask := func(method, path string, body []byte) (int, []byte, http.Header, error) {
		r, err := http.NewRequest(method, "http://"+g.addr+path, bytes.NewReader(body))
		if err != nil {
			return 0, nil, nil, err
		}
		res, err := client.Do(r)
		if err != nil {
			return 0, nil, nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, b, res.Trailer, err
	}
	large := make([]byte, 1<<20)
	_, _ = rand.Read(large)
	post := func(body []byte) {
		status, b, trailer, err := ask("POST", "/echo-it", body)
		if err != nil || status != 200 || !bytes.Equal(b, body) {
			t.Errorf("POST of %d bytes: %d, %d bytes, %v", len(body), status, len(b), err)
		}
		if trailers && trailer.Get("X-Sum") != "42" {
			t.Errorf("POST of %d bytes: trailers %v", len(body), trailer)
		}
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range 4 {
				status, b, _, err := ask("GET", "/text", nil)
				if err != nil || status != 200 || string(b) != "some text" {
					t.Errorf("GET /text: %d %q %v", status, b, err)
				}
				if status, _, _, err = ask("GET", "/missing", nil); err != nil || status != 404 {
					t.Errorf("GET /missing: %d %v", status, err)
				}
				if status, b, _, err = ask("HEAD", "/text", nil); err != nil || status != 200 || len(b) > 0 {
					t.Errorf("HEAD /text: %d %q %v", status, b, err)
				}
			}
			post(large[:(i+1)*1000])
		})
	}
	all.Wait()
	post(large) // alone: it is too large to be repeated when a server goes away
}
