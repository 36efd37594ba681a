package machine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree writes a fake /proc and /sys.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		p := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text+"\n"), 0o644))
	}
	return root
}

func byName(checks []Check) map[string]Check {
	out := map[string]Check{}
	for _, c := range checks {
		out[c.Name] = c
	}
	return out
}

func good() map[string]string {
	const cpu, net = "sys/devices/system/cpu/", "sys/class/net/eth0/"
	return map[string]string{
		"proc/sys/kernel/osrelease": "6.8.0-generic", "proc/cmdline": "root=/dev/sda mitigations=off", cpu + "online": "0-3", cpu + "cpufreq/boost": "0",
		cpu + "smt/control": "off", cpu + "cpu0/cpuidle/state0/disable": "0", cpu + "cpu0/cpuidle/state1/disable": "0", cpu + "cpu0/cpuidle/state2/disable": "1",
		cpu + "isolated": "2-3", "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc", "sys/devices/system/node/online": "0-1",
		"sys/devices/system/node/node1/cpulist": "2-3", "proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/ip_local_port_range": "1024\t65535",
		net + "mtu": "1500", net + "speed": "100000", net + "device/numa_node": "1", net + "device/msi_irqs/41": "msix", net + "device/msi_irqs/42": "msix",
		"proc/irq/41/smp_affinity_list": "2", "proc/irq/42/smp_affinity_list": "3",
		net + "queues/rx-0/rps_cpus": "00000000", net + "queues/rx-1/rps_cpus": "00000000", net + "queues/tx-0/xps_cpus": "0000000c",
		cpu + "cpu3/cpuidle/state2/disable": "1", cpu + "cpu0/cpufreq/scaling_governor": "performance", cpu + "cpu3/cpufreq/scaling_governor": "performance",
		cpu + "cpu0/thermal_throttle/package_throttle_count": "0", cpu + "cpu2/thermal_throttle/core_throttle_count": "0",
		cpu + "cpu2/topology/thread_siblings_list": "2", cpu + "cpu3/topology/thread_siblings_list": "3",
	}
}

func described() Spec {
	node := 1
	return Spec{
		Name: "x", Roles: Roles{Server: CPUSet{2, 3}, Load: CPUSet{0, 1}, Origin: CPUSet{1}},
		Tuning: &Tuning{Kernel: "6.6", Boost: "off", SMT: "off", MaxCState: 1, THP: "madvise", Mitigations: "off", Isolated: CPUSet{2, 3}, Clocksource: "tsc", NUMANodes: 2,
			Sysctls: map[string]string{"net.core.somaxconn": "4096", "net.ipv4.ip_local_port_range": "1024 65535"}},
		NIC: &NIC{Interface: "eth0", SpeedMbit: 100000, MTU: 1500, Queues: 2, IRQCPUs: CPUSet{2, 3}, XPSCPUs: CPUSet{2, 3}, NUMANode: &node},
	}
}

func examine(t *testing.T, files map[string]string) map[string]Check {
	t.Helper()
	root, s := tree(t, files), described()
	all := append(tuned(s.Tuning, Observe(root), root), network(s.NIC, s.Roles, root, nil)...)
	all = append(all, placement(s.Roles, root)...)
	heat := ReadThrottles(root)
	all = append(all, throttled(heat, heat, time.Second, false), governor("performance", "", root))
	return byName(all)
}

func TestAMachineAsDescribedHasNothingToMend(t *testing.T) {
	for name, c := range examine(t, good()) {
		assert.Equal(t, OK, c.Status, "%s: %s", name, c.Observed)
		assert.Empty(t, c.Mend, name)
	}
}

// Each file that says something else makes its own check warn, with a reason and a mend, and no other check.
func TestEachMissIsFoundAndExplained(t *testing.T) {
	const cpu, net = "sys/devices/system/cpu/", "sys/class/net/eth0/"
	for file, miss := range map[string]struct{ text, check, seen string }{
		"proc/sys/kernel/osrelease":                                       {"6.1.0", "kernel", "6.1.0, expected 6.6"},
		"proc/cmdline":                                                    {"root=/dev/sda", "mitigations", "on, expected off"},
		cpu + "cpufreq/boost":                                             {"1", "boost", "on, expected off"},
		cpu + "smt/control":                                               {"on", "SMT", "on, expected off"},
		cpu + "cpu0/cpuidle/state2/disable":                               {"0", "C-states", "2, expected 1 at most"},
		cpu + "cpu3/cpuidle/state2/disable":                               {"0", "C-states", "2, expected 1 at most"},
		cpu + "cpu0/cpufreq/scaling_governor":                             {"powersave", "governor", "performance, powersave, expected performance"},
		cpu + "cpu3/cpufreq/scaling_governor":                             {"schedutil", "governor", "performance, schedutil, expected performance"},
		cpu + "isolated":                                                  {"", "isolated CPUs", "none, expected 2-3"},
		"sys/kernel/mm/transparent_hugepage/enabled":                      {"[always] madvise never", "huge pages as described", "always, expected madvise"},
		"sys/devices/system/clocksource/clocksource0/current_clocksource": {"hpet", "clocksource as described", "hpet, expected tsc"},
		"sys/devices/system/node/online":                                  {"0", "NUMA nodes", "1, expected 2"},
		"proc/sys/net/core/somaxconn":                                     {"128", "net.core.somaxconn", "128, expected 4096"},
		net + "mtu":                                                       {"9000", "eth0 MTU", "9000, expected 1500"},
		net + "speed":                                                     {"1000", "eth0 speed", "1000, expected 100000"},
		net + "queues/rx-1/rps_cpus":                                      {"00000003", "eth0 RPS", "0 3, expected 0"},
		net + "queues/tx-0/xps_cpus":                                      {"00000001", "eth0 XPS", "1, expected c"},
		"proc/irq/42/smp_affinity_list":                                   {"0", "eth0 interrupts", "0,2, expected within 2-3"},
		net + "device/numa_node":                                          {"0", "eth0 NUMA node", "0, expected 1"},
		"sys/devices/system/node/node1/cpulist":                           {"1-2", "eth0 NUMA node", "another node"},
		cpu + "cpu0/thermal_throttle/package_throttle_count":              {"7", "throttling", "7 times"},
		cpu + "cpu2/thermal_throttle/core_throttle_count":                 {"2", "throttling", "2 times"},
		cpu + "cpu2/topology/thread_siblings_list":                        {"0,2", "cores", "CPUs 2 and 0"},
	} {
		files := good()
		files[file] = miss.text
		for name, c := range examine(t, files) {
			if name != miss.check {
				assert.Equal(t, OK, c.Status, "%s changed, and %s says %s", file, name, c.Observed)
				continue
			}
			assert.Equal(t, Warn, c.Status, file)
			assert.Contains(t, c.Observed, miss.seen)
			assert.NotEmpty(t, c.Reason, name)
			assert.NotEmpty(t, c.Mend, name)
		}
	}
}

func TestWhatAMachineDoesNotShowIsSaid(t *testing.T) {
	files := good()
	delete(files, "sys/devices/system/cpu/cpufreq/boost")
	c := examine(t, files)["boost"]
	assert.Equal(t, Warn, c.Status)
	assert.Equal(t, "not shown by this machine, expected off", c.Observed)
	s := described()
	s.NIC.Interface = "eth9"
	gone := network(s.NIC, s.Roles, tree(t, good()), nil)
	require.Len(t, gone, 1)
	assert.Contains(t, gone[0].Observed, "eth9 does not exist")
}

// A description that asks for a governor is not met by a machine that shows none; one that does not ask is.
func TestAGovernorThatIsNotShown(t *testing.T) {
	root := t.TempDir()
	assert.Equal(t, OK, governor("", "", root).Status)
	c := governor("performance", "", root)
	assert.Equal(t, Warn, c.Status)
	assert.Equal(t, "not shown by this machine, expected performance", c.Observed)
	assert.Equal(t, Warn, governor("", "ondemand", root).Status)
}

func TestATakenAwayCPUIsNoticed(t *testing.T) {
	_, ok := interrupted(nil)
	assert.False(t, ok)
	c, _ := interrupted(map[int]Gap{0: {Share: 0.001, Longest: 90 * time.Microsecond}, 1: {Share: 0.004, Longest: 60 * time.Microsecond}})
	assert.Equal(t, OK, c.Status)
	assert.Contains(t, c.Observed, "0.4 % of the time, up to 90µs")
	c, _ = interrupted(map[int]Gap{0: {}, 1: {Share: 0.5, Longest: 4 * time.Millisecond}})
	assert.Equal(t, Warn, c.Status)
	assert.Contains(t, c.Observed, "CPU 1 for 50.0 % of the time, up to 4ms")
	assert.NotContains(t, c.Observed, "CPU 0")
	assert.NotEmpty(t, c.Mend)
}

func TestASlowCPUIsNoticed(t *testing.T) {
	_, ok := neighbours(map[int]time.Duration{0: 5})
	assert.False(t, ok, "one CPU has no neighbours")
	c, _ := neighbours(map[int]time.Duration{0: 1000, 1: 1050})
	assert.Equal(t, OK, c.Status)
	c, _ = neighbours(map[int]time.Duration{0: 1000, 1: 1250, 2: 1000})
	assert.Equal(t, Warn, c.Status)
	assert.Contains(t, c.Observed, "CPU 1 by 25 %")
}
