package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/proc"
)

const (
	bridge  = "blitzlab0"
	network = "10.213.77."
	gateway = network + "1"
)

// script makes a host of a network namespace: its own mounts and processes, an overlay as its root, without what is to be installed, and sshd as its
// first process. $1 is a directory of the host, $2 one with keys.
const script = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
root="$1/root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mkdir -p "$root/run/sshd"
cp "$2/host" "$2/host.pub" "$2/client.pub" "$root/etc/ssh/"
chmod 600 "$root/etc/ssh/host"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" dpkg --purge --force-all nginx nginx-core nginx-light nginx-full nginx-common haproxy h2o ethtool </dev/null >/dev/null 2>&1 || true
rm -rf "$root/usr/sbin/policy-rc.d" "$root/etc/blitzlab" "$root/var/lib/blitzlab" "$root/etc/security/limits.d/90-blitzlab.conf" \
	"$root"/etc/systemd/system/nginx.service "$root"/etc/systemd/system/haproxy.service "$root"/etc/systemd/system/h2o.service \
	"$root"/usr/local/bin/blitz* "$root"/usr/local/bin/caddy "$root"/usr/local/bin/envoy "$root$HOME/.cache/blitzlab"
exec chroot "$root" /usr/sbin/sshd -D -e -f /dev/null -o HostKey=/etc/ssh/host -o AuthorizedKeysFile=/etc/ssh/client.pub -o UsePAM=yes \
	-o PermitRootLogin=prohibit-password -o PasswordAuthentication=no -o StrictModes=no -o PrintMotd=no -o Subsystem="sftp internal-sftp"
`

// watcher ends the hosts should the test itself be killed.
var watcher *proc.Watcher

func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_WATCH") != "" {
		proc.Watch(os.Stdin)
		return
	}
	w, err := proc.StartWatcher("/usr/bin/env", "LAB_TEST_WATCH=1", os.Args[0])
	if err != nil {
		panic(err)
	}
	watcher = w
	code := m.Run()
	_ = w.Close()
	os.Exit(code)
}

// need skips with the reason when this machine cannot have such hosts.
func need(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces, mounts and sshd need root")
	}
	for _, p := range []string{"ip", "unshare", "/usr/sbin/sshd", "ssh", "ssh-keygen", "ansible-playbook"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed: apt-get install iproute2 util-linux openssh-server openssh-client ansible-core", p)
		}
	}
	if out, err := exec.Command("unshare", "-mpn", "--fork", "true").CombinedOutput(); err != nil {
		t.Skipf("this machine permits no namespaces: %v: %s", err, out)
	}
	if b, err := os.ReadFile("/proc/filesystems"); err != nil || !bytes.Contains(b, []byte("\toverlay\n")) {
		t.Skip("this kernel has no overlay file system")
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return strings.TrimSpace(string(out))
}

// laboratory is a bridge with hosts.
type laboratory struct {
	t    *testing.T
	keys string
}

func newLaboratory(t *testing.T) *laboratory {
	t.Helper()
	need(t)
	l := &laboratory{t: t, keys: t.TempDir()}
	if _, err := net.InterfaceByName(bridge); err == nil {
		t.Fatalf("there is a %s already: another lab-test runs, or one was killed (then: ip link del %s; ip netns del blitzlab-NAME)", bridge, bridge)
	}
	for _, k := range []string{"host", "client"} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", filepath.Join(l.keys, k))
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", bridge).Run() })
	run(t, "ip", "link", "add", bridge, "type", "bridge")
	run(t, "ip", "addr", "add", gateway+"/24", "dev", bridge)
	run(t, "ip", "link", "set", bridge, "up")
	return l
}

// options of ssh to every host.
func (l *laboratory) options() []string {
	return []string{"-i", filepath.Join(l.keys, "client"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + filepath.Join(l.keys, "known")}
}

// start makes host n and waits for its sshd. Its address is returned.
func (l *laboratory) start(name string, n int) (addr string) {
	t := l.t
	t.Helper()
	addr = fmt.Sprintf("%s%d", network, n+10)
	ns, outside := "blitzlab-"+name, fmt.Sprintf("blitzlab%d", n+1)
	run(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	run(t, "ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", ns)
	run(t, "ip", "link", "set", outside, "master", bridge, "up")
	for _, args := range [][]string{{"addr", "add", addr + "/24", "dev", "eth0"}, {"link", "set", "eth0", "up"}, {"link", "set", "lo", "up"}} {
		run(t, "ip", append([]string{"-n", ns}, args...)...)
	}
	var log bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", ns, "unshare", "-m", "-p", "--propagation", "private", "--fork", "--kill-child", "sh", "-c", script, "host", t.TempDir(), l.keys)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	require.NoError(t, cmd.Start())
	watcher.Add(cmd.Process.Pid)
	t.Cleanup(func() {
		defer watcher.Remove(cmd.Process.Pid)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and with unshare its child, which is the first process of all others there
		_ = cmd.Wait()
	})
	pub, err := os.ReadFile(filepath.Join(l.keys, "host.pub"))
	require.NoError(t, err)
	known, err := os.OpenFile(filepath.Join(l.keys, "known"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = fmt.Fprintf(known, "%s %s", addr, pub)
	require.NoError(t, err)
	require.NoError(t, known.Close())
	if !awaitPort(addr + ":22") {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		t.Fatalf("sshd of %s does not answer: %s", name, log.String())
	}
	return addr
}

func awaitPort(addr string) bool {
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return true
		}
	}
	return false
}

// ssh runs a command on a host.
func (l *laboratory) ssh(addr, command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", append(append([]string{"-o", "BatchMode=yes"}, l.options()...), "root@"+addr, command)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// standIn takes Envoy's place: no package repository that this test may ask has Envoy, so its role is shown to fetch, check and install one file.
const standIn = "#!/bin/sh\necho 'envoy  version: 0000/0.0.0/stand-in'\n"

// packages serves the hosts' apt as a proxy, and /envoy: they have no way out themselves, and this machine's routing stays as it is.
func (l *laboratory) packages() (url string) {
	ln, err := net.Listen("tcp", gateway+":0")
	require.NoError(l.t, err)
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/envoy" && !r.URL.IsAbs() { // HEAD as well: check mode asks so
			_, _ = io.WriteString(w, standIn)
			return
		}
		if r.Method != http.MethodGet || !r.URL.IsAbs() {
			http.Error(w, "GET of a whole URL only", http.StatusBadRequest)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI = ""
		res, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		for k, v := range res.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	})}
	go func() { _ = s.Serve(ln) }()
	l.t.Cleanup(func() { _ = s.Close() })
	return "http://" + ln.Addr().String()
}
