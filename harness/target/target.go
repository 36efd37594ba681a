package target

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
)

// StaticPath is answered by the target itself with StaticBody. Any other path is forwarded when the plan has an origin.
const (
	StaticPath = "/hello"
	StaticBody = "Hello, World!"
)

// ErrNotFound says that a system's executable is not on this machine.
var ErrNotFound = errors.New("not installed")

// Binary is a located executable.
type Binary struct {
	Path string `json:"-"`
	// Version as the program tells it, one line.
	Version string `json:"version"`
}

// Plan is everything a configuration depends on.
type Plan struct {
	// Dir is an empty directory for the configuration, logs and whatever the program writes.
	Dir string
	// Host and Port to listen on.
	Host string
	Port int
	// OriginHost and OriginPort of the upstream; port 0 means that there is none.
	OriginHost string
	OriginPort int
	// AdminPort is where blitz shows its own counters to the gate; 0, as in every bench, means that it does not.
	AdminPort int
	// TLS on the listener, with this pair in PEM; nil for none. The files are CertFile, KeyFile and BothFile in Dir.
	TLS *Pair
	// H2: the listener speaks HTTP/2, over TLS by ALPN beside HTTP/1.1, otherwise with prior knowledge.
	H2 bool
	// Proxied: requests are forwarded; otherwise the target answers them by itself.
	Proxied bool
	// OriginH2: HTTP/2 with prior knowledge to the upstream. GRPC: the requests are unary calls.
	OriginH2, GRPC bool
	// Closing: clients ask for the end of the connection with each request, in HTTP/1.1.
	Closing bool
	// CPUs of the server and the number of workers, one each.
	CPUs []int
	// ExtraArgs are appended to the command line.
	ExtraArgs []string
	// Endpoints ("HOST:PORT") of a plan for a Balancer; OriginPort is not used then.
	Endpoints []string
	// Marker is the answer to MarkerPath, Routes the number of further routes and WebSocketPort where WebSocketPath goes, of a plan for a Reloader.
	Marker        string
	Routes        int
	WebSocketPort int
	// Through is a command to which the target's own is appended, such as one that enters a network namespace; it must become the target.
	Through []string
}

// Addr is where the target will answer.
func (p Plan) Addr() string { return net.JoinHostPort(p.Host, fmt.Sprint(p.Port)) }

// Origin is the address of the upstream, "" without one.
func (p Plan) Origin() string {
	if p.OriginPort == 0 {
		return ""
	}
	return net.JoinHostPort(p.OriginHost, fmt.Sprint(p.OriginPort))
}

// Workers is one per CPU.
func (p Plan) Workers() int { return len(p.CPUs) }

// CPUList is "0,1,2".
func (p Plan) CPUList() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(p.CPUs)), ","), "[]")
}

// StaticPath and StaticBody are for the templates.
func (p Plan) StaticPath() string { return StaticPath }

// StaticBody is the body of the static answer.
func (p Plan) StaticBody() string { return StaticBody }

// Files of a pair, in the run's directory, which is where every target is started.
const (
	CertFile = "cert.pem"
	KeyFile  = "key.pem"
	BothFile = "both.pem"
)

// Pair is a certificate and its key in PEM.
type Pair struct{ Cert, Key []byte }

// CertFile is for the templates.
func (p Plan) CertFile() string { return CertFile }

// KeyFile is for the templates.
func (p Plan) KeyFile() string { return KeyFile }

// BothFile holds certificate and key, for the templates.
func (p Plan) BothFile() string { return BothFile }

// Account is the user that runs this, for systems that would change to another one, to which the run's directory is closed.
func (p Plan) Account() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}

// Limited is a target that cannot do everything. Unsupported says why it cannot do what the plan asks for, "" if it can.
type Limited interface{ Unsupported(Plan) string }

// File is one rendered configuration file.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Launch is a rendered target: its files and its command line.
type Launch struct {
	Args  []string
	Env   []string
	Files []File
}

// Target is one system.
type Target interface {
	// Name as used on the command line and in results.
	Name() string
	// Locate finds the executable and asks it for its version; ErrNotFound if there is none.
	Locate(context.Context) (Binary, error)
	// Render fills in the tuned configuration. It touches no file.
	Render(Plan) (Launch, error)
}

// RenderFile executes a template with a plan, or a type that embeds one. An unknown field is an error.
func RenderFile(name, text string, p any) (File, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return File{}, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return File{}, err
	}
	return File{Name: name, Text: b.String()}, nil
}

// LocateBy finds an executable by name (or takes a path as it is), runs it with args and takes the first line that contains mark as its
// version.
func LocateBy(ctx context.Context, name, mark string, args ...string) (Binary, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		// Debian keeps servers in directories that an ordinary user's PATH lacks.
		for _, dir := range []string{CacheDir(), "/usr/sbin", "/usr/local/sbin", "/usr/local/bin"} {
			if p, e := exec.LookPath(filepath.Join(dir, name)); e == nil {
				path, err = p, nil
				break
			}
		}
	}
	if err != nil {
		return Binary{}, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return Binary{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.Contains(line, mark) && line != "" {
			return Binary{Path: path, Version: line}, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no line with %q", mark)
	}
	return Binary{}, fmt.Errorf("%s %s: %w", path, strings.Join(args, " "), err)
}

// CacheDir is where targets are kept that are built from source.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "blitzlab", "bin")
}

// Running is a started target.
type Running struct {
	Target Target
	Binary Binary
	Plan   Plan
	Launch Launch
	*proc.Process
}

// Start writes the configuration and forks the program, without waiting for it to answer.
func Start(set *proc.Set, t Target, bin Binary, plan Plan) (*Running, error) {
	l, err := t.Render(plan)
	if err != nil {
		return nil, fmt.Errorf("%s: render: %w", t.Name(), err)
	}
	for _, f := range l.Files {
		if err := os.WriteFile(filepath.Join(plan.Dir, f.Name), []byte(f.Text), 0o644); err != nil {
			return nil, err
		}
	}
	if pair := plan.TLS; pair != nil {
		for name, b := range map[string][]byte{CertFile: pair.Cert, KeyFile: pair.Key, BothFile: append(append([]byte(nil), pair.Cert...), pair.Key...)} {
			if err := os.WriteFile(filepath.Join(plan.Dir, name), b, 0o600); err != nil {
				return nil, err
			}
		}
	}
	command := slices.Concat(plan.Through, []string{bin.Path}, l.Args, plan.ExtraArgs)
	p, err := set.Start(proc.Spec{
		Path: command[0], Args: command[1:], Env: l.Env, Dir: plan.Dir, CPUs: plan.CPUs,
		Log: filepath.Join(plan.Dir, "log"),
	})
	if err != nil {
		return nil, err
	}
	return &Running{Target: t, Binary: bin, Plan: plan, Launch: l, Process: p}, nil
}

// AwaitReady polls until the target answers GET path with 200 on a fresh connection. The error holds the end of the program's log.
func (r *Running) AwaitReady(ctx context.Context, path string, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	last := errors.New("not asked yet")
	for {
		select {
		case <-r.Done():
			return fmt.Errorf("%s ended before it answered (%s): %s", r.Target.Name(), r.Exit(), r.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %v: %w: %s", r.Target.Name(), atMost, last, r.LogTail())
		case <-time.After(2 * time.Millisecond):
		}
		status, err := get(ctx, r.Plan, path)
		switch {
		case err != nil:
			last = err
		case status != http.StatusOK:
			last = fmt.Errorf("status %d", status)
		default:
			return nil
		}
	}
}

func get(ctx context.Context, p Plan, path string) (int, error) {
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the pair is ours
	defer tr.CloseIdleConnections()
	scheme := "http://"
	if p.TLS != nil {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+p.Addr()+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := (&http.Client{Transport: tr, Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// Stop ends the target's process group.
func (r *Running) Stop() error { return r.Process.Stop(3 * time.Second) }
