package machine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CPU tells one kind of processor from another where its model name does not: a hypervisor may call every host's "AMD EPYC". It is what the kernel shows
// of the first CPU, so on a VM what its hypervisor lets it see, as it was when the VM was booted. The zero CPU is one that is not known.
type CPU struct {
	// Vendor as the CPU names itself ("AuthenticAMD", "GenuineIntel"), or "ARM" or "implementer 0x…" on ARM. Empty: not known.
	Vendor string `json:"vendor"`
	// Family, Model and Stepping are those of CPUID (leaf 1, extended ones included). On ARM they are the fields of MIDR_EL1: the architecture, the part
	// number, and variant<<4|revision.
	Family   int `json:"family"`
	Model    int `json:"model"`
	Stepping int `json:"stepping"`
	// Microcode is its revision as the kernel words it. A hypervisor may show its guests any.
	Microcode string `json:"microcode,omitempty"`
	// BaseMHz is the rate of the time stamp counter, which on x86 is about the nominal clock and not what the core runs at. A VM that was moved while it
	// ran keeps the rate that it was booted with. 0: not shown.
	BaseMHz int `json:"base_mhz,omitempty"`
	// Caches of the first CPU in bytes, shared or not; 0: not shown.
	L1dBytes int64 `json:"l1d_bytes,omitempty"`
	L2Bytes  int64 `json:"l2_bytes,omitempty"`
	L3Bytes  int64 `json:"l3_bytes,omitempty"`
	// ISA lists those instruction set extensions that the kernel shows and that decide on the speed of ciphers and copies, sorted.
	ISA []string `json:"isa,omitempty"`
}

// extensions that are worth recording, by the kernel's names for x86 and ARM.
var extensions = []string{
	"adx", "aes", "atomics", "avx2", "avx512f", "bmi2", "crc32", "erms", "fsrm", "gfni", "invpcid", "pcid", "pmull", "sha2", "sha3", "sha512", "sha_ni", "sve", "sve2",
	"vaes", "vpclmulqdq",
}

// Known tells whether the CPU was observed at all.
func (c CPU) Known() bool { return c.Vendor != "" }

// arm tells that Model is a part number and Stepping a variant and a revision.
func (c CPU) arm() bool { return c.Vendor == "ARM" || strings.HasPrefix(c.Vendor, "implementer ") }

// String names the CPU in a few words, by its generation where that is known: "AMD Zen 3 (family 25, model 1, stepping 1)". "not recorded" if it is not known.
func (c CPU) String() string {
	if !c.Known() {
		return "not recorded"
	}
	name := map[string]string{"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "HygonGenuine": "Hygon"}[c.Vendor]
	if name == "" {
		name = c.Vendor
	}
	if g := c.Generation(); g != "" {
		name += " " + g
	}
	if c.arm() {
		return fmt.Sprintf("%s (part 0x%03x, r%dp%d)", name, c.Model, c.Stepping>>4, c.Stepping&15)
	}
	return fmt.Sprintf("%s (family %d, model %d, stepping %d)", name, c.Family, c.Model, c.Stepping)
}

// Details are what else is known: microcode, clock, caches and instruction sets; empty if nothing is.
func (c CPU) Details() string {
	var out []string
	add := func(known bool, format string, args ...any) {
		if known {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(c.Microcode != "", "microcode %s", c.Microcode)
	add(c.BaseMHz > 0, "time stamp counter at %d MHz", c.BaseMHz)
	add(c.L1dBytes > 0, "L1d %s", kib(c.L1dBytes))
	add(c.L2Bytes > 0, "L2 %s", kib(c.L2Bytes))
	add(c.L3Bytes > 0, "L3 %s", kib(c.L3Bytes))
	add(len(c.ISA) > 0, "%s", strings.Join(c.ISA, " "))
	return strings.Join(out, ", ")
}

// kib is a size of a cache in the unit that is usual for it.
func kib(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// differs lists by what two CPUs are known to be of different kinds. Microcode is not in it: it can be replaced on the same CPU. What is not known of one
// of them is no difference.
func (c CPU) differs(now CPU) (out []string) {
	if !c.Known() || !now.Known() {
		return nil
	}
	if a, b := c.String(), now.String(); a != b {
		out = append(out, fmt.Sprintf("CPU was %s, is %s", a, b))
	}
	for _, x := range []struct {
		what     string
		old, now int64
	}{{"L1 data cache", c.L1dBytes, now.L1dBytes}, {"L2 cache", c.L2Bytes, now.L2Bytes}, {"L3 cache", c.L3Bytes, now.L3Bytes}} {
		if x.old > 0 && x.now > 0 && x.old != x.now {
			out = append(out, fmt.Sprintf("%s was %s, is %s", x.what, kib(x.old), kib(x.now)))
		}
	}
	// A kernel that has to measure the rate does not find the same twice; no two models are a hundredth apart.
	if a, b := c.BaseMHz, now.BaseMHz; a > 0 && b > 0 && 100*max(a-b, b-a) > max(a, b) {
		out = append(out, fmt.Sprintf("time stamp counter was at %d MHz, is at %d", a, b))
	}
	if len(c.ISA) > 0 && len(now.ISA) > 0 && !slices.Equal(c.ISA, now.ISA) {
		lost, won := without(c.ISA, now.ISA), without(now.ISA, c.ISA)
		text := "instruction sets:"
		if len(lost) > 0 {
			text += " gone " + strings.Join(lost, " ")
		}
		if len(won) > 0 {
			text += " new " + strings.Join(won, " ")
		}
		out = append(out, text)
	}
	return out
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// completed is c with what was not known of it taken from another observation of the same CPU.
func (c CPU) completed(now CPU) CPU {
	if !c.Known() {
		return now
	}
	if c.Microcode == "" {
		c.Microcode = now.Microcode
	}
	if c.BaseMHz == 0 {
		c.BaseMHz = now.BaseMHz
	}
	if c.L1dBytes == 0 {
		c.L1dBytes = now.L1dBytes
	}
	if c.L2Bytes == 0 {
		c.L2Bytes = now.L2Bytes
	}
	if c.L3Bytes == 0 {
		c.L3Bytes = now.L3Bytes
	}
	if len(c.ISA) == 0 {
		c.ISA = now.ISA
	}
	return c
}

// Moved lists by what two observations of a machine are known to be of different kinds of host; empty if they are not, or if it cannot be told. Where one
// of them does not name its CPU (results from before it was recorded), the kernel's list of the CPU's weaknesses stands in for it: the same kernel
// that lists others runs on another CPU or with other boot parameters.
func (f Fingerprint) Moved(now Fingerprint) (out []string) {
	if f.CPU.Known() && now.CPU.Known() {
		return f.CPU.differs(now.CPU)
	}
	add := func(what, a, b string) {
		if a != b {
			out = append(out, fmt.Sprintf("%s was %s, is %s", what, a, b))
		}
	}
	if f.CPUModel != "" && now.CPUModel != "" {
		add("CPU model", f.CPUModel, now.CPUModel)
	}
	if f.Kernel == now.Kernel && len(f.Mitigations) > 0 && len(now.Mitigations) > 0 {
		for _, k := range keys(f.Mitigations, now.Mitigations) {
			add("weakness "+k, affected(f.Mitigations[k]), affected(now.Mitigations[k]))
		}
	}
	return out
}

// affected words a weakness, of which those that a CPU does not have are left out of a fingerprint.
func affected(s string) string {
	if s == "" {
		return "none"
	}
	return "'" + s + "'"
}

// cpu reads the identity from /proc/cpuinfo, whose keys are handed in, and the caches from sysfs.
func (r reader) cpu(info map[string]string) (c CPU) {
	number := func(key string) int {
		n, _ := strconv.ParseInt(info[key], 0, 32)
		return int(n)
	}
	flags := strings.Fields(info["flags"])
	switch {
	case info["vendor_id"] != "" && info["cpu family"] != "":
		c.Vendor, c.Family, c.Model, c.Stepping, c.Microcode = info["vendor_id"], number("cpu family"), number("model"), number("stepping"), info["microcode"]
		// The kernel gives twice the rate of a constant counter; where there is none it is the outcome of a race of its own.
		if bogo, err := strconv.ParseFloat(info["bogomips"], 64); err == nil && slices.Contains(flags, "constant_tsc") {
			c.BaseMHz = int(bogo/2 + 0.5)
		}
	case info["CPU implementer"] != "" && info["CPU part"] != "":
		flags = strings.Fields(info["Features"])
		c.Vendor = "implementer " + info["CPU implementer"]
		if number("CPU implementer") == 0x41 {
			c.Vendor = "ARM"
		}
		c.Family, c.Model, c.Stepping = number("CPU architecture"), number("CPU part"), number("CPU variant")<<4|number("CPU revision")
	default:
		return CPU{}
	}
	for _, e := range extensions {
		if slices.Contains(flags, e) {
			c.ISA = append(c.ISA, e)
		}
	}
	dirs, _ := filepath.Glob(filepath.Join(string(r), "sys/devices/system/cpu/cpu0/cache/index[0-9]*"))
	for _, d := range dirs {
		at := reader(d)
		size := cacheSize(at.line("size"))
		switch at.line("level") + " " + at.line("type") {
		case "1 Data":
			c.L1dBytes = size
		case "2 Unified":
			c.L2Bytes = size
		case "3 Unified":
			c.L3Bytes = size
		}
	}
	return c
}

// cacheSize reads sysfs' "512K" in bytes; 0 if it is something else.
func cacheSize(s string) int64 {
	digits, ok := strings.CutSuffix(s, "K")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n << 10
}
