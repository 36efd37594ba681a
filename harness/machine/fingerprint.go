package machine

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Fingerprint is what was observed of a machine at the time of a run.
type Fingerprint struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel"`
	CPUModel    string `json:"cpu_model"`
	CPU         CPU    `json:"cpu,omitzero"`
	CPUs        int    `json:"cpus"`
	ThreadsCore int    `json:"threads_per_core,omitempty"`
	NUMANodes   int    `json:"numa_nodes,omitempty"`
	MemoryBytes int64  `json:"memory_bytes"`
	// Hypervisor is empty on bare metal, else its name or "unknown".
	Hypervisor  string `json:"hypervisor,omitempty"`
	Governor    string `json:"governor,omitempty"`
	Boost       string `json:"boost,omitempty"`
	THP         string `json:"transparent_hugepages,omitempty"`
	Clocksource string `json:"clocksource,omitempty"`
	// Mitigations lists the CPU weaknesses that cost time or are open, as the kernel words them; 'Not affected' is left out.
	Mitigations map[string]string `json:"mitigations,omitempty"`
	CommandLine string            `json:"kernel_command_line,omitempty"`
	Sysctls     map[string]string `json:"sysctls,omitempty"`
	GoVersion   string            `json:"go_version"`
}

// Virtual is true on a VM.
func (f Fingerprint) Virtual() bool { return f.Hypervisor != "" }

// sysctls that change what a proxy on loopback costs.
var sysctls = []string{
	"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_congestion_control", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.core.busy_poll",
	"kernel.io_uring_disabled", "kernel.timer_migration", "vm.swappiness",
}

// Observe reads the fingerprint from root, which is / except in tests. What a system does not show stays empty.
func Observe(root string) Fingerprint {
	r := reader(root)
	f := Fingerprint{
		OS: runtime.GOOS, Arch: runtime.GOARCH, GoVersion: runtime.Version(), CPUs: runtime.NumCPU(),
		Kernel:      r.line("proc/sys/kernel/osrelease"),
		Governor:    r.line("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		Boost:       r.line("sys/devices/system/cpu/cpufreq/boost"),
		THP:         chosen(r.line("sys/kernel/mm/transparent_hugepage/enabled")),
		Clocksource: r.line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
		CommandLine: publicCommandLine(r.line("proc/cmdline")),
		Sysctls:     map[string]string{},
		Mitigations: map[string]string{},
	}
	if online, err := ParseCPUSet(r.line("sys/devices/system/cpu/online")); err == nil {
		f.CPUs = len(online)
	}
	if sib, err := ParseCPUSet(r.line("sys/devices/system/cpu/cpu0/topology/thread_siblings_list")); err == nil {
		f.ThreadsCore = len(sib)
	}
	if nodes, err := ParseCPUSet(r.line("sys/devices/system/node/online")); err == nil {
		f.NUMANodes = len(nodes)
	}
	info := r.cpuinfo()
	f.CPUModel, f.CPU, f.Hypervisor = info["model name"], r.cpu(info), r.hypervisor(info)
	f.MemoryBytes = r.memory()
	for _, k := range sysctls {
		if v := r.line("proc/sys/" + strings.ReplaceAll(k, ".", "/")); v != "" {
			f.Sysctls[k] = strings.Join(strings.Fields(v), " ")
		}
	}
	files, _ := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/vulnerabilities/*"))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if v := strings.TrimSpace(string(b)); v != "Not affected" {
			f.Mitigations[filepath.Base(file)] = v
		}
	}
	return f
}

type reader string

func (r reader) line(path string) string {
	b, err := os.ReadFile(filepath.Join(string(r), path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// cpuinfo is what /proc/cpuinfo says of the first CPU that says it. The keys differ from architecture to architecture.
func (r reader) cpuinfo() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(r.line("proc/cpuinfo")) {
		k, v, ok := strings.Cut(line, ":")
		k = strings.TrimSpace(k)
		if _, seen := out[k]; ok && !seen {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out
}

// hypervisor is empty where there is none. The CPU's own 'hypervisor' flag decides; who it is comes from DMI where a machine shows it.
func (r reader) hypervisor(info map[string]string) string {
	if !slices.Contains(strings.Fields(info["flags"]), "hypervisor") {
		return ""
	}
	for _, p := range []string{"sys/hypervisor/type", "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"} {
		if v := r.line(p); v != "" {
			return v
		}
	}
	if r.line("sys/devices/system/clocksource/clocksource0/current_clocksource") == "kvm-clock" {
		return "KVM"
	}
	return "unknown"
}

func (r reader) memory() int64 {
	for line := range strings.Lines(r.line("proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// chosen picks the bracketed word of "always [madvise] never".
func chosen(s string) string {
	if _, rest, ok := strings.Cut(s, "["); ok {
		s, _, _ = strings.Cut(rest, "]")
	}
	return s
}

// commandLineWords are the kernel parameters that matter to a measurement. Anything else (disks, consoles, addresses) is not
// published.
var commandLineWords = []string{
	"mitigations", "isolcpus", "nohz_full", "rcu_nocbs", "intel_pstate", "amd_pstate", "idle", "processor.max_cstate",
	"intel_idle.max_cstate", "nosmt", "pti", "nopti", "spectre_v2", "transparent_hugepage", "clocksource", "tsc", "hugepages", "iommu", "preempt",
}

func publicCommandLine(s string) string {
	var keep []string
	for w := range strings.FieldsSeq(s) {
		name, _, _ := strings.Cut(w, "=")
		for _, known := range commandLineWords {
			if name == known {
				keep = append(keep, w)
			}
		}
	}
	return strings.Join(keep, " ")
}

// Ticks is the CPU time of one CPU in clock ticks since boot, from /proc/stat (proc_stat(5)).
type Ticks struct {
	Busy, Idle, Steal uint64
}

// ReadTicks returns the ticks of each CPU.
func ReadTicks(root string) map[int]Ticks {
	b, err := os.ReadFile(filepath.Join(root, "proc/stat"))
	if err != nil {
		return nil
	}
	return parseTicks(b)
}

func parseTicks(b []byte) map[int]Ticks {
	out := map[int]Ticks{}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 9 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		cpu, err := strconv.Atoi(f[0][3:])
		if err != nil {
			continue // the line of all CPUs
		}
		// user nice system idle iowait irq softirq steal; guest time is part of user already.
		var v [8]uint64
		for i := range v {
			v[i], _ = strconv.ParseUint(f[i+1], 10, 64)
		}
		out[cpu] = Ticks{Busy: v[0] + v[1] + v[2] + v[5] + v[6], Idle: v[3] + v[4], Steal: v[7]}
	}
	return out
}
