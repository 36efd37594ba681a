package machine

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// expectation compares one thing that was asked for with what is there.
type expectation struct {
	name, want, seen string
	reason, mend     string
	// met decides; without it seen must equal want.
	met func(seen string) bool
}

func (e expectation) check() Check {
	c := Check{Name: e.name, Status: OK, Observed: orNone(e.seen), Reason: e.reason}
	met := e.seen == e.want
	if e.met != nil {
		met = e.met(e.seen)
	}
	switch {
	case e.seen == "":
		// Neither well nor wrong: a VM shows little of the machine below it. It is said, and warned of.
		c.Status, c.Observed, c.Mend = Warn, "not shown by this machine, expected "+e.want, "examine it on the host, or take it out of the description"
	case !met:
		c.Status, c.Observed, c.Mend = Warn, fmt.Sprintf("%s, expected %s", e.seen, e.want), e.mend
	}
	return c
}

const provision = " (blitzlab provision --tags tuning does it)"

// tuned are the checks of a description's tuning.
func tuned(t *Tuning, f Fingerprint, root string) []Check {
	if t == nil {
		return nil
	}
	r := reader(root)
	var out []Check
	add := func(e expectation) {
		if e.want != "" {
			out = append(out, e.check())
		}
	}
	onOff := func(v string) string {
		return map[string]string{"1": "on", "0": "off", "notsupported": "off", "notimplemented": "off", "forceoff": "off"}[v]
	}
	add(expectation{name: "kernel", want: t.Kernel, seen: f.Kernel, reason: "the cost of io_uring and TCP changes from kernel to kernel", mend: "install a newer one",
		met: func(s string) bool { return atLeast(s, t.Kernel) }})
	add(expectation{name: "boost", want: t.Boost, seen: onOff(f.Boost), reason: "with boost the clock depends on how many cores are warm",
		mend: "echo " + map[string]string{"on": "1", "off": "0"}[t.Boost] + " > /sys/devices/system/cpu/cpufreq/boost" + provision})
	smt := r.line("sys/devices/system/cpu/smt/control")
	if v := onOff(smt); v != "" {
		smt = v
	}
	add(expectation{name: "SMT", want: t.SMT, seen: smt, reason: "two threads of one core take turns: a CPU is half of one, more or less, depending on its neighbour",
		mend: "echo " + t.SMT + " > /sys/devices/system/cpu/smt/control" + provision})
	if t.MaxCState > 0 {
		deep := r.deepest()
		add(expectation{name: "C-states", want: strconv.Itoa(t.MaxCState) + " at most", seen: deep, reason: "waking from a deep state takes tens of microseconds, which is most of a p99 on an idle machine",
			mend: "disable the deeper ones in /sys/devices/system/cpu/cpu*/cpuidle/state*/disable" + provision,
			met:  func(s string) bool { n, err := strconv.Atoi(s); return err == nil && n <= t.MaxCState }})
	}
	add(expectation{name: "huge pages as described", want: t.THP, seen: f.THP, reason: "huge pages for everyone blur memory per connection",
		mend: "echo " + t.THP + " > /sys/kernel/mm/transparent_hugepage/enabled" + provision})
	add(expectation{name: "clocksource as described", want: t.Clocksource, seen: f.Clocksource, reason: "reading the clock must not be a call into the kernel or a device",
		mend: "tsc=reliable on the kernel's command line; the log says why it was dropped (dmesg | grep -i tsc)"})
	if t.Mitigations != "" {
		seen := "on"
		if slices.Contains(strings.Fields(r.line("proc/cmdline")), "mitigations=off") {
			seen = "off"
		}
		add(expectation{name: "mitigations", want: t.Mitigations, seen: seen, reason: "they make each system call dearer; figures with and without them are not comparable",
			mend: "mitigations=" + map[string]string{"on": "auto", "off": "off"}[t.Mitigations] + " on the kernel's command line, and reboot"})
	}
	if len(t.Isolated) > 0 {
		seen := r.line("sys/devices/system/cpu/isolated")
		if seen == "" {
			seen = "none"
		}
		add(expectation{name: "isolated CPUs", want: t.Isolated.String(), seen: seen, reason: "the scheduler puts other work on CPUs that are not isolated",
			mend: "isolcpus=" + t.Isolated.String() + " on the kernel's command line, and reboot"})
	}
	if t.NUMANodes > 0 {
		add(expectation{name: "NUMA nodes", want: strconv.Itoa(t.NUMANodes), seen: strconv.Itoa(f.NUMANodes), reason: "memory of another node is slower, and which roles share one decides on the figures",
			mend: "set NPS (nodes per socket) in the firmware"})
	}
	for _, k := range slices.Sorted(maps.Keys(t.Sysctls)) {
		want := strings.Join(strings.Fields(t.Sysctls[k]), " ")
		add(expectation{name: k, want: want, seen: strings.Join(strings.Fields(r.line("proc/sys/"+strings.ReplaceAll(k, ".", "/"))), " "),
			reason: "the description asks for it", mend: fmt.Sprintf("sysctl -w %s=%q", k, want) + provision})
	}
	return out
}

func atLeast(have, want string) bool {
	h, ok := version(have)
	w, _ := version(want)
	return ok && (h[0] > w[0] || h[0] == w[0] && h[1] >= w[1])
}

// deepest is the number of the deepest idle state that is enabled on any CPU; "" where there are none to see.
func (r reader) deepest() string {
	dirs, _ := filepath.Glob(filepath.Join(string(r), "sys/devices/system/cpu/cpu[0-9]*/cpuidle/state*"))
	deep := -1
	for _, d := range dirs {
		n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(d), "state"))
		if err != nil || n <= deep {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(d, "disable")); err == nil && strings.TrimSpace(string(b)) == "0" {
			deep = n
		}
	}
	if deep < 0 {
		return ""
	}
	return strconv.Itoa(deep)
}

// network are the checks of the card that a description names; card asks it, nil if it cannot be asked.
func network(n *NIC, roles Roles, root string, card func(string) (Card, error)) []Check {
	if n == nil {
		return nil
	}
	r := reader(root)
	if r.line("sys/class/net/"+n.Interface+"/mtu") == "" {
		return []Check{{"network card", Warn, n.Interface + " does not exist", "the load of other hosts arrives through it", "correct nic.interface in the description (ip link)"}}
	}
	i := r.nic(n.Interface)
	name := n.Interface + " "
	var out []Check
	number := func(what string, want, seen int, reason, mend string) {
		if want > 0 {
			s := ""
			if seen > 0 {
				s = strconv.Itoa(seen)
			}
			out = append(out, expectation{name: name + what, want: strconv.Itoa(want), seen: s, reason: reason, mend: mend}.check())
		}
	}
	if n.Driver != "" {
		out = append(out, expectation{name: name + "driver", want: n.Driver, seen: i.Driver, reason: "another driver is another card", mend: "correct the description"}.check())
	}
	number("speed", n.SpeedMbit, i.SpeedMbit, "a link that fell back to a lower speed saturates before the gateway does", "examine cable and switch (ethtool "+n.Interface+")")
	number("MTU", n.MTU, i.MTU, "the size of packets decides how many there are", fmt.Sprintf("ip link set %s mtu %d", n.Interface, n.MTU))
	number("queues", n.Queues, i.RxQueues, "each queue is served by one CPU: too few make it the bottleneck", fmt.Sprintf("ethtool -L %s combined %d", n.Interface, n.Queues)+provision)
	masks := func(what, file string, cpus CPUSet, seen []string) {
		for k := range seen {
			seen[k] = trimMask(seen[k])
		}
		slices.Sort(seen)
		seen = slices.Compact(seen)
		out = append(out, expectation{name: name + what, want: trimMask(cpus.Mask()), seen: strings.Join(seen, " "),
			reason: "packets are moved to these CPUs by software; 0 is off", mend: fmt.Sprintf("echo %s > /sys/class/net/%s/queues/…/%s", cpus.Mask(), n.Interface, file) + provision}.check())
	}
	masks("RPS", "rps_cpus", n.RPSCPUs, i.RPS)
	if len(n.XPSCPUs) > 0 {
		masks("XPS", "xps_cpus", n.XPSCPUs, i.XPS)
	}
	if len(n.IRQCPUs) > 0 {
		out = append(out, r.interrupts(n))
	}
	if n.NUMANode != nil && *n.NUMANode >= 0 {
		out = append(out, r.near(n, i, roles))
	}
	if card == nil {
		return out
	}
	c, err := card(n.Interface)
	return append(out, n.hardware(c, err)...)
}

func trimMask(s string) string {
	s = strings.TrimLeft(strings.ReplaceAll(s, ",", ""), "0")
	if s == "" {
		return "0"
	}
	return s
}

// interrupts compares the affinity of the card's interrupts.
func (r reader) interrupts(n *NIC) Check {
	dirs, _ := filepath.Glob(filepath.Join(string(r), "sys/class/net", n.Interface, "device/msi_irqs/*"))
	var seen CPUSet
	for _, d := range dirs {
		if set, err := ParseCPUSet(r.line("proc/irq/" + filepath.Base(d) + "/smp_affinity_list")); err == nil {
			seen = append(seen, set...)
		}
	}
	slices.Sort(seen)
	seen = slices.Compact(seen)
	return expectation{name: n.Interface + " interrupts", want: "within " + n.IRQCPUs.String(), seen: seen.String(), reason: "an interrupt on a CPU of another role is work that the figures do not show",
		mend: "stop irqbalance, and blitzlab provision --tags nic",
		met: func(string) bool {
			return !slices.ContainsFunc(seen, func(c int) bool { return !slices.Contains(n.IRQCPUs, c) })
		}}.check()
}

// near tells whether the server's CPUs are of the node that the card hangs on.
func (r reader) near(n *NIC, i Interface, roles Roles) Check {
	seen := ""
	if i.NUMANode >= 0 {
		seen = strconv.Itoa(i.NUMANode)
	}
	local, err := ParseCPUSet(r.line("sys/devices/system/node/node" + seen + "/cpulist"))
	far := slices.ContainsFunc(roles.Server, func(c int) bool { return !slices.Contains(local, c) })
	if seen != "" && err == nil && far {
		seen += ", and server CPUs of another node"
	}
	return expectation{name: n.Interface + " NUMA node", want: strconv.Itoa(*n.NUMANode), seen: seen, reason: "a server far from its card pays for every packet that crosses over",
		mend: "give the server CPUs of the card's node (cat /sys/class/net/" + n.Interface + "/device/local_cpulist)"}.check()
}

// governor looks at every CPU: one that was left out, or came online later, is enough to spoil a run. first is that of CPU 0, for where the others are not shown.
func governor(expected, first, root string) Check {
	files, _ := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
	var seen []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			seen = append(seen, strings.TrimSpace(string(b)))
		}
	}
	slices.Sort(seen)
	if seen = slices.Compact(seen); len(seen) == 0 && first != "" {
		seen = []string{first}
	}
	want := cmp.Or(expected, "performance")
	e := expectation{name: "governor", want: want, seen: strings.Join(seen, ", "), reason: "a clock that follows the load makes CPU time per request depend on the load",
		mend: "cpupower frequency-set -g " + want + provision}
	if len(seen) == 0 && expected == "" { // as on most VMs, and nobody said otherwise
		return Check{Name: e.name, Status: OK, Observed: orNone(""), Reason: e.reason}
	}
	return e.check()
}

// Gap is how much of a CPU's time somebody else had while it was wanted, and the longest piece of it.
type Gap struct {
	Share   float64       `json:"share"`
	Longest time.Duration `json:"longest_ns"`
}

// maxGaps is the share of a CPU's time that ticks and housekeeping take on a quiet machine, with room to spare.
const maxGaps = 0.02

// interrupted finds CPUs that somebody else uses as well, at times: a neighbour that spins do not show, because the fastest one counts.
func interrupted(gaps map[int]Gap) (Check, bool) {
	if len(gaps) == 0 {
		return Check{}, false
	}
	c := Check{Name: "neighbours", Status: OK, Reason: "what takes a CPU away for a millisecond is a request that takes a millisecond longer"}
	var bad []string
	worst := Gap{}
	for _, cpu := range slices.Sorted(maps.Keys(gaps)) {
		g := gaps[cpu]
		worst = Gap{max(worst.Share, g.Share), max(worst.Longest, g.Longest)}
		if g.Share > maxGaps {
			bad = append(bad, fmt.Sprintf("CPU %d for %.1f %% of the time, up to %v at once", cpu, 100*g.Share, g.Longest.Round(time.Microsecond)))
		}
	}
	c.Observed = fmt.Sprintf("no CPU was taken away for more than %.1f %% of the time, up to %v at once", 100*worst.Share, worst.Longest.Round(time.Microsecond))
	if len(bad) > 0 {
		c.Status, c.Observed = Warn, "taken away: "+strings.Join(bad, "; ")
		c.Mend = "find who it is (top, /proc/interrupts; on a VM its neighbours on the host), move it to other CPUs, isolate those of the server (isolcpus); try again"
	}
	return c, true
}

// neighbours compares how fast CPUs do the same work.
func neighbours(spins map[int]time.Duration) (Check, bool) {
	if len(spins) < 2 {
		return Check{}, false
	}
	fastest := time.Hour
	for _, d := range spins {
		fastest = min(fastest, d)
	}
	var slow []string
	for _, cpu := range slices.Sorted(maps.Keys(spins)) {
		if ratio := float64(spins[cpu]) / float64(fastest); ratio > 1.10 {
			slow = append(slow, fmt.Sprintf("CPU %d by %.0f %%", cpu, 100*(ratio-1)))
		}
	}
	c := Check{Name: "spin", Status: OK, Observed: fmt.Sprintf("%d CPUs equally fast, within 10 %%", len(spins)), Reason: "a CPU that is slower than the others shares its core, or its clock is lower"}
	if len(slow) > 0 {
		c.Status, c.Observed, c.Mend = Warn, "slower than the fastest: "+strings.Join(slow, ", "), "look for a neighbour (SMT, another VM) and for the clock (governor, temperature); try again"
	}
	return c, true
}
