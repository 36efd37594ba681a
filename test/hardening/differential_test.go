package hardening

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/stretchr/testify/require"
)

// view is what one server made of a client's bytes: the requests it understood, in one notation, and what it answered last. Requests that do
// not name the case, because a mutation has removed its word, are left out everywhere.
type view struct {
	requests []string
	status   int
	code     string // why Blitz refused
}

// A reader of requests under comparison.
type reader interface {
	read(in, word string) (view, error)
}

// frontend is a proxy whose upstream is an origin of its own.
type frontend struct {
	addr string
	o    *origin
}

func (f frontend) read(in, word string) (view, error) {
	answer, err := converse(f.addr, in)
	if err != nil {
		return view{}, err
	}
	v := parseAnswer(answer)
	found, _ := f.o.with(word)
	for _, s := range found {
		if !strings.Contains(s.line+s.body, word) {
			continue
		}
		host := ""
		for line := range strings.SplitSeq(s.head, "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "host") {
				host = strings.TrimSpace(value)
			}
		}
		v.requests = append(v.requests, notation(s.line, host, s.body))
	}
	return v, nil
}

// converse sends in and returns everything that comes back until the server closes, which its short timeouts make sure of.
func converse(addr, in string) (string, error) {
	conn, err := dial(addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var writer sync.WaitGroup
	writer.Go(func() { io.WriteString(conn, in) })
	b, err := io.ReadAll(conn.r)
	conn.Close()
	writer.Wait()
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return "", fmt.Errorf("%s does not close", addr)
	}
	return string(b), nil // a reset is an end, too
}

var statusLine = regexp.MustCompile(`HTTP/1\.1 \d{3} `)

// parseAnswer looks at the last response.
func parseAnswer(s string) (v view) {
	if all := statusLine.FindAllStringIndex(s, -1); len(all) > 0 {
		s = s[all[len(all)-1][0]:]
	}
	if len(s) > 12 {
		v.status, _ = strconv.Atoi(s[9:12])
	}
	if _, body, ok := strings.Cut(s, "\r\n\r\n"); ok && v.status >= 400 {
		if parts := strings.SplitN(body, ": ", 3); len(parts) == 3 {
			v.code = parts[1]
		}
	}
	return v
}

// notation writes a request in the form in which servers are compared: the target as its normal path and query.
func notation(line, host, body string) string {
	method, target, _ := strings.Cut(line, " ")
	for _, scheme := range []string{"http://", "https://"} {
		if len(target) >= len(scheme) && strings.EqualFold(target[:len(scheme)], scheme) {
			target = target[len(scheme):]
			if i := strings.IndexAny(target, "/?"); i >= 0 {
				target = target[i:]
			} else {
				target = ""
			}
			if !strings.HasPrefix(target, "/") {
				target = "/" + target
			}
		}
	}
	path, query, has := strings.Cut(target, "?")
	if norm, _, err := wire.NormalizePath(nil, []byte(path), wire.NormalizeOptions{}); err == nil {
		path = string(norm)
	}
	if has {
		path += "?" + query
	}
	return fmt.Sprintf("%s %s %s %q", method, path, strings.ToLower(host), body)
}

// library is Go's own server.
type library struct {
	addr string
	mu   sync.Mutex
	seen map[string][]string // by client address
}

func startLibrary(t *testing.T) *library {
	l := &library{seen: map[string][]string{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.addr = ln.Addr().String()
	s := &http.Server{
		ReadTimeout: shortly, IdleTimeout: shortly,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen[r.RemoteAddr] = append(l.seen[r.RemoteAddr], notation(r.Method+" "+r.RequestURI, r.Host, string(body)))
		}),
	}
	var done sync.WaitGroup
	done.Go(func() { s.Serve(ln) })
	t.Cleanup(func() {
		s.Close()
		done.Wait()
	})
	return l
}

func (l *library) read(in, word string) (view, error) {
	conn, err := dial(l.addr)
	if err != nil {
		return view{}, err
	}
	defer conn.Close()
	me := conn.LocalAddr().String()
	var writer sync.WaitGroup
	writer.Go(func() { io.WriteString(conn, in) })
	b, err := io.ReadAll(conn.r)
	conn.Close()
	writer.Wait()
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return view{}, fmt.Errorf("net/http does not close")
	}
	v := parseAnswer(string(b))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.seen[me] {
		if strings.Contains(q, word) {
			v.requests = append(v.requests, q)
		}
	}
	delete(l.seen, me)
	return v, nil
}

// shortly is the timeout of all three servers: how long an unfinished request keeps its connection.
const shortly = 400 * time.Millisecond

const nginxConfig = `
daemon off;
master_process off;
pid DIR/pid;
error_log DIR/error.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  client_header_timeout 400ms;
  client_body_timeout 400ms;
  keepalive_timeout 400ms;
  lingering_close off;
  server {
    listen ADDRESS;
    location / {
      proxy_pass http://UPSTREAM;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }
}
`

// startNginx runs nginx in front of an origin until the test ends.
func startNginx(t *testing.T) frontend {
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed, and it is half of the comparison")
	}
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	o := startOrigin(t)
	conf := strings.NewReplacer("DIR", dir, "ADDRESS", addr, "UPSTREAM", o.addr()).Replace(nginxConfig)
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-p", dir, "-c", file, "-e", filepath.Join(dir, "start.log"))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
	})
	require.True(t, settle(func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}), "nginx does not listen")
	return frontend{addr, o}
}

const differentialConfig = `
listeners:
  - {name: plain, address: "127.0.0.1:0", timeouts: {header: 400ms, idle: 400ms, body_idle: 400ms}, server_name: ""}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
routes:
  - {match: {path: /*}, cluster: app}
`

// The same bytes go to Blitz, to net/http and to nginx: the table of malformed requests, and mutations of good ones. What Blitz forwards, net/http must
// have understood the same way; what only Blitz accepts is a fault; every other difference is documented.
func TestDifferential(t *testing.T) {
	t.Parallel()
	nginx := startNginx(t)
	o := startOrigin(t)
	g := start(t, "epoll", differentialConfig, o.addr())
	readers := []reader{frontend{g.addr(0), o}, startLibrary(t), nginx}

	seed := uint64(1)
	if s := os.Getenv("BLITZ_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "BLITZ_SEED")
	}
	type input struct{ name, in string }
	var inputs []input
	for _, list := range [][]requestCase{framingCases, chunkCases, lineCases, fieldCases, targetCases, pathCases, versionCases, methodCases, pipelineCases} {
		for _, c := range list {
			if c.listener == plain && c.in != "" {
				inputs = append(inputs, input{c.name, c.in})
			}
		}
	}
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range mutations {
		inputs = append(inputs, input{fmt.Sprintf("mutation %d of seed %d", i, seed), mutate(rnd)})
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, 96)
	var mu sync.Mutex
	met, refused := map[string]int{}, map[string]int{}
	for i, c := range inputs {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var in, verdict, code string
			var bad bool
			for try := range 3 { // on a busy machine a timeout may pretend a difference
				word := fmt.Sprintf("d%05d%d.", i, try)
				in = text(c.in, word)
				var views [3]view
				var err error
				for j, r := range readers {
					if views[j], err = r.read(in, word); err != nil {
						break
					}
				}
				if err != nil {
					verdict, bad = err.Error(), true
					continue
				}
				code = views[0].code
				if verdict, bad = judge(in, views[0], views[1], views[2]); !bad {
					break
				}
			}
			if bad {
				t.Errorf("%s: %s\n%.600q", c.name, verdict, in)
			}
			mu.Lock()
			met[verdict]++
			refused[code]++
			mu.Unlock()
		})
	}
	all.Wait()
	require.Empty(t, o.complaints())
	for verdict, n := range met {
		t.Logf("%5d %s", n, verdict)
	}
	require.Greater(t, met["same"], len(inputs)/5, "most of the comparisons compare nothing")
	for code := range stricter {
		require.NotZero(t, refused[code], "a documented difference that does not exist: nothing is refused as %s", code)
	}
}
