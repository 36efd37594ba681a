package machine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const milan = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 1\nmicrocode\t: 0x1000065\n" +
	"cpu MHz\t\t: 2000.000\ncache size\t: 512 KB\nflags\t\t: fpu constant_tsc hypervisor avx2 aes vaes\nbogomips\t: 4890.80\n\n" +
	"processor\t: 1\nvendor_id\t: AuthenticAMD\ncpu family\t: 99\nmodel\t\t: 99\n"

// graviton shows no model name, and a bogomips that is the timer's.
const graviton = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd aes pmull sha2 crc32 atomics\nCPU implementer\t: 0x41\nCPU architecture: 8\n" +
	"CPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\nprocessor\t: 1\n"

func TestTheCPUIsReadFromTheKernel(t *testing.T) {
	caches := func(text string) map[string]string {
		files := map[string]string{"proc/cpuinfo": text}
		for i, c := range [][3]string{{"1", "Data", "32K"}, {"1", "Instruction", "64K"}, {"2", "Unified", "512K"}, {"3", "Unified", "32768K"}} {
			dir := filepath.Join("sys/devices/system/cpu/cpu0/cache", "index"+string(rune('0'+i)))
			files[dir+"/level"], files[dir+"/type"], files[dir+"/size"] = c[0], c[1], c[2]
		}
		return files
	}
	f := Observe(fakeRoot(t, caches(milan)))
	assert.Equal(t, CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1, Microcode: "0x1000065", BaseMHz: 2445, L1dBytes: 32 << 10, L2Bytes: 512 << 10, L3Bytes: 32 << 20,
		ISA: []string{"aes", "avx2", "vaes"}}, f.CPU, "the first CPU's; the clock is not that of the moment")
	assert.Equal(t, "AMD Zen 3 (family 25, model 1, stepping 1)", f.CPU.String())
	assert.Equal(t, "microcode 0x1000065, time stamp counter at 2445 MHz, L1d 32 KiB, L2 512 KiB, L3 32 MiB, aes avx2 vaes", f.CPU.Details())
	assert.True(t, f.Virtual())

	f = Observe(fakeRoot(t, caches(graviton)))
	assert.Equal(t, CPU{Vendor: "ARM", Family: 8, Model: 0xd0c, Stepping: 0x31, L1dBytes: 32 << 10, L2Bytes: 512 << 10, L3Bytes: 32 << 20,
		ISA: []string{"aes", "atomics", "crc32", "pmull", "sha2"}}, f.CPU)
	assert.Equal(t, "ARM Neoverse N1 (part 0xd0c, r3p1)", f.CPU.String())
	assert.Equal(t, "implementer 0x61 (part 0x022, r1p0)", CPU{Vendor: "implementer 0x61", Family: 8, Model: 0x22, Stepping: 0x10}.String())

	// Another architecture's file, and none, are not known; what is not there is left out.
	for _, text := range []string{"processor\t: 0\nhart\t: 0\nisa\t: rv64imafdc\n", "vendor_id : IBM/S390\n", ""} {
		f = Observe(fakeRoot(t, caches(text)))
		assert.False(t, f.CPU.Known(), text)
		assert.Equal(t, "not recorded", f.CPU.String())
		b, err := json.Marshal(f)
		require.NoError(t, err)
		assert.NotContains(t, string(b), `"cpu":`)
	}
	f = Observe(fakeRoot(t, map[string]string{"proc/cpuinfo": "vendor_id : GenuineIntel\ncpu family : 6\nmodel : 85\nstepping : 7\nbogomips : 5000\n"}))
	assert.Equal(t, CPU{Vendor: "GenuineIntel", Family: 6, Model: 85, Stepping: 7}, f.CPU, "without a constant counter bogomips is chance")
	assert.Empty(t, f.CPU.Details())
}

func TestGenerations(t *testing.T) {
	for _, c := range []struct {
		vendor                  string
		family, model, stepping int
		want                    string
	}{
		{"AuthenticAMD", 0x17, 0x01, 2, "Zen"},   // EPYC 7001
		{"AuthenticAMD", 0x17, 0x08, 2, "Zen"},   // Ryzen 2000
		{"AuthenticAMD", 0x17, 0x31, 0, "Zen 2"}, // EPYC 7002
		{"AuthenticAMD", 0x17, 0x71, 0, "Zen 2"}, // Ryzen 3000
		{"AuthenticAMD", 0x17, 0xff, 0, ""},
		{"AuthenticAMD", 0x19, 0x01, 1, "Zen 3"}, // EPYC 7003
		{"AuthenticAMD", 0x19, 0x21, 0, "Zen 3"}, // Ryzen 5000
		{"AuthenticAMD", 0x19, 0x44, 1, "Zen 3"}, // Ryzen 6000
		{"AuthenticAMD", 0x19, 0x11, 1, "Zen 4"}, // EPYC 9004
		{"AuthenticAMD", 0x19, 0x61, 2, "Zen 4"}, // Ryzen 7000
		{"AuthenticAMD", 0x19, 0xa0, 2, "Zen 4c"},
		{"AuthenticAMD", 0x19, 0xb0, 0, ""},
		{"AuthenticAMD", 0x1a, 0x02, 1, "Zen 5"}, // EPYC 9005
		{"AuthenticAMD", 0x1a, 0x11, 0, "Zen 5c"},
		{"AuthenticAMD", 0x1a, 0x44, 0, "Zen 5"}, // Ryzen 9000
		{"AuthenticAMD", 0x1a, 0x50, 0, ""},      // a later core of the same family
		{"AuthenticAMD", 0x10, 0x02, 0, ""},
		{"HygonGenuine", 0x18, 0x01, 0, ""},
		{"GenuineIntel", 6, 0x3f, 2, "Haswell"},
		{"GenuineIntel", 6, 0x4f, 1, "Broadwell"},
		{"GenuineIntel", 6, 0x55, 4, "Skylake"},
		{"GenuineIntel", 6, 0x55, 7, "Cascade Lake"},
		{"GenuineIntel", 6, 0x55, 11, "Cooper Lake"},
		{"GenuineIntel", 6, 0x55, 8, ""},
		{"GenuineIntel", 6, 0x6a, 6, "Ice Lake"},
		{"GenuineIntel", 6, 0x8f, 8, "Sapphire Rapids"},
		{"GenuineIntel", 6, 0xcf, 2, "Emerald Rapids"},
		{"GenuineIntel", 6, 0xad, 1, "Granite Rapids"},
		{"GenuineIntel", 6, 0xaf, 3, "Sierra Forest"},
		{"GenuineIntel", 15, 0x55, 4, ""},
		{"ARM", 8, 0xd40, 0x11, "Neoverse V1"},
		{"ARM", 8, 0xd4f, 0x01, "Neoverse V2"},
		{"ARM", 8, 0xfff, 0, ""},
		{"implementer 0x61", 8, 0xd0c, 0, ""},
		{"", 0x19, 1, 1, ""},
	} {
		assert.Equal(t, c.want, CPU{Vendor: c.vendor, Family: c.family, Model: c.model, Stepping: c.stepping}.Generation(), "%+v", c)
	}
	// No model is of two generations, whatever the order of the table.
	for vendor, list := range generations {
		for i, a := range list {
			require.LessOrEqual(t, a.from, a.to)
			for _, b := range list[i+1:] {
				apart := a.family != b.family || a.to < b.from || b.to < a.from || a.steppings != nil && b.steppings != nil && (a.steppings[1] < b.steppings[0] || b.steppings[1] < a.steppings[0])
				assert.True(t, apart, "%s: %+v and %+v", vendor, a, b)
			}
		}
	}
	assert.Equal(t, "AMD (family 26, model 80, stepping 0)", CPU{Vendor: "AuthenticAMD", Family: 0x1a, Model: 0x50}.String(), "numbers are all that is known")
}

// zen3 and zen5 are hosts that a hypervisor gives the same model name.
func zen3() Fingerprint {
	return Fingerprint{CPUModel: "AMD EPYC", CPUs: 2, Kernel: "6.1", Mitigations: map[string]string{"srso": "Mitigation: Safe RET"}, CPU: CPU{
		Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1, Microcode: "0x1", BaseMHz: 2445, L1dBytes: 32 << 10, L2Bytes: 512 << 10, L3Bytes: 32 << 20, ISA: []string{"aes", "avx2"}}}
}

func zen5() Fingerprint {
	f := zen3()
	f.CPU = CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2, Stepping: 1, Microcode: "0x1", BaseMHz: 2700, L1dBytes: 48 << 10, L2Bytes: 1 << 20, L3Bytes: 32 << 20, ISA: []string{"aes", "avx2", "avx512f"}}
	return f
}

// A VM that was moved to another kind of host is no longer the machine that was calibrated, whatever its model name says.
func TestAMachineThatWasMovedIsRefused(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		change func(*CPU)
		want   string
	}{
		"generation": {func(c *CPU) { *c = zen5().CPU }, "CPU was AMD Zen 3 (family 25, model 1, stepping 1), is AMD Zen 5 (family 26, model 2, stepping 1); L1 data cache was 32 KiB, is 48 KiB; " +
			"L2 cache was 512 KiB, is 1 MiB; time stamp counter was at 2445 MHz, is at 2700; instruction sets: new avx512f;"},
		"stepping":  {func(c *CPU) { c.Stepping = 2 }, "stepping 1), is AMD Zen 3 (family 25, model 1, stepping 2)"},
		"model":     {func(c *CPU) { c.Model = 8 }, "model 1, stepping 1), is AMD Zen 3 (family 25, model 8, stepping 1)"},
		"family":    {func(c *CPU) { c.Family = 24 }, "is AMD (family 24, model 1"},
		"vendor":    {func(c *CPU) { c.Vendor = "GenuineIntel" }, "is Intel (family 25"},
		"L3":        {func(c *CPU) { c.L3Bytes = 16 << 20 }, "L3 cache was 32 MiB, is 16 MiB"},
		"clock":     {func(c *CPU) { c.BaseMHz = 2000 }, "time stamp counter was at 2445 MHz, is at 2000"},
		"ISA":       {func(c *CPU) { c.ISA = []string{"avx2"} }, "instruction sets: gone aes"},
		"microcode": {func(c *CPU) { c.Microcode = "0x2" }, "microcode was 0x1, is 0x2, and the cost of mitigations comes with it"},
	} {
		dir := t.TempDir()
		require.NoError(t, Trust(dir, "m", zen3(), now))
		other := zen3()
		c.change(&other.CPU)
		err := Trust(dir, "m", other, now)
		require.ErrorIs(t, err, ErrQuarantined, name)
		assert.ErrorContains(t, err, c.want, name)
		require.NoError(t, Calibrate(dir, "m", other, now))
		require.NoError(t, Trust(dir, "m", other, now), name)
	}
	dir := t.TempDir()
	require.NoError(t, Trust(dir, "m", zen3(), now))
	near := zen3()
	near.CPU.BaseMHz++
	assert.NoError(t, Trust(dir, "m", near, now), "a rate is not measured twice the same")
}

// What was calibrated before the CPU was recorded is not a change, but is held to what is seen first from then on.
func TestACalibrationWithoutACPUIsCompleted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	old := zen3()
	old.CPU = CPU{}
	part := zen3()
	part.CPU = CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1}
	for name, before := range map[string]Fingerprint{"nothing": old, "the numbers only": part} {
		dir := t.TempDir()
		require.NoError(t, Trust(dir, "m", before, now))
		b, err := os.ReadFile(filepath.Join(dir, "m.json"))
		require.NoError(t, err)
		assert.NotContains(t, string(b), "l3_bytes")
		require.NoError(t, Trust(dir, "m", zen3(), now), name)
		require.NoError(t, Trust(dir, "m", before, now), "what is not seen now is no change either")
		c, err := readCalibration(dir, "m")
		require.NoError(t, err)
		assert.Equal(t, zen3().CPU, c.Fingerprint.CPU, name)
		assert.Equal(t, now.UTC(), c.At, "it is the same calibration")
		other := zen3()
		other.CPU.L3Bytes = 16 << 20
		require.ErrorIs(t, Trust(dir, "m", other, now), ErrQuarantined, name)
	}

	// A machine that changed otherwise is refused as it was, and not completed by what it is now.
	dir := t.TempDir()
	require.NoError(t, Trust(dir, "m", old, now))
	other := zen3()
	other.Kernel = "6.2"
	require.ErrorIs(t, Trust(dir, "m", other, now), ErrQuarantined)
	c, err := readCalibration(dir, "m")
	require.NoError(t, err)
	assert.False(t, c.Fingerprint.CPU.Known())
}

// The descriptions of bare metal say which generation they are; the VM may be on any host.
func TestADescriptionMayExpectAGeneration(t *testing.T) {
	for name, c := range map[string]struct{ good, bad CPU }{
		"epyc-9754":      {CPU{Vendor: "AuthenticAMD", Family: 25, Model: 0xa0, Stepping: 2}, CPU{Vendor: "AuthenticAMD", Family: 25, Model: 0x11}},
		"epyc-9575f":     {zen5().CPU, CPU{Vendor: "AuthenticAMD", Family: 26, Model: 0x11}},
		"desktop-16core": {CPU{Vendor: "AuthenticAMD", Family: 25, Model: 0x61}, CPU{Vendor: "AuthenticAMD", Family: 25, Model: 0x21}},
	} {
		s, err := Named("../../machines", name)
		require.NoError(t, err)
		f := Fingerprint{CPUs: s.Expect.CPUs, CPUModel: s.Expect.CPUModel, MemoryBytes: 1 << 40, CPU: c.good}
		assert.Empty(t, s.Match(f), name)
		f.CPU = CPU{}
		assert.Empty(t, s.Match(f), "%s: what is not shown is not held against it", name)
		f.CPU = c.bad
		require.Len(t, s.Match(f), 1, name)
		assert.Contains(t, s.Match(f)[0], "expected a CPU of generation Zen", name)
		assert.Contains(t, s.Match(f)[0], c.bad.String(), name)
		f.CPU.Family = 99
		assert.Len(t, s.Match(f), 1, "%s: one of which the tables know nothing is not the one", name)
	}
	s, err := Named("../../machines", "vm-2core")
	require.NoError(t, err)
	for _, f := range []Fingerprint{zen3(), zen5()} {
		f.Hypervisor, f.MemoryBytes = "KVM", 8<<30
		assert.Empty(t, s.Match(f))
		root := vm(t)
		c := byName(Doctor(t.Context(), s, f, Options{Root: root, Sample: time.Millisecond}))["identity"]
		assert.Equal(t, OK, c.Status)
		assert.Contains(t, c.Observed, f.CPU.String(), "the doctor names it all the same")
		assert.Contains(t, c.Observed, "L3 32 MiB")
	}
	text := "name: m\nexpect: {cpus: 2, cpu_generation: [Zen 33]}\nroles: {server: \"0\", load: \"1\", origin: \"1\"}\n"
	_, err = parse([]byte(text))
	assert.ErrorContains(t, err, `"Zen 33" is none that is known`)
	b, err := os.ReadFile("../../machines/three-host-lab.yaml")
	require.NoError(t, err)
	_, err = parse([]byte(strings.Replace(string(b), "roles: [load]", "roles: [load], expect: {cpus: 64, cpu_generation: [Zen 33]}", 1)))
	assert.ErrorContains(t, err, "host load: expect.cpu_generation")
}

func TestWhetherAMachineWasMoved(t *testing.T) {
	a, b := zen3(), zen5()
	assert.NotEmpty(t, a.Moved(b))
	assert.Empty(t, a.Moved(a))
	b = a
	b.CPU.Microcode, b.Kernel, b.Mitigations = "0x9", "6.2", map[string]string{"srso": "Vulnerable"}
	assert.Empty(t, a.Moved(b), "the CPU is known, and is the same")

	// Without a CPU in one of them, the kernel's list is all there is.
	b = a
	b.CPU = CPU{}
	assert.Empty(t, a.Moved(b), "no claim")
	b.Mitigations = map[string]string{"srso": "Mitigation: Safe RET", "meltdown": "Mitigation: PTI"}
	assert.Equal(t, []string{"weakness meltdown was none, is 'Mitigation: PTI'"}, a.Moved(b))
	assert.Equal(t, []string{"weakness meltdown was 'Mitigation: PTI', is none"}, b.Moved(a))
	b.Kernel = "6.2"
	assert.Empty(t, a.Moved(b), "another kernel knows other weaknesses")
	b.CPUModel = "AMD EPYC 9575F"
	assert.Equal(t, []string{"CPU model was AMD EPYC, is AMD EPYC 9575F"}, a.Moved(b))
}
