package machine

import (
	"fmt"
	"slices"
)

// Tuning is how the kernel of a machine should be set for measuring. What is empty is not asked for. The Ansible roles kernel and limits set it, the
// doctor compares it with what it finds.
type Tuning struct {
	// Kernel is the least version, such as "6.1".
	Kernel string `yaml:"kernel"`
	// Boost of the clock above its base: "on" or "off". Off: figures do not depend on how many cores are warm.
	Boost string `yaml:"boost"`
	// SMT: "on" or "off". Off: no two threads share a core's units.
	SMT string `yaml:"smt"`
	// MaxCState is the deepest idle state that may be enabled, by its number; 0 asks for nothing, 1 is the least deep one.
	MaxCState int `yaml:"max_cstate"`
	// THP: always, madvise or never.
	THP string `yaml:"thp"`
	// Mitigations of the CPU's weaknesses: "on" or "off".
	Mitigations string `yaml:"mitigations"`
	// Isolated CPUs: isolcpus on the kernel's command line.
	Isolated CPUSet `yaml:"isolated"`
	// Clocksource, such as tsc.
	Clocksource string `yaml:"clocksource"`
	// NUMANodes that the machine should show.
	NUMANodes int `yaml:"numa_nodes"`
	// MemlockKiB is the least limit of locked memory; io_uring's rings and registered buffers count.
	MemlockKiB uint64 `yaml:"memlock_kib"`
	// Sysctls by their name with dots.
	Sysctls map[string]string `yaml:"sysctls"`
}

// NIC is the network card that carries the load.
type NIC struct {
	// Interface as the kernel names it.
	Interface string `yaml:"interface"`
	// Driver as /sys shows it, such as mlx5_core or veth.
	Driver string `yaml:"driver"`
	// SpeedMbit of the link.
	SpeedMbit int `yaml:"speed_mbit"`
	// MTU in bytes.
	MTU int `yaml:"mtu"`
	// Queues is the number of combined channels.
	Queues int `yaml:"queues"`
	// RxRing and TxRing are descriptors of each queue.
	RxRing int `yaml:"rx_ring"`
	TxRing int `yaml:"tx_ring"`
	// Offloads by ethtool's long names, such as tcp-segmentation-offload.
	Offloads map[string]bool `yaml:"offloads"`
	// IRQCPUs take the card's interrupts. RPSCPUs and XPSCPUs are those of software steering; empty: off.
	IRQCPUs CPUSet `yaml:"irq_cpus"`
	RPSCPUs CPUSet `yaml:"rps_cpus"`
	XPSCPUs CPUSet `yaml:"xps_cpus"`
	// NUMANode that the card hangs on; -1 or nil: none.
	NUMANode *int `yaml:"numa_node"`
}

func oneOf(what, value string, may ...string) error {
	if value == "" || slices.Contains(may, value) {
		return nil
	}
	return fmt.Errorf("%s is %q; there are %v", what, value, may)
}

func (t *Tuning) check() error {
	if t == nil {
		return nil
	}
	for _, err := range []error{
		oneOf("tuning.boost", t.Boost, "on", "off"), oneOf("tuning.smt", t.SMT, "on", "off"), oneOf("tuning.mitigations", t.Mitigations, "on", "off"),
		oneOf("tuning.thp", t.THP, "always", "madvise", "never"),
	} {
		if err != nil {
			return err
		}
	}
	if t.Kernel != "" {
		if _, ok := version(t.Kernel); !ok {
			return fmt.Errorf("tuning.kernel: %q is not a version like 6.1", t.Kernel)
		}
	}
	if t.MaxCState < 0 || t.NUMANodes < 0 {
		return fmt.Errorf("tuning: max_cstate and numa_nodes must not be negative")
	}
	return nil
}

func (n *NIC) check() error {
	switch {
	case n == nil:
		return nil
	case n.Interface == "":
		return fmt.Errorf("nic.interface must be given")
	case n.Queues < 0 || n.RxRing < 0 || n.TxRing < 0 || n.SpeedMbit < 0 || n.MTU < 0:
		return fmt.Errorf("nic %s: numbers must not be negative", n.Interface)
	}
	return nil
}

// version reads the first two numbers of a kernel's version.
func version(s string) (v [2]int, ok bool) {
	n, err := fmt.Sscanf(s, "%d.%d", &v[0], &v[1])
	return v, err == nil && n == 2
}
