package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	hlab "github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// recap is a line of what Ansible says at the end of a play.
var recap = regexp.MustCompile(`(?m)^(\S+)\s*: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)`)

// tunings prints what the description sets on a host, segmentation offload asked of the kernel (ethtool's ETHTOOL_GTSO), for a bare host has no ethtool;
// programs names what the roles install, and fails when there is none.
const (
	tunings = `cat /proc/sys/net/core/somaxconn; python3 -c '
import array, fcntl, socket, struct
v = array.array("B", struct.pack("II", 0x1e, 0))
fcntl.ioctl(socket.socket(), 0x8946, struct.pack("16sP16x", b"eth0", v.buffer_info()[0]))
print("tso", struct.unpack("II", v)[1])'`
	programs = "command -v nginx haproxy h2o caddy envoy ethtool blitz blitzload blitzlab"
)

// blitzlab runs the built program in the checkout.
func blitzlab(t *testing.T, bin string, args ...string) string {
	t.Helper()
	out, err := tryBlitzlab(t, bin, args...)
	require.NoError(t, err, out)
	return out
}

func tryBlitzlab(t *testing.T, bin string, args ...string) (string, error) {
	t.Helper()
	root, err := hlab.ModuleRoot()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "blitzlab"), args...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err = cmd.Run()
	t.Logf("blitzlab %s: %v", strings.Join(args, " "), time.Since(began).Round(time.Second))
	return out.String(), err
}

// describe writes machines/lab3.yaml for the hosts and returns its directory.
func (l *laboratory) describe(proxy, load, origin string) string {
	l.t.Helper()
	dir, options := l.t.TempDir(), `["`+strings.Join(l.options(), `", "`)+`"]`
	f := machine.Observe("/")
	cpu := func(n int) string { return fmt.Sprint(n % f.CPUs) }
	text := fmt.Sprintf(`name: lab3
description: three network namespaces of one machine
targets: [blitz, nginx, haproxy, h2o, caddy, envoy]
expect: {virtual: %v, cpus: %d}
tuning:
  sysctls: {net.core.somaxconn: "8192", net.ipv4.ip_local_port_range: "20000 60999"}
nic: {interface: eth0, queues: 1, rps_cpus: "0", offloads: {tcp-segmentation-offload: false}}
hosts:
  - {name: proxy, address: %s, ssh_options: %[4]s, roles: [proxy], cpus: "%[5]s"}
  - {name: load, address: %[6]s, ssh_options: %[4]s, roles: [load], cpus: "%[7]s", generators: 2}
  - {name: origin, address: %[8]s, ssh_options: %[4]s, roles: [origin], cpus: "%[7]s"}
`, f.Virtual(), f.CPUs, proxy, options, cpu(0), load, cpu(1), origin)
	require.NoError(l.t, os.WriteFile(filepath.Join(dir, "lab3.yaml"), []byte(text), 0o644))
	return dir
}

// changes counts what Ansible changed on each host, and fails if a host was not reached.
func changes(t *testing.T, out string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, m := range recap.FindAllStringSubmatch(out, -1) {
		require.Equal(t, "0", m[3], out)
		require.Equal(t, "0", m[4], out)
		got[m[1]] = m[2]
	}
	require.Len(t, got, 3, out)
	return got
}

// Three bare hosts become a laboratory, a second provisioning finds nothing to do, a bench runs over them with two generators, and the tunings go again.
func TestThreeHosts(t *testing.T) {
	if os.Getenv("BLITZ_LAB_TEST") == "" {
		t.Skip("takes minutes and installs packages in hosts of its own: make lab-test")
	}
	l := newLaboratory(t)
	root, err := hlab.ModuleRoot()
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, hlab.Build(context.Background(), root, bin, hlab.Revision(context.Background(), root), "blitz", "blitzload", "blitzlab"))
	require.NoError(t, hlab.Install(context.Background(), []string{"caddy"}, func(s string) { t.Log(s) }))
	require.NoError(t, os.Symlink(filepath.Join(target.CacheDir(), "caddy"), filepath.Join(bin, "caddy")))
	proxy, load, origin := l.start("proxy", 0), l.start("load", 1), l.start("origin", 2)
	for _, addr := range []string{proxy, load, origin} {
		out, err := l.ssh(addr, programs)
		require.Error(t, err, "a bare host has none of these: %s", out)
	}
	before, err := l.ssh(proxy, tunings)
	require.NoError(t, err, before)
	require.Contains(t, before, "tso 1")
	dir, packages := l.describe(proxy, load, origin), l.packages()
	provision := []string{"provision", "--machine", "lab3", "--machines", dir, "--bin-dir", bin, "--set", "lab_apt_proxy=" + packages,
		"--set", "envoy_url=" + packages + "/envoy", "--set", fmt.Sprintf("envoy_sha256=%x", sha256.Sum256([]byte(standIn)))}

	changes(t, blitzlab(t, bin, append(provision, "--check", "--tags", "tuning,targets")...))
	out, err := l.ssh(proxy, tunings)
	require.NoError(t, err, out)
	require.Equal(t, before, out, "--check changes nothing")
	out, err = l.ssh(proxy, programs)
	require.Error(t, err, "--check installs nothing: %s", out)
	for _, sum := range []string{"", strings.Repeat("0", 64)} {
		said, err := tryBlitzlab(t, bin, append(provision, "--tags", "envoy", "--set", "envoy_sha256="+sum)...)
		require.Error(t, err, said)
		assert.Contains(t, said, map[bool]string{true: "envoy_sha256 is not set", false: "did not match"}[sum == ""])
	}

	for host, n := range changes(t, blitzlab(t, bin, provision...)) {
		assert.NotEqual(t, "0", n, host)
	}
	second := blitzlab(t, bin, provision...)
	assert.Equal(t, map[string]string{"proxy": "0", "load": "0", "origin": "0"}, changes(t, second), second)
	now, err := l.ssh(proxy, tunings+"; cat /sys/class/net/eth0/queues/rx-0/rps_cpus; grep -c nofile /etc/security/limits.d/90-blitzlab.conf")
	require.NoError(t, err, now)
	assert.Regexp(t, `^8192\ntso 0\n0*1\n2$`, now)
	now, err = l.ssh(proxy, "nginx -v; haproxy -v; h2o --version; caddy version; envoy --version; cat /etc/blitzlab/facts.json")
	require.NoError(t, err, now)
	for _, has := range []string{"nginx version: ", "HAProxy version ", "h2o version ", "v2\\.", "stand-in", `"caddy": ?"v2\.`, `"h2o": ?"h2o version `, `"envoy": ?"envoy  version: `} {
		assert.Regexp(t, has, now)
	}
	for _, p := range strings.Fields("nginx haproxy h2o caddy envoy") {
		out, err = l.ssh(load, "command -v "+p)
		assert.Error(t, err, "roles are of the hosts that have them: %s", out)
	}

	results := t.TempDir()
	blitzlab(t, bin, "bench", "--machine", "lab3", "--machines", dir, "--scenario", "h1-static,h1-proxy-1k", "--targets", "blitz,nginx,haproxy,h2o,caddy", "--pairs", "1",
		"--duration", "500ms", "--connections", "16", "--out", results, "--force", "--no-report")
	all, err := result.ReadAll(results)
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, r := range all {
		require.Len(t, r.Machine.Hosts, 3)
		for _, h := range r.Machine.Hosts {
			assert.Contains(t, string(h.Facts), `"fingerprint"`, h.Name)
			assert.Positive(t, h.ClockBoundMicros)
		}
		require.Len(t, r.Targets, 5)
		for _, s := range r.Samples {
			require.Len(t, s.Generators, 2, "%s: %v", s.Target, s.Invalid)
			assert.Equal(t, s.Load.Responses, s.Generators[0].Responses+s.Generators[1].Responses)
		}
		t.Logf("%s: %d samples of %d targets", r.Scenario.Name, len(r.Samples), len(r.Targets))
	}
	for _, addr := range []string{proxy, load, origin} {
		out, err := l.ssh(addr, "ps -e -o comm=")
		require.NoError(t, err)
		assert.NotRegexp(t, `(?m)^(blitz|blitzload|blitzlab|nginx|haproxy|h2o|caddy)$`, out, "the bench leaves nothing running")
	}

	changes(t, blitzlab(t, bin, append(provision, "--undo")...))
	after, err := l.ssh(proxy, tunings)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	after, err = l.ssh(proxy, "ls /etc/security/limits.d; command -v caddy h2o")
	require.NoError(t, err, "what was installed stays: %s", after)
	assert.NotContains(t, after, "blitzlab")
}

// The short form: one host, and a role in check mode.
func TestOneHostInCheckMode(t *testing.T) {
	if os.Getenv("BLITZ_LAB_TEST") != "" {
		t.Skip("TestThreeHosts does all of this and more")
	}
	l := newLaboratory(t)
	addr := l.start("smoke", 0)
	out, err := l.ssh(addr, "hostname -I 2>/dev/null; cat /proc/1/comm")
	require.NoError(t, err, out)
	assert.Contains(t, out, "sshd", "the host has processes of its own")
	play := filepath.Join(t.TempDir(), "play.yml")
	root, err := hlab.ModuleRoot()
	require.NoError(t, err)
	text := "- hosts: all\n  gather_facts: false\n  roles: [{role: kernel, vars: {kernel_settings: [{path: /proc/sys/net/core/somaxconn, value: '9999'}]}}]\n"
	require.NoError(t, os.WriteFile(play, []byte(text), 0o644))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ansible-playbook", "-i", addr+",", "-u", "root", "--ssh-common-args="+strings.Join(l.options(), " "), "--check", play)
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+filepath.Join(root, "ansible", "ansible.cfg"), "LC_ALL=C.UTF-8")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	assert.Regexp(t, `changed=1 .*failed=0`, string(said))
	now, err := l.ssh(addr, "cat /proc/sys/net/core/somaxconn")
	require.NoError(t, err)
	assert.NotEqual(t, "9999", now)
}
