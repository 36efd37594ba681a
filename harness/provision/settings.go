package provision

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/machine"
)

// Setting is a file of the kernel and what it should say.
type Setting struct {
	Path  string `yaml:"path"`
	Value string `yaml:"value"`
}

// KernelSettings are the files that a tuning asks for, and governor's. What can only be set on the kernel's command line (mitigations, isolated CPUs) or
// by another kernel is left to whoever installs the host: the doctor says when it is missing.
func KernelSettings(t *machine.Tuning, governor string) []Setting {
	out := []Setting{}
	add := func(path, value string) { out = append(out, Setting{path, value}) }
	const cpus = "/sys/devices/system/cpu/"
	if governor != "" {
		add(cpus+"cpu[0-9]*/cpufreq/scaling_governor", governor)
	}
	if t == nil {
		return out
	}
	onOff := map[string]string{"on": "1", "off": "0"}
	if v, ok := onOff[t.Boost]; ok {
		add(cpus+"cpufreq/boost", v)
	}
	if t.SMT != "" {
		add(cpus+"smt/control", t.SMT)
	}
	if t.MaxCState > 0 {
		for deep := t.MaxCState + 1; deep <= t.MaxCState+4; deep++ {
			add(fmt.Sprintf("%scpu[0-9]*/cpuidle/state%d/disable", cpus, deep), "1")
		}
	}
	if t.THP != "" {
		add("/sys/kernel/mm/transparent_hugepage/enabled", t.THP)
	}
	if t.Clocksource != "" {
		add("/sys/devices/system/clocksource/clocksource0/current_clocksource", t.Clocksource)
	}
	for _, k := range slices.Sorted(maps.Keys(t.Sysctls)) {
		add("/proc/sys/"+strings.ReplaceAll(k, ".", "/"), t.Sysctls[k])
	}
	return out
}

// NICSettings are the files of receive and transmit steering.
func NICSettings(n *machine.NIC) []Setting {
	out := []Setting{}
	if n == nil {
		return out
	}
	for _, s := range []struct {
		queues, file string
		cpus         machine.CPUSet
	}{{"rx", "rps_cpus", n.RPSCPUs}, {"tx", "xps_cpus", n.XPSCPUs}} {
		if len(s.cpus) > 0 {
			out = append(out, Setting{fmt.Sprintf("/sys/class/net/%s/queues/%s-*/%s", n.Interface, s.queues, s.file), s.cpus.Mask()})
		}
	}
	return out
}

// ethtool is what the module tune calls so.
func ethtool(n *machine.NIC) map[string]any {
	out := map[string]any{}
	if n == nil {
		return out
	}
	out["interface"] = n.Interface
	for k, v := range map[string]int{"channels": n.Queues, "rx": n.RxRing, "tx": n.TxRing} {
		if v > 0 {
			out[k] = v
		}
	}
	if len(n.Offloads) > 0 {
		out["offloads"] = n.Offloads
	}
	return out
}
