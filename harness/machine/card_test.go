package machine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wanted is a description of a card, and found a card that is as described.
func wanted() *NIC {
	return &NIC{Interface: "eth0", Queues: 4, RxRing: 8192, TxRing: 4096, Offloads: map[string]bool{
		"tcp-segmentation-offload": true, "generic-receive-offload": false, "tx-udp-segmentation": true, "scatter-gather": true,
	}}
}

func found() Card {
	return Card{RxRing: 8192, TxRing: 4096, MaxRxRing: 8192, MaxTxRing: 8192, Channels: 4, MaxChannels: 64, Spread: map[int]int{0: 32, 1: 32, 2: 32, 3: 32}, Offloads: map[string]Offload{
		"tx-tcp-segmentation": {On: true}, "tx-tcp-ecn-segmentation": {Fixed: true}, "rx-gro": {}, "rx-gro-list": {On: true}, "tx-udp-segmentation": {On: true},
		"tx-scatter-gather": {On: true}, "tx-scatter-gather-fraglist": {Fixed: true},
	}}
}

func TestACardAsDescribedHasNothingToMend(t *testing.T) {
	checks := wanted().hardware(found(), nil)
	require.Len(t, checks, 8)
	for _, c := range checks {
		assert.Equal(t, OK, c.Status, "%s: %s", c.Name, c.Observed)
		assert.Empty(t, c.Mend, c.Name)
	}
}

// Each deviation makes its own check warn, with a mend that fits what the card can do, and no other.
func TestEachMissOfACardIsExplained(t *testing.T) {
	for name, miss := range map[string]struct {
		change            func(*Card)
		check, seen, mend string
	}{
		"receive ring":     {func(c *Card) { c.RxRing = 1024 }, "eth0 receive ring", "1024, expected 8192", "ethtool -G eth0 rx 8192"},
		"small card":       {func(c *Card) { c.RxRing, c.MaxRxRing = 1024, 2048 }, "eth0 receive ring", "1024, expected 8192", "2048 at most"},
		"transmit ring":    {func(c *Card) { c.TxRing = 256 }, "eth0 transmit ring", "256, expected 4096", "ethtool -G eth0 tx 4096"},
		"no ring":          {func(c *Card) { c.TxRing, c.MaxTxRing = 0, 0 }, "eth0 transmit ring", "not shown", "examine"},
		"channels":         {func(c *Card) { c.Channels = 1 }, "eth0 channels", "1, expected 4", "ethtool -L eth0 combined 4"},
		"offload":          {func(c *Card) { c.Offloads["tx-tcp-segmentation"] = Offload{} }, "eth0 tcp-segmentation-offload", "off, expected on", "ethtool -K eth0 tcp-segmentation-offload on"},
		"offload, fixed":   {func(c *Card) { c.Offloads["rx-gro"] = Offload{true, true} }, "eth0 generic-receive-offload", "on, expected off", "cannot switch it"},
		"unknown offload":  {func(c *Card) { delete(c.Offloads, "tx-udp-segmentation") }, "eth0 tx-udp-segmentation", "not shown", "examine"},
		"queue left out":   {func(c *Card) { delete(c.Spread, 3) }, "eth0 RSS", "3 of 4 queues", "ethtool -X eth0 equal 4"},
		"queues unequally": {func(c *Card) { c.Spread[0] = 96 }, "eth0 RSS", "96 shares and another 32", "ethtool -X eth0 equal 4"},
	} {
		c := found()
		miss.change(&c)
		for _, ch := range wanted().hardware(c, nil) {
			if ch.Name != miss.check {
				assert.Equal(t, OK, ch.Status, "%s, and %s says %s", name, ch.Name, ch.Observed)
				continue
			}
			assert.Equal(t, Warn, ch.Status, name)
			assert.Contains(t, ch.Observed, miss.seen, name)
			assert.Contains(t, ch.Mend, miss.mend, name)
			assert.NotEmpty(t, ch.Reason, name)
		}
	}
	for _, ch := range wanted().hardware(Card{}, errors.New("not permitted")) {
		assert.Equal(t, Warn, ch.Status, ch.Name)
		assert.Contains(t, ch.Observed, "could not be asked for (not permitted)")
	}
}

// On the loop over nodes: a server over two nodes that would fit into one is told, one that does not fit is not.
func TestNUMAPlacement(t *testing.T) {
	root := tree(t, map[string]string{"sys/devices/system/node/online": "0-1", "sys/devices/system/node/node0/cpulist": "0-3", "sys/devices/system/node/node1/cpulist": "4-7"})
	for _, c := range []struct {
		server CPUSet
		status Status
		seen   string
	}{{CPUSet{0, 1, 2, 3}, OK, "node 0"}, {CPUSet{3, 4}, Warn, "node 0, 1"}, {CPUSet{0, 1, 2, 3, 4, 5}, OK, "node 0, 1"}} {
		checks := placement(Roles{Server: c.server}, root)
		require.Len(t, checks, 1)
		assert.Equal(t, c.status, checks[0].Status)
		assert.Contains(t, checks[0].Observed, c.seen)
		assert.Equal(t, c.status == OK, checks[0].Mend == "")
	}
}

func TestThrottlingNowIsAFailure(t *testing.T) {
	assert.Equal(t, OK, throttled(nil, nil, time.Second, true).Status, "a VM has nothing to show")
	hidden := throttled(nil, nil, time.Second, false)
	assert.Equal(t, Warn, hidden.Status, "what cannot be seen is said")
	assert.Contains(t, hidden.Observed, "not shown by this machine")
	assert.NotEmpty(t, hidden.Mend)
	c := throttled(Throttles{"a": 3}, Throttles{"a": 5}, time.Second, false)
	assert.Equal(t, Fail, c.Status)
	assert.Equal(t, "2 times in 1s", c.Observed)
	assert.NotEmpty(t, c.Mend)
}
