package forecast

import (
	"errors"
	"fmt"
	"slices"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Schema of the JSON.
const Schema = "blitz.forecast/1"

// What the gateway is meant to reach on a machine with 128 cores.
const (
	GoalRPS    = 10e6  // requests per second, at least
	GoalRate   = 5e6   // at this rate …
	GoalShare  = 0.35  // … no more than this share of the CPU time …
	GoalMemory = 200e6 // … and no more than these bytes
)

// Verdict on a goal.
type Verdict string

// A goal is reached if the whole range reaches it, missed if nothing of the range does, and open otherwise. What GoalRate takes is out of reach where that rate is.
const (
	Reached    Verdict = "reached"
	Missed     Verdict = "missed"
	Open       Verdict = "open"
	OutOfReach Verdict = "out of reach"
)

// Options of Make.
type Options struct {
	// Target whose results are used. From is the machine they were measured on; empty: that of the newest result.
	Target, From string
	// Connections that are open at GoalRate.
	Connections machine.Range
	// CoreSpeed and NetworkCost replace those of all machines, if they are set.
	CoreSpeed, NetworkCost *machine.Range
}

// Forecast is what larger machines would do, on paper.
type Forecast struct {
	Schema string `json:"schema"`
	// Kind is always "forecast": nothing here was measured on the machine that it is about.
	Kind        string        `json:"kind"`
	Target      string        `json:"target"`
	From        string        `json:"measured_on"`
	Sources     []Source      `json:"sources"`
	Costs       []Cost        `json:"measured_costs"`
	Law         Law           `json:"scaling_law"`
	PerWorker   machine.Range `json:"bytes_per_further_worker"`
	Measured    bool          `json:"bytes_per_further_worker_measured"`
	Idle        []Idle        `json:"bytes_per_idle_connection"`
	Connections machine.Range `json:"connections_assumed"`
	Machines    []Machine     `json:"machines"`
	Skipped     []string      `json:"skipped,omitempty"`
}

// Source is a result that the forecast stands on.
type Source struct {
	Scenario string `json:"scenario"`
	Run      string `json:"run"`
	Revision string `json:"revision"`
}

// Cost is what was measured of a workload on one core.
type Cost struct {
	Workload string        `json:"workload"`
	Micros   float64       `json:"cpu_us_per_request"`
	Interval machine.Range `json:"interval"`
	Rounds   int           `json:"rounds"`
	Memory   machine.Range `json:"memory_bytes"`
}

// Idle is memory of a connection that does nothing.
type Idle struct {
	TLS   bool          `json:"tls"`
	Bytes machine.Range `json:"bytes"`
}

// Law is what is known of how workers scale.
type Law struct {
	Measured   bool   `json:"measured"`
	Identified bool   `json:"identified"`
	Reason     string `json:"reason,omitempty"`
	Shared     bool   `json:"workers_share_cpus_with_load"`
	Workers    []int  `json:"workers,omitempty"`
	Rounds     int    `json:"rounds,omitempty"`
	// Sigma and Kappa are intervals of the identified law. Otherwise Contention and Coherency are what each would be, were it alone.
	Sigma      *machine.Range `json:"sigma,omitempty"`
	Kappa      *machine.Range `json:"kappa,omitempty"`
	Contention *machine.Range `json:"sigma_if_alone,omitempty"`
	Coherency  *machine.Range `json:"kappa_if_alone,omitempty"`
	Misfit     float64        `json:"largest_misfit"`
	Short      bool           `json:"too_few_rounds,omitempty"`
}

// Machine is the forecast for one.
type Machine struct {
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Assumptions machine.Forecast `json:"assumptions"`
	Rows        []Row            `json:"forecast"`
}

// Row is a workload with a number of workers.
type Row struct {
	Workload string `json:"workload"`
	Workers  int    `json:"workers"`
	// CPU is how many requests per second the CPUs would do, by how workers may scale.
	CPU []Estimate `json:"cpu_requests_per_second"`
	// Bandwidth and Packets are what the card would let through, in requests per second; nil without a card.
	Bandwidth *machine.Range `json:"nic_bandwidth_requests_per_second,omitempty"`
	Packets   *machine.Range `json:"nic_packets_requests_per_second,omitempty"`
	// Throughput is bounded by all of these; its lower end is 0 where scaling is unknown.
	Throughput machine.Range `json:"requests_per_second"`
	// Share of the workers' CPU time at GoalRate; above 1 it is more than they have. Its upper end is 1000 where scaling is unknown.
	Share  machine.Range  `json:"cpu_share_at_goal_rate"`
	Memory *machine.Range `json:"memory_bytes_at_goal_rate,omitempty"`
	// Verdicts on the three goals; Memory is empty where it is not known.
	RPSVerdict    Verdict `json:"verdict_requests_per_second"`
	ShareVerdict  Verdict `json:"verdict_cpu_share"`
	MemoryVerdict Verdict `json:"verdict_memory,omitempty"`
}

// Estimate under a hypothesis of scaling.
type Estimate struct {
	Scaling string `json:"scaling"`
	machine.Range
}

// Make computes the forecast for the machines that have assumptions.
func Make(all []result.Stored, machines []machine.Spec, o Options) (*Forecast, error) {
	if o.Connections.From < 0 || o.Connections.To < o.Connections.From {
		return nil, fmt.Errorf("connections from %v to %v are no range", o.Connections.From, o.Connections.To)
	}
	for _, r := range []*machine.Range{o.CoreSpeed, o.NetworkCost} {
		if r != nil && (!(r.From > 0) || r.To < r.From) {
			return nil, errors.New("an assumption must be a range of positive numbers")
		}
	}
	m, err := collect(all, o.From, o.Target)
	if err != nil {
		return nil, err
	}
	f := &Forecast{Schema: Schema, Kind: "forecast", Target: o.Target, From: m.machine, Connections: o.Connections}
	f.measured(m)
	for _, s := range machines {
		switch {
		case s.Forecast == nil:
			f.Skipped = append(f.Skipped, s.Name+": its description states no assumptions")
		case s.Forecast.RelativeTo != m.machine:
			f.Skipped = append(f.Skipped, fmt.Sprintf("%s: its assumptions are relative to %s, and the results are of %s", s.Name, s.Forecast.RelativeTo, m.machine))
		default:
			f.Machines = append(f.Machines, m.machineOf(s, o))
		}
	}
	return f, nil
}

// measured fills in what the forecast stands on.
func (f *Forecast) measured(m *measured) {
	for _, r := range m.sources {
		f.Sources = append(f.Sources, Source{r.Scenario.Name, r.Run.ID, r.Run.Revision})
	}
	same := func(x float64) float64 { return x }
	for _, w := range m.workloads {
		f.Costs = append(f.Costs, Cost{w.Scenario.Name, w.cost.median, w.cost.bounds(same), w.cost.rounds, w.memory.bounds(same)})
	}
	for _, tls := range []bool{false, true} {
		if p, ok := m.perIdle[tls]; ok {
			f.Idle = append(f.Idle, Idle{tls, p.bounds(same)})
		}
	}
	if f.Measured = len(m.perWorker.draws) > 0; f.Measured {
		f.PerWorker = m.perWorker.bounds(func(x float64) float64 { return max(0, x) })
	}
	if m.law == nil {
		f.Law.Reason = "no scaling run was measured on this machine"
		return
	}
	l := m.law
	f.Law = Law{
		Measured: true, Identified: l.Identified, Reason: l.Reason, Shared: m.lawFrom.Scenario.SharedCPUs, Workers: m.counts, Rounds: l.Rounds, Misfit: l.Misfit, Short: l.Short,
	}
	pair := func(r [2]float64) *machine.Range { return &machine.Range{From: r[0], To: r[1]} }
	switch {
	case l.Identified:
		f.Law.Sigma, f.Law.Kappa = pair(l.SigmaRange), pair(l.KappaRange)
	case len(m.counts) > 1:
		f.Law.Contention = pair(l.Contention.Range(confidence, func(u stat.USL) float64 { return max(0, u.Sigma) }))
		f.Law.Coherency = pair(l.Coherency.Range(confidence, func(u stat.USL) float64 { return max(0, u.Kappa) }))
	}
}

// workersOf are the numbers of workers to look at: as many as the description gives the gateway, and, where a card carries the load, as many as the machine has
// CPUs: load and origin are elsewhere then.
func workersOf(s machine.Spec) []int {
	n, all := len(s.Roles.Server), s.Expect.CPUs
	nic := s.NIC
	for _, h := range s.With(machine.RoleProxy) {
		n = len(h.CPUs)
		alone := s.Alone(h)
		all, nic = alone.Expect.CPUs, alone.NIC
	}
	if nic == nil || all <= n {
		return []int{n}
	}
	return []int{n, all}
}

func (m *measured) machineOf(s machine.Spec, o Options) Machine {
	a := *s.Forecast
	if o.CoreSpeed != nil {
		a.CoreSpeed = *o.CoreSpeed
	}
	if o.NetworkCost != nil {
		a.NetworkCost = *o.NetworkCost
	}
	out := Machine{Name: s.Name, Description: s.Description, Assumptions: a}
	nic := s.NIC
	for _, h := range s.With(machine.RoleProxy) {
		nic = s.Alone(h).NIC
	}
	for _, w := range m.workloads {
		for _, n := range workersOf(s) {
			out.Rows = append(out.Rows, m.row(w, n, a, nic, o.Connections))
		}
	}
	return out
}

func (m *measured) row(w workload, n int, a machine.Forecast, nic *machine.NIC, connections machine.Range) Row {
	row := Row{Workload: w.Scenario.Name, Workers: n}
	hs, known := m.hypotheses()
	workers := float64(n)
	for i, h := range hs {
		x := throughputOf(w, h, workers, a.CoreSpeed, a.NetworkCost)
		row.CPU = append(row.CPU, Estimate{h.name, x})
		u := shareOf(w, h, workers, GoalRate, a.CoreSpeed, a.NetworkCost)
		if i == 0 {
			row.Throughput, row.Share = x, u
			continue
		}
		row.Throughput = machine.Range{From: min(row.Throughput.From, x.From), To: max(row.Throughput.To, x.To)}
		row.Share = machine.Range{From: min(row.Share.From, u.From), To: max(row.Share.To, u.To)}
	}
	row.Bandwidth, row.Packets = ceilings(w, nic, a.NICPackets)
	for _, c := range []*machine.Range{row.Bandwidth, row.Packets} {
		if c != nil {
			row.Throughput = machine.Range{From: min(row.Throughput.From, c.From), To: min(row.Throughput.To, c.To)}
		}
	}
	if !known {
		// Nobody knows how workers scale: linear is the upper end, and there is no lower one.
		row.Throughput.From, row.Share.To = 0, unknownShare
	}
	row.RPSVerdict, row.ShareVerdict = atLeast(row.Throughput, GoalRPS), atMost(row.Share, GoalShare)
	if row.Throughput.To < GoalRate {
		// By the card if not by the CPUs.
		row.ShareVerdict = OutOfReach
	}
	if mem, ok := m.memoryOf(w, workers, connections); ok {
		row.Memory, row.MemoryVerdict = &mem, atMost(mem, GoalMemory)
		if row.Throughput.To < GoalRate {
			row.MemoryVerdict = OutOfReach
		}
	}
	return row
}

// unknownShare stands for no upper end; JSON has no infinity.
const unknownShare = 1000

func atLeast(r machine.Range, goal float64) Verdict {
	switch {
	case r.From >= goal:
		return Reached
	case r.To < goal:
		return Missed
	}
	return Open
}

func atMost(r machine.Range, goal float64) Verdict {
	switch {
	case r.To <= goal:
		return Reached
	case r.From > goal:
		return Missed
	}
	return Open
}

// Machines reads all descriptions of a directory, by name.
func Machines(files []string) ([]machine.Spec, error) {
	var out []machine.Spec
	for _, f := range slices.Sorted(slices.Values(files)) {
		s, err := machine.Load(f)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
