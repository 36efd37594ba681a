//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/programs"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// binary is the gateway, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "blitz-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "blitz")
	if err := programs.Build(dir, "blitz"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// engines runs f with each engine.
func engines(t *testing.T, f func(t *testing.T, engine string)) {
	t.Helper()
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) { f(t, engine) })
	}
}

// process is a running gateway.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string // of its first listener

	mu     sync.Mutex
	stderr bytes.Buffer
	read   chan struct{} // closed when stderr has ended
	waited bool
}

// start runs the gateway and waits until it listens. It is killed at the end of the test at the latest.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	p.listens()
	return p
}

// listens waits until the gateway listens, and notes where.
func (p *process) listens() {
	t := p.t
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		for line := range strings.Lines(p.log()) {
			if strings.Contains(line, "listening") {
				_, p.addr, _ = strings.Cut(strings.TrimSpace(line), "address=")
				return
			}
		}
		require.True(t, time.Now().Before(end), "the gateway does not listen: %s", p.log())
		select {
		case <-p.read:
			require.Fail(t, "the gateway ended", p.log())
		default:
		}
	}
}

// launch runs the gateway.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	return launchIn(t, "", nil, args...)
}

// launchIn runs the gateway in a folder, with more environment.
func launchIn(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), read: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	pipe, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.read)
		r := bufio.NewReader(pipe)
		for {
			line, err := r.ReadString('\n')
			p.mu.Lock()
			p.stderr.WriteString(line)
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if !p.waited {
			_ = p.cmd.Process.Kill()
			<-p.read
			_ = p.cmd.Wait()
		}
	})
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// exit waits for the end of the process and returns its exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.read:
	case <-time.After(patience):
		require.Fail(p.t, "the gateway does not end", p.log())
	}
	p.waited = true
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// peak is the most memory that the process ever had in RAM, in bytes.
func (p *process) peak() int64 {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.t, err)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			require.NoError(p.t, err)
			return n << 10
		}
	}
	require.Fail(p.t, "no VmHWM")
	return 0
}

// file writes a configuration.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "blitz.yaml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// proxy is the configuration of a gateway in front of one origin.
func proxy(engine, origin string) string {
	return fmt.Sprintf(`workers: {count: 1, engine: %s}
listeners:
  - {name: edge, address: 127.0.0.1:0}
clusters:
  - {name: up, endpoints: [{address: %s}]}
routes:
  - {match: {path: /hello}, respond: {body: "hello\n"}}
  - {match: {path: /echo/*}, echo: true}
  - {match: {path: /*}, cluster: up}
`, engine, origin)
}

// origin starts a server of Go's library in this process.
func origin(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}

// reflect answers with what it got.
func reflect(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Origin", "yes")
	fmt.Fprintf(w, "%s %s %d bytes\n", r.Method, r.RequestURI, len(b))
}

// tool runs another program with a time limit and returns what it printed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed on this machine", name)
	}
	out, err := exec.Command("timeout", append([]string{"20", path}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
