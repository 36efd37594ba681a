package provision

import (
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
)

func example() machine.Spec {
	return machine.Spec{
		Name:   "lab",
		Expect: machine.Expect{CPUs: 4, OpenFiles: 100000, Governor: "performance"},
		Tuning: &machine.Tuning{Boost: "off", SMT: "off", MaxCState: 1, THP: "madvise", Clocksource: "tsc", Sysctls: map[string]string{"net.core.somaxconn": "4096"}},
		Hosts: []machine.Host{
			{Name: "p", Address: "192.0.2.1", SSH: "admin@192.0.2.101", Port: 2222, SSHOptions: []string{"-i", "my key"}, Roles: []string{"proxy"}, CPUs: machine.CPUSet{0},
				NIC: &machine.NIC{Interface: "eth0", Queues: 4, RxRing: 1024, IRQCPUs: machine.CPUSet{0, 1}, RPSCPUs: machine.CPUSet{1, 33}, Offloads: map[string]bool{"generic-receive-offload": true}}},
			{Name: "l", Address: "192.0.2.2", Roles: []string{"load", "origin"}, CPUs: machine.CPUSet{0}},
		},
	}
}

type inventory struct {
	All struct {
		Hosts    map[string]map[string]any
		Vars     map[string]any
		Children map[string]struct{ Hosts map[string]any }
	}
}

func read(t *testing.T, s machine.Spec, o Options) inventory {
	t.Helper()
	b, err := Inventory(s, o)
	require.NoError(t, err)
	var v inventory
	require.NoError(t, yaml.Unmarshal(b, &v), string(b))
	return v
}

func TestInventory(t *testing.T) {
	v := read(t, example(), Options{BinDir: "/bin", Extra: map[string]string{"envoy_sha256": "abc"}})
	p, l := v.All.Hosts["p"], v.All.Hosts["l"]
	assert.Equal(t, "192.0.2.101", p["ansible_host"])
	assert.Equal(t, "admin", p["ansible_user"])
	assert.EqualValues(t, 2222, p["ansible_port"])
	assert.Equal(t, "-i 'my key'", p["ansible_ssh_common_args"])
	assert.Equal(t, "root", l["ansible_user"])
	assert.EqualValues(t, 100000, p["limits_open_files"])
	assert.Equal(t, "0-1", p["nic_irq_cpus"])
	assert.Equal(t, "", l["nic_interface"])
	assert.Equal(t, []any{map[string]any{"path": "/sys/class/net/eth0/queues/rx-*/rps_cpus", "value": "2,00000002"}}, p["nic_settings"])
	assert.Contains(t, v.All.Children["proxies"].Hosts, "p")
	assert.Contains(t, v.All.Children["origins"].Hosts, "l")
	assert.Equal(t, "present", v.All.Vars["kernel_state"])
	assert.Equal(t, "abc", v.All.Vars["envoy_sha256"])
	assert.NotContains(t, v.All.Vars["lab_targets"], "envoy", "it comes from outside Debian, for those who ask for it")

	v = read(t, example(), Options{Undo: true})
	assert.Equal(t, "undone", v.All.Vars["nic_state"])
	assert.Equal(t, true, v.All.Vars["lab_undo"])
}

func TestKernelSettings(t *testing.T) {
	s := example()
	got := map[string]string{}
	for _, k := range KernelSettings(s.Tuning, s.Expect.Governor) {
		got[k.Path] = k.Value
	}
	assert.Equal(t, map[string]string{
		"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor":       "performance",
		"/sys/devices/system/cpu/cpufreq/boost":                            "0",
		"/sys/devices/system/cpu/smt/control":                              "off",
		"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state2/disable":         "1",
		"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state3/disable":         "1",
		"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state4/disable":         "1",
		"/sys/devices/system/cpu/cpu[0-9]*/cpuidle/state5/disable":         "1",
		"/sys/kernel/mm/transparent_hugepage/enabled":                      "madvise",
		"/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
		"/proc/sys/net/core/somaxconn":                                     "4096",
	}, got)
}

// A machine without hosts is provisioned where it is, in all roles; every description of the tree makes an inventory.
func TestEveryDescriptionMakesAnInventory(t *testing.T) {
	files, err := filepath.Glob("../../machines/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		s, err := machine.Load(f)
		require.NoError(t, err)
		v := read(t, s, Options{})
		for _, role := range []string{"proxies", "generators", "origins"} {
			assert.NotEmpty(t, v.All.Children[role].Hosts, "%s: %s", f, role)
		}
		if !s.Distributed() {
			assert.Equal(t, "local", v.All.Hosts[s.Name]["ansible_connection"])
		}
	}
}
