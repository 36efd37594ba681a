package machine

// generation is a range of models of one family that share a core.
type generation struct {
	family   int
	from, to int // models
	// steppings, first and last; nil for all.
	steppings []int
	name      string
}

// zen are AMD's (vendor AuthenticAMD). The ranges are those by which Linux tells the generations apart (arch/x86/kernel/cpu/amd.c); the dense cores are the
// same in fewer megahertz and with less cache, so they have a name of their own.
var zen = []generation{
	{family: 0x17, from: 0x00, to: 0x2f, name: "Zen"},
	{family: 0x17, from: 0x50, to: 0x5f, name: "Zen"},
	{family: 0x17, from: 0x30, to: 0x4f, name: "Zen 2"},
	{family: 0x17, from: 0x60, to: 0x7f, name: "Zen 2"},
	{family: 0x17, from: 0x90, to: 0x91, name: "Zen 2"},
	{family: 0x17, from: 0xa0, to: 0xaf, name: "Zen 2"},
	{family: 0x19, from: 0x00, to: 0x0f, name: "Zen 3"},
	{family: 0x19, from: 0x20, to: 0x5f, name: "Zen 3"},
	{family: 0x19, from: 0x10, to: 0x1f, name: "Zen 4"},
	{family: 0x19, from: 0x60, to: 0x9f, name: "Zen 4"},
	{family: 0x19, from: 0xa0, to: 0xaf, name: "Zen 4c"}, // EPYC 97x4 and 8004
	{family: 0x1a, from: 0x00, to: 0x0f, name: "Zen 5"},
	{family: 0x1a, from: 0x10, to: 0x1f, name: "Zen 5c"}, // EPYC 9005 with dense cores
	{family: 0x1a, from: 0x20, to: 0x2f, name: "Zen 5"},
	{family: 0x1a, from: 0x40, to: 0x4f, name: "Zen 5"},
	{family: 0x1a, from: 0x60, to: 0x7f, name: "Zen 5"},
}

// xeon are Intel's servers (vendor GenuineIntel), by the kernel's names of models (arch/x86/include/asm/intel-family.h). Three generations share model
// 0x55 and differ in stepping.
var xeon = []generation{
	{family: 6, from: 0x2d, to: 0x2d, name: "Sandy Bridge"},
	{family: 6, from: 0x3e, to: 0x3e, name: "Ivy Bridge"},
	{family: 6, from: 0x3f, to: 0x3f, name: "Haswell"},
	{family: 6, from: 0x4f, to: 0x4f, name: "Broadwell"},
	{family: 6, from: 0x56, to: 0x56, name: "Broadwell"},
	{family: 6, from: 0x55, to: 0x55, steppings: []int{0, 4}, name: "Skylake"},
	{family: 6, from: 0x55, to: 0x55, steppings: []int{5, 7}, name: "Cascade Lake"},
	{family: 6, from: 0x55, to: 0x55, steppings: []int{10, 11}, name: "Cooper Lake"},
	{family: 6, from: 0x6a, to: 0x6a, name: "Ice Lake"},
	{family: 6, from: 0x6c, to: 0x6c, name: "Ice Lake"},
	{family: 6, from: 0x8f, to: 0x8f, name: "Sapphire Rapids"},
	{family: 6, from: 0xcf, to: 0xcf, name: "Emerald Rapids"},
	{family: 6, from: 0xad, to: 0xae, name: "Granite Rapids"},
	{family: 6, from: 0xaf, to: 0xaf, name: "Sierra Forest"},
}

// neoverse are ARM's own cores in servers, by part number (arch/arm64/include/asm/cputype.h).
var neoverse = []generation{
	{family: 8, from: 0xd08, to: 0xd08, name: "Cortex-A72"},
	{family: 8, from: 0xd0c, to: 0xd0c, name: "Neoverse N1"},
	{family: 8, from: 0xd40, to: 0xd40, name: "Neoverse V1"},
	{family: 8, from: 0xd49, to: 0xd49, name: "Neoverse N2"},
	{family: 8, from: 0xd4f, to: 0xd4f, name: "Neoverse V2"},
	{family: 8, from: 0xd84, to: 0xd84, name: "Neoverse V3"},
	{family: 8, from: 0xd8e, to: 0xd8e, name: "Neoverse N3"},
}

var generations = map[string][]generation{"AuthenticAMD": zen, "GenuineIntel": xeon, "ARM": neoverse}

// Generation is the name of the core's design; empty for one that is not in the tables, of which family and model say all that is known.
func (c CPU) Generation() string {
	for _, g := range generations[c.Vendor] {
		if g.family == c.Family && g.from <= c.Model && c.Model <= g.to && (g.steppings == nil || g.steppings[0] <= c.Stepping && c.Stepping <= g.steppings[1]) {
			return g.name
		}
	}
	return ""
}

// knownGeneration tells whether any CPU can be of that generation.
func knownGeneration(name string) bool {
	for _, list := range generations {
		for _, g := range list {
			if g.name == name {
				return true
			}
		}
	}
	return false
}
