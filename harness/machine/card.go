package machine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Card is what a network card says through ethtool's interface, beside the files of /sys. What it does not have is zero.
type Card struct {
	// RxRing and TxRing are descriptors of each queue, and the most it can have.
	RxRing    int `json:"rx_ring,omitempty"`
	TxRing    int `json:"tx_ring,omitempty"`
	MaxRxRing int `json:"max_rx_ring,omitempty"`
	MaxTxRing int `json:"max_tx_ring,omitempty"`
	// Channels are combined ones: a receive and a transmit queue with one interrupt.
	Channels    int `json:"channels,omitempty"`
	MaxChannels int `json:"max_channels,omitempty"`
	// Offloads by the kernel's names.
	Offloads map[string]Offload `json:"offloads,omitempty"`
	// Spread is how many of the entries of the card's hash table (RSS) lead to each receive queue.
	Spread map[int]int `json:"spread,omitempty"`
}

// Offload is work that a card may do in place of the kernel.
type Offload struct {
	On bool `json:"on"`
	// Fixed: it cannot be switched.
	Fixed bool `json:"fixed,omitempty"`
}

// longNames are ethtool's names of one or several of the kernel's features (ethtool(8), -k). They begin so.
var longNames = map[string][]string{
	"rx-checksumming":              {"rx-checksum"},
	"tx-checksumming":              {"tx-checksum-"},
	"scatter-gather":               {"tx-scatter-gather"},
	"tcp-segmentation-offload":     {"tx-tcp"},
	"generic-segmentation-offload": {"tx-generic-segmentation"},
	"generic-receive-offload":      {"rx-gro"},
	"large-receive-offload":        {"rx-lro"},
	"rx-vlan-offload":              {"rx-vlan-hw-parse"},
	"tx-vlan-offload":              {"tx-vlan-hw-insert"},
	"ntuple-filters":               {"rx-ntuple-filter"},
	"receive-hashing":              {"rx-hashing"},
}

// exact names are features of which others have the beginning.
var exact = []string{"rx-gro", "rx-lro", "rx-checksum", "tx-generic-segmentation"}

// offload finds an offload by either name. ok is false for one that the card does not know. Of several features, one that is on makes it on.
func (c Card) offload(name string) (o Offload, ok bool) {
	prefixes := longNames[name]
	if prefixes == nil {
		o, ok = c.Offloads[name]
		return o, ok
	}
	o.Fixed = true
	for feature, state := range c.Offloads {
		for _, p := range prefixes {
			if feature == p || strings.HasPrefix(feature, p) && !slices.Contains(exact, p) {
				o.On, o.Fixed, ok = o.On || state.On, o.Fixed && state.Fixed, true
			}
		}
	}
	return o, ok
}

// hardware are the checks of what only the card itself can tell.
func (n *NIC) hardware(c Card, err error) []Check {
	var out []Check
	add := func(e expectation) {
		e.name = n.Interface + " " + e.name
		ch := e.check()
		if e.seen == "" && err != nil {
			ch.Observed = "could not be asked for (" + err.Error() + "), expected " + e.want
		}
		out = append(out, ch)
	}
	number := func(what string, want, seen, most int, reason, set string) {
		if want == 0 {
			return
		}
		e := expectation{name: what, want: strconv.Itoa(want), reason: reason, mend: fmt.Sprintf(set, n.Interface, want) + provision}
		if seen > 0 {
			e.seen = strconv.Itoa(seen)
		}
		if most > 0 && most < want {
			e.mend = fmt.Sprintf("this card has %d at most: correct the description", most)
		}
		add(e)
	}
	number("receive ring", n.RxRing, c.RxRing, c.MaxRxRing, "a burst that is longer than the ring is dropped before anybody sees it", "ethtool -G %s rx %d")
	number("transmit ring", n.TxRing, c.TxRing, c.MaxTxRing, "a full ring stops the sender until the card has caught up", "ethtool -G %s tx %d")
	if c.MaxChannels > 0 {
		number("channels", n.Queues, c.Channels, c.MaxChannels, "each is served by one CPU: too few make it the bottleneck", "ethtool -L %s combined %d")
	}
	onOff := map[bool]string{true: "on", false: "off"}
	for _, name := range slices.Sorted(maps.Keys(n.Offloads)) {
		e := expectation{name: name, want: onOff[n.Offloads[name]], reason: "it decides how many packets the kernel handles for the same bytes",
			mend: fmt.Sprintf("ethtool -K %s %s %s", n.Interface, name, onOff[n.Offloads[name]]) + provision}
		if o, ok := c.offload(name); ok {
			e.seen = onOff[o.On]
			if o.Fixed {
				e.mend = "this card cannot switch it: correct the description"
			}
		}
		add(e)
	}
	if len(c.Spread) > 0 && n.Queues > 1 {
		add(n.spread(c))
	}
	return out
}

// spread tells whether the card's hash table leads to all queues, and equally often.
func (n *NIC) spread(c Card) expectation {
	least, most := 1<<31, 0
	for q := range n.Queues {
		least, most = min(least, c.Spread[q]), max(most, c.Spread[q])
	}
	seen := fmt.Sprintf("%d of %d queues", len(c.Spread), n.Queues)
	if len(c.Spread) >= n.Queues && most > 2*least {
		seen = fmt.Sprintf("a queue gets %d shares and another %d", most, least)
	}
	return expectation{name: "RSS", want: fmt.Sprintf("%d of %d queues", n.Queues, n.Queues), seen: seen,
		reason: "the card picks the queue, and with it the CPU, by a hash: a queue that gets nothing leaves its CPU idle",
		mend:   fmt.Sprintf("ethtool -X %s equal %d", n.Interface, n.Queues)}
}
