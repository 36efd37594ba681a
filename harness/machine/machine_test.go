package machine

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCPUSet(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "0-3,8": "0-3,8", "3,1,2": "1-3", " 5 , 5": "5"} {
		s, err := ParseCPUSet(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, s.String())
	}
	for _, in := range []string{"", "a", "1-", "3-1", "-1", "0-4000000000", "1,,2"} {
		_, err := ParseCPUSet(in)
		assert.Error(t, err, in)
	}
	assert.True(t, CPUSet{0, 1}.Overlaps(CPUSet{1, 2}))
	assert.False(t, CPUSet{0}.Overlaps(CPUSet{1}))
}

// Every published description must load; a wrong one must be refused with the reason.
func TestDescriptions(t *testing.T) {
	files, err := filepath.Glob("../../machines/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		_, err := Load(f)
		assert.NoError(t, err)
	}
	good, err := os.ReadFile("../../machines/vm-2core.yaml")
	require.NoError(t, err)
	for want, edit := range map[string][2]string{
		"unknown":    {"name:", "nom: x\nname:"},
		"shared":     {`load: "1"`, `load: "0"`},
		"does not e": {`load: "1"`, `load: "7"`},
		"must each":  {`load: "1"`, `load: ""`},
		"at least 1": {"cpus: 2", "cpus: 0"},
		"CPU list":   {`load: "1"`, `load: "x"`},
	} {
		text := strings.Replace(string(good), edit[0], edit[1], 1)
		require.NotEqual(t, string(good), text)
		_, err := parse([]byte(text))
		assert.ErrorContains(t, err, want)
	}
	_, err = parse(nil)
	assert.Error(t, err)
}

// fakeRoot builds a small /proc and /sys.
func fakeRoot(t *testing.T, files map[string]string) string {
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
	}
	return root
}

func vm(t *testing.T) string {
	return fakeRoot(t, map[string]string{
		"proc/cpuinfo":                                                    "model name\t: AMD EPYC\nflags\t\t: fpu hypervisor avx2\n\nmodel name\t: AMD EPYC\n",
		"proc/meminfo":                                                    "MemTotal:       24684012 kB\nMemFree: 1 kB\n",
		"proc/cmdline":                                                    "console=ttyS0 root=/dev/vda mitigations=off ip=10.0.0.1 nosmt",
		"proc/sys/kernel/osrelease":                                       "6.18.44\n",
		"proc/sys/net/core/somaxconn":                                     "4096\n",
		"proc/sys/net/ipv4/ip_local_port_range":                           "32768\t60999\n",
		"sys/devices/system/cpu/online":                                   "0-1\n",
		"sys/kernel/mm/transparent_hugepage/enabled":                      "always [madvise] never\n",
		"sys/devices/system/cpu/vulnerabilities/mds":                      "Not affected\n",
		"sys/devices/system/cpu/vulnerabilities/melt":                     "Mitigation: PTI\n",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "kvm-clock\n",
		"proc/stat": "cpu  20 0 20 200 0 0 0 0 0 0\ncpu0 10 0 10 100 0 0 0 0 0 0\ncpu1 10 0 10 100 0 0 0 0 0 0\nintr 1\n",
	})
}

func TestFingerprintOfAVM(t *testing.T) {
	f := Observe(vm(t))
	assert.True(t, f.Virtual(), "a VM is called a VM")
	assert.Equal(t, "KVM", f.Hypervisor)
	assert.Equal(t, 2, f.CPUs)
	assert.Equal(t, int64(24684012)<<10, f.MemoryBytes)
	assert.Equal(t, "madvise", f.THP)
	assert.Equal(t, map[string]string{"melt": "Mitigation: PTI"}, f.Mitigations)
	assert.Equal(t, "mitigations=off nosmt", f.CommandLine, "addresses and devices are not published")
	assert.Equal(t, "32768 60999", f.Sysctls["net.ipv4.ip_local_port_range"])

	s, err := Find("../../machines", "", f)
	require.NoError(t, err)
	assert.Equal(t, "vm-2core", s.Name)

	f.CPUs, f.Hypervisor = 8, ""
	s, err = Find("../../machines", "", f)
	require.NoError(t, err)
	assert.Equal(t, "metal-8cpu", s.Name)
	assert.Equal(t, "0-3", s.Roles.Server.String())
	assert.Equal(t, "4-7", s.Roles.Load.String())
	f.CPUs = 1
	_, err = Find("../../machines", "", f)
	assert.Error(t, err)
}

func TestActivity(t *testing.T) {
	before := parseTicks([]byte("cpu0 100 0 0 100 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n"))
	after := parseTicks([]byte("cpu0 150 0 0 150 0 0 0 0 0 0\ncpu1 0 0 0 200 0 0 0 0 0 0\n"))
	a := activity(before, after)
	assert.Equal(t, map[int]float64{0: 0.5, 1: 0}, a.Busy)
	assert.ErrorContains(t, a.Quiet(), "CPU 0 is 50 %")

	stolen := activity(before, parseTicks([]byte("cpu0 100 0 0 190 0 0 0 10 0 0\ncpu1 0 0 0 200 0 0 0 0 0 0\n")))
	assert.ErrorContains(t, stolen.Quiet(), "hypervisor")
	assert.NoError(t, activity(before, before).Quiet())
}

func TestDoctor(t *testing.T) {
	root := vm(t)
	s, err := Load("../../machines/vm-2core.yaml")
	s.Tuning = &Tuning{MemlockKiB: 65536} // the rest has its own tests
	require.NoError(t, err)
	f := Observe(root)
	o := Options{Root: root, Sample: time.Millisecond, FileLimit: 20000, MemlockKiB: 65536}
	checks := Doctor(context.Background(), s, f, o)
	require.NoError(t, Unfit(checks))
	for _, c := range checks {
		assert.Equal(t, OK, c.Status, "%+v", c)
		assert.NotEmpty(t, c.Reason)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	bad := f
	bad.Hypervisor, bad.Governor, bad.THP, bad.Clocksource, bad.Sysctls = "", "powersave", "always", "hpet", map[string]string{"net.ipv4.tcp_congestion_control": "bbr"}
	o.Ports, o.FileLimit, o.MemlockKiB, o.Uring = []int{l.Addr().(*net.TCPAddr).Port}, 1024, 64, os.ErrPermission
	for _, c := range Doctor(context.Background(), s, bad, o) {
		if c.Name == "load" {
			continue
		}
		assert.NotEqual(t, OK, c.Status, "%+v", c)
		assert.NotEmpty(t, c.Mend, c.Name)
	}
	assert.ErrorContains(t, Unfit(Doctor(context.Background(), s, bad, o)), "something answers already")
	got := byName(checks)
	for _, name := range []string{
		"identity", "load", "governor", "open files", "somaxconn", "port range", "io_uring", "congestion control", "clocksource", "huge pages", "locked memory", "throttling",
	} {
		assert.Contains(t, got, name)
	}
}

func TestPortFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	assert.Error(t, PortFree(addr))
	require.NoError(t, l.Close())
	assert.NoError(t, PortFree(addr))
}
