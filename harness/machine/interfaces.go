package machine

import (
	"maps"
	"path/filepath"
	"sort"
	"strconv"
)

// Interface is a network interface as /sys shows it. No address is among it: what was observed is published.
type Interface struct {
	Name      string `json:"name"`
	Driver    string `json:"driver,omitempty"`
	MTU       int    `json:"mtu"`
	SpeedMbit int    `json:"speed_mbit,omitempty"`
	RxQueues  int    `json:"rx_queues"`
	TxQueues  int    `json:"tx_queues"`
	// RPS and XPS are the masks of the queues, each once.
	RPS []string `json:"rps,omitempty"`
	XPS []string `json:"xps,omitempty"`
	// NUMANode of the device; -1 for none.
	NUMANode int `json:"numa_node"`
	// Card is what it says of itself; nil where it cannot be asked.
	Card *Card `json:"card,omitempty"`
}

// Interfaces lists all but the loopback. card asks each, unless it is nil.
func Interfaces(root string, card func(string) (Card, error)) []Interface {
	r := reader(root)
	dirs, _ := filepath.Glob(filepath.Join(root, "sys/class/net/*"))
	sort.Strings(dirs)
	out := []Interface{}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if name == "lo" || r.line("sys/class/net/"+name+"/mtu") == "" {
			continue
		}
		i := r.nic(name)
		if card != nil {
			if c, err := card(name); err == nil {
				// Sixty features that are off say little.
				maps.DeleteFunc(c.Offloads, func(_ string, o Offload) bool { return !o.On })
				i.Card = &c
			}
		}
		out = append(out, i)
	}
	return out
}

func (r reader) nic(name string) Interface {
	base := "sys/class/net/" + name
	i := Interface{Name: name, NUMANode: -1, MTU: r.number(base + "/mtu"), SpeedMbit: max(0, r.number(base+"/speed"))}
	if link, err := filepath.EvalSymlinks(filepath.Join(string(r), base, "device/driver")); err == nil {
		i.Driver = filepath.Base(link)
	}
	if v := r.line(base + "/device/numa_node"); v != "" {
		i.NUMANode = r.number(base + "/device/numa_node")
	}
	i.RxQueues, i.RPS = r.queues(base+"/queues/rx-*", "rps_cpus")
	i.TxQueues, i.XPS = r.queues(base+"/queues/tx-*", "xps_cpus")
	return i
}

// queues counts them and collects the masks that differ.
func (r reader) queues(pattern, file string) (n int, masks []string) {
	dirs, _ := filepath.Glob(filepath.Join(string(r), pattern))
	seen := map[string]bool{}
	for _, d := range dirs {
		rel, err := filepath.Rel(string(r), filepath.Join(d, file))
		if err != nil {
			continue
		}
		if v := r.line(rel); v != "" && !seen[v] {
			seen[v] = true
			masks = append(masks, v)
		}
	}
	sort.Strings(masks)
	return len(dirs), masks
}

func (r reader) number(path string) int {
	n, _ := strconv.Atoi(r.line(path))
	return n
}
