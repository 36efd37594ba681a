//go:build linux

package chaos

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second

// insideEnv tells that the namespaces are there.
const insideEnv = "BLITZ_CHAOS_INSIDE"

func TestMain(m *testing.M) {
	if addr := os.Getenv(originEnv); addr != "" {
		os.Exit(origin(addr))
	}
	os.Exit(m.Run())
}

// endpoint is one origin process, and what is wrong with it.
type endpoint struct {
	t     *testing.T
	addr  string
	posts string
	ns    int // process whose network namespace it lives in, 0: ours
	cmd   *exec.Cmd
}

func (e *endpoint) start() {
	e.t.Helper()
	self, err := os.Executable()
	require.NoError(e.t, err)
	e.cmd = exec.Command(self)
	if e.ns != 0 {
		e.cmd = exec.Command("nsenter", "-t", strconv.Itoa(e.ns), "-n", self)
	}
	e.cmd.Env = append(os.Environ(), originEnv+"="+e.addr, "BLITZ_CHAOS_POSTS="+e.posts)
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(e.t, e.cmd.Start())
	require.Eventually(e.t, func() bool {
		c, err := net.DialTimeout("tcp", e.addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, patience, 5*time.Millisecond)
}

func (e *endpoint) signal(s syscall.Signal) { _ = e.cmd.Process.Signal(s) }

func (e *endpoint) kill() {
	e.signal(syscall.SIGKILL)
	_ = e.cmd.Wait()
}

// network makes a second namespace, connected to ours by a pair of virtual interfaces, and returns a process that lives in it. Endpoints there are cut off by
// sending their packets to a hardware address that nobody has.
func network(t *testing.T) (ns int, cut func(bool)) {
	t.Helper()
	run := func(args ...string) string {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, out)
		return strings.TrimSpace(string(out))
	}
	holder := exec.Command("unshare", "--net", "--", "sleep", "3600")
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	pid := strconv.Itoa(holder.Process.Pid)
	mine := readlink(t, "/proc/self/ns/net")
	require.Eventually(t, func() bool { return readlink(t, "/proc/"+pid+"/ns/net") != mine }, patience, time.Millisecond)
	run("ip", "link", "set", "lo", "up")
	run("ip", "link", "add", "chaos0", "type", "veth", "peer", "name", "chaos1")
	run("ip", "link", "set", "chaos1", "netns", pid)
	run("ip", "addr", "add", "10.99.0.1/24", "dev", "chaos0")
	run("ip", "link", "set", "chaos0", "up")
	run("nsenter", "-t", pid, "-n", "ip", "addr", "add", "10.99.0.2/24", "dev", "chaos1")
	run("nsenter", "-t", pid, "-n", "ip", "link", "set", "chaos1", "up")
	run("nsenter", "-t", pid, "-n", "ip", "link", "set", "lo", "up")
	var station string
	for _, word := range strings.Fields(run("nsenter", "-t", pid, "-n", "ip", "-o", "link", "show", "chaos1")) {
		if hw, err := net.ParseMAC(word); err == nil && hw[0] != 0xff {
			station = word
			break
		}
	}
	require.NotEmpty(t, station)
	cut = func(on bool) {
		to := station
		if on {
			to = "02:00:00:00:00:99"
		}
		run("ip", "neigh", "replace", "10.99.0.2", "lladdr", to, "dev", "chaos0", "nud", "permanent")
	}
	cut(false)
	return holder.Process.Pid, cut
}

func readlink(t *testing.T, name string) string {
	s, err := os.Readlink(name)
	require.NoError(t, err)
	return s
}

// gateway is the process under test.
type gateway struct {
	t           *testing.T
	addr, admin string
}

func free(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// budget of retries in the configuration: percent, and per second.
const percent, perSecond = 20, 10

func startGateway(t *testing.T, binary string, endpoints []*endpoint) *gateway {
	t.Helper()
	g := &gateway{t: t, addr: free(t), admin: free(t)}
	var b bytes.Buffer
	engine := os.Getenv("BLITZ_CHAOS_ENGINE")
	if engine == "" {
		engine = "auto"
	}
	fmt.Fprintf(&b, "workers: {count: 1, engine: %s}\nadmin: {address: %q}\nlisteners:\n  - {address: %q}\nclusters:\n  - name: api\n    endpoints:\n", engine, g.admin, g.addr)
	for _, e := range endpoints {
		fmt.Fprintf(&b, "      - {address: %q}\n", e.addr)
	}
	fmt.Fprintf(&b, `    timeouts: {connect: 200ms, first_byte: 2s}
    balance: p2c
    retries: 3
    retry: {when: [connect, reset, timeout, refused], per_try: 250ms, backoff: 5ms, budget: {percent: %d, min: %d}}
    health_check: {path: /ready, interval: 100ms, timeout: 200ms, unhealthy: 2, healthy: 2}
    outlier: {consecutive_5xx: 5, consecutive_connect: 3, base_ejection: 500ms, max_ejection: 2s}
routes:
  - {cluster: api}
`, percent, perSecond)
	name := filepath.Join(t.TempDir(), "blitz.yaml")
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	cmd := exec.Command(binary, "serve", "--config", name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		require.NoError(t, cmd.Wait(), "the gateway ends in order")
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool { return g.healthy() == len(endpoints) }, patience, 10*time.Millisecond)
	return g
}

// metric reads one metric, labels included in name; -1 when there is none.
func (g *gateway) metric(name string) float64 {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + g.admin + "/metrics")
	if err != nil {
		return -1
	}
	defer r.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		return -1
	}
	for line := range strings.Lines(b.String()) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			require.NoError(g.t, err)
			return f
		}
	}
	return -1
}

func (g *gateway) healthy() int {
	return int(g.metric(`blitz_cluster_endpoints{cluster="api",state="healthy"}`))
}
