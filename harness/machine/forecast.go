package machine

import "fmt"

// Range is what lies between two numbers, both included.
type Range struct {
	From float64 `yaml:"from" json:"from"`
	To   float64 `yaml:"to" json:"to"`
}

// Forecast holds what somebody who cannot measure on the machine assumes of it. Nothing of it is used by a measurement.
type Forecast struct {
	// RelativeTo is the machine whose core and network are 1.
	RelativeTo string `yaml:"relative_to" json:"relative_to"`
	// CoreSpeed is how many times faster a core does the same work: clock times instructions per clock.
	CoreSpeed Range `yaml:"core_speed" json:"core_speed"`
	// NetworkCost is how many times more CPU time a request takes over this machine's network than over loopback there.
	NetworkCost Range `yaml:"network_cost" json:"network_cost"`
	// NICPackets are the packets that the card moves in each direction, in millions per second; nil without a card.
	NICPackets *Range `yaml:"nic_packets" json:"nic_packets,omitempty"`
	// Why these ranges, a sentence each.
	Why []string `yaml:"why" json:"why"`
}

func (r Range) check(what string) error {
	if !(r.From > 0) || r.To < r.From || r.To > 1e6 {
		return fmt.Errorf("forecast.%s: %v to %v is not a range of positive numbers", what, r.From, r.To)
	}
	return nil
}

func (f *Forecast) check() error {
	if f == nil {
		return nil
	}
	if f.RelativeTo == "" || len(f.Why) == 0 {
		return fmt.Errorf("forecast.relative_to and forecast.why must be given: an assumption says what it is relative to, and why")
	}
	if err := f.CoreSpeed.check("core_speed"); err != nil {
		return err
	}
	if f.NICPackets != nil {
		if err := f.NICPackets.check("nic_packets"); err != nil {
			return err
		}
	}
	return f.NetworkCost.check("network_cost")
}
