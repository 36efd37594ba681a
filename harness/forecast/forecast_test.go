package forecast

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// world is a machine whose figures are known: a core that is full does 1e6/cost requests per second, workers scale by law.
type world struct {
	cost, noise float64
	law         stat.USL
	workers     []int
	rounds      int
}

func base(scenario, run string) *result.Result {
	return &result.Result{
		Run:      result.Run{ID: run, Revision: "abc"},
		Machine:  result.Machine{Name: "small", Server: machine.CPUSet{0}},
		Scenario: result.Scenario{Name: scenario, BodyBytes: 13},
		Targets:  []result.Target{{Name: "blitz", HeadBytes: 100}},
	}
}

func stored(rs ...*result.Result) (out []result.Stored) {
	for _, r := range rs {
		out = append(out, result.Stored{Result: r})
	}
	return out
}

func (w world) load(rng *rand.Rand, rps, cost float64) *result.Load {
	cost *= math.Exp(w.noise * rng.NormFloat64())
	return &result.Load{RPS: rps, ServerCPUMicros: cost, ServerUse: 1, Memory: result.Memory{PSS: 10e6}}
}

// results of the world: a workload at two rates, scaling, and idle connections.
func (w world) results(seed uint64) []result.Stored {
	rng := rand.New(rand.NewPCG(seed, 1))
	h1 := base("h1-static", "2")
	h1.Scenario.Rates = []float64{0.25e6 / w.cost}
	idle := base("idle-10k", "1")
	scaling := base("scaling", "3")
	scaling.Scenario.SharedCPUs = true
	for round := range w.rounds {
		h1.Samples = append(h1.Samples,
			result.Sample{Target: "blitz", Phase: result.Saturation, Round: round, Load: w.load(rng, 1e6/w.cost, w.cost)},
			// At a quarter of the rate a request costs twice as much.
			result.Sample{Target: "blitz", Phase: result.FixedRate, Rate: h1.Scenario.Rates[0], Round: round, Load: w.load(rng, h1.Scenario.Rates[0], 2*w.cost)})
		idle.Samples = append(idle.Samples, result.Sample{Target: "blitz", Phase: result.Idle, Round: round, Idle: &result.Conn{Connections: 10000, PerConnection: 1000}})
		drift := math.Exp(0.2 * rng.NormFloat64())
		for _, n := range w.workers {
			l := w.load(rng, w.law.At(float64(n))*drift*math.Exp(w.noise*rng.NormFloat64()), w.cost)
			l.PSS += int64(2e6 * (n - 1))
			scaling.Samples = append(scaling.Samples, result.Sample{Target: "blitz", Phase: result.Scaling, Workers: n, Round: round, Load: l})
		}
	}
	if len(w.workers) == 0 {
		return stored(h1, idle)
	}
	return stored(h1, idle, scaling)
}

// large is a machine with 128 cores of exactly known speed.
func large(speed, network float64) machine.Spec {
	return machine.Spec{
		Name: "large", Description: "large", Expect: machine.Expect{CPUs: 128}, Roles: machine.Roles{Server: make(machine.CPUSet, 64)},
		NIC: &machine.NIC{Interface: "x", SpeedMbit: 200000, MTU: 1500},
		Forecast: &machine.Forecast{
			RelativeTo: "small", CoreSpeed: machine.Range{From: speed, To: speed}, NetworkCost: machine.Range{From: network, To: network},
			NICPackets: &machine.Range{From: 100, To: 200}, Why: []string{"because"},
		},
	}
}

var options = Options{Target: "blitz", Connections: machine.Range{From: 10000, To: 20000}}

func make1(t *testing.T, all []result.Stored, s machine.Spec, o Options) *Forecast {
	t.Helper()
	f, err := Make(all, []machine.Spec{s}, o)
	require.NoError(t, err)
	require.Len(t, f.Machines, 1)
	return f
}

// With parameters that are known and assumptions without width, the truth lies within the range in nine of ten simulations and more.
func TestForecastsHoldTheTruth(t *testing.T) {
	const sims = 60
	w := world{cost: 8, noise: 0.03, law: stat.USL{Lambda: 1e5, Sigma: 0.01, Kappa: 0.0001}, workers: []int{1, 2, 4, 8, 16, 32}, rounds: 6}
	const speed, network = 0.5, 1.25
	var hits, shares [2]int // of the two rows of the machine: 64 workers and 128
	for i := range sims {
		f := make1(t, w.results(uint64(i)), large(speed, network), options)
		require.True(t, f.Law.Identified)
		for k := range hits {
			row := f.Machines[0].Rows[k]
			require.Len(t, row.CPU, 1)
			cores := w.law.Capacity(float64(row.Workers))
			truth := 1e6 / w.cost * cores * speed / network
			if row.CPU[0].From <= truth && truth <= row.CPU[0].To {
				hits[k]++
			}
			// Below a quarter of a core's rate a request costs twice as much.
			r := GoalRate * network / (speed * cores)
			quarter := 0.25e6 / w.cost
			use := r / quarter * 0.5
			if r > quarter {
				use = 0.5 + 0.5*(r-quarter)/(4*quarter-quarter)
			}
			if r > 4*quarter {
				use = r * w.cost / 1e6
			}
			if row.Share.From <= use && use <= row.Share.To {
				shares[k]++
			}
		}
	}
	for k := range hits {
		assert.GreaterOrEqual(t, hits[k], sims*9/10)
		assert.GreaterOrEqual(t, shares[k], sims*9/10)
	}
}

// A slower clock counts by the assumption that is stated, and by nothing else.
func TestSpeedIsAnAssumption(t *testing.T) {
	w := world{cost: 8, law: stat.USL{Lambda: 1e5, Sigma: 0.01, Kappa: 0.0001}, workers: []int{1, 2, 4, 8}, rounds: 6}
	all := w.results(1)
	at := func(s machine.Spec, o Options) Row { return make1(t, all, s, o).Machines[0].Rows[0] }
	one, half := at(large(1, 1), options), at(large(0.5, 1), options)
	assert.InEpsilon(t, one.CPU[0].From/2, half.CPU[0].From, 1e-9)
	assert.InEpsilon(t, one.CPU[0].To/2, half.CPU[0].To, 1e-9)
	assert.InEpsilon(t, one.CPU[0].To/2, at(large(1, 2), options).CPU[0].To, 1e-9)

	o := options
	o.CoreSpeed = &machine.Range{From: 0.5, To: 1}
	wide := at(large(1, 1), o)
	assert.InEpsilon(t, half.CPU[0].From, wide.CPU[0].From, 1e-9)
	assert.InEpsilon(t, one.CPU[0].To, wide.CPU[0].To, 1e-9)
	assert.LessOrEqual(t, wide.Share.From, one.Share.From)
	assert.GreaterOrEqual(t, wide.Share.To, one.Share.To)

	// Relative to a machine that is not the measured one, or without assumptions, there is no forecast.
	other := large(1, 1)
	other.Forecast.RelativeTo = "elsewhere"
	silent := large(1, 1)
	silent.Forecast = nil
	f, err := Make(all, []machine.Spec{other, silent}, options)
	require.NoError(t, err)
	assert.Empty(t, f.Machines)
	require.Len(t, f.Skipped, 2)
	assert.Contains(t, f.Skipped[0], "elsewhere")
	assert.Contains(t, f.Skipped[1], "no assumptions")
}

// Two numbers of workers give three assumptions and no law; none, only an upper end.
func TestWhatIsNotIdentifiedIsSaid(t *testing.T) {
	w := world{cost: 8, noise: 0.005, law: stat.USL{Lambda: 1e5, Sigma: 0.05}, workers: []int{1, 2}, rounds: 6}
	f := make1(t, w.results(1), large(1, 1), options)
	assert.False(t, f.Law.Identified)
	assert.True(t, f.Law.Measured)
	assert.Nil(t, f.Law.Sigma)
	assert.LessOrEqual(t, f.Law.Contention.From, 0.05)
	assert.GreaterOrEqual(t, f.Law.Contention.To, 0.05)
	row := f.Machines[0].Rows[0]
	require.Len(t, row.CPU, 3)
	assert.Equal(t, "linear", row.CPU[0].Scaling)
	assert.Greater(t, row.CPU[0].From, row.CPU[1].To)
	assert.Greater(t, row.CPU[1].From, row.CPU[2].To)
	truth := 1e6 / w.cost * w.law.Capacity(64)
	assert.LessOrEqual(t, row.CPU[1].From, truth)
	assert.GreaterOrEqual(t, row.CPU[1].To, truth)
	md := string(f.Markdown())
	assert.Contains(t, md, "Not identified")
	assert.Contains(t, md, "share their CPUs")

	w.workers = nil
	f = make1(t, w.results(1), large(100, 1), options)
	row = f.Machines[0].Rows[0]
	require.Len(t, row.CPU, 1)
	assert.Zero(t, row.Throughput.From)
	assert.Equal(t, Open, row.RPSVerdict, "without a lower end nothing is reached")
	assert.Equal(t, Open, row.ShareVerdict)
	md = string(f.Markdown())
	assert.Contains(t, md, "Not measured")
	assert.Contains(t, md, "at most")
	assert.Contains(t, md, "at least")

	w.workers = []int{1}
	f = make1(t, w.results(1), large(1, 1), options)
	assert.Len(t, f.Machines[0].Rows[0].CPU, 1)
	assert.Contains(t, string(f.Markdown()), "one number of workers")
}

func TestVerdicts(t *testing.T) {
	w := world{cost: 8, noise: 0.001, law: stat.USL{Lambda: 1e5}, workers: []int{1, 2, 4, 8}, rounds: 6}
	for speed, want := range map[float64][2]Verdict{0.01: {Missed, OutOfReach}, 1: {Missed, Missed}, 20: {Reached, Reached}} {
		row := make1(t, w.results(1), large(speed, 1), options).Machines[0].Rows[0]
		assert.Equal(t, want[0], row.RPSVerdict, "speed %v: %v", speed, row.Throughput)
		assert.Equal(t, want[1], row.ShareVerdict, "speed %v: %v", speed, row.Share)
	}
	assert.Equal(t, Open, atLeast(machine.Range{From: 1, To: 3}, 2))
	assert.Equal(t, Reached, atLeast(machine.Range{From: 2, To: 3}, 2))
	assert.Equal(t, Missed, atLeast(machine.Range{From: 1, To: 1.9}, 2))
	assert.Equal(t, Open, atMost(machine.Range{From: 1, To: 3}, 2))
	assert.Equal(t, Missed, atMost(machine.Range{From: 2.1, To: 3}, 2))
	assert.Equal(t, Reached, atMost(machine.Range{From: 1, To: 2}, 2))
}

// The card bounds what the CPUs would do, by bytes or by packets.
func TestTheCardIsACeiling(t *testing.T) {
	r := base("h1-proxy-1k", "1")
	r.Scenario.Proxied, r.Scenario.BodyBytes = true, 1024
	w := workload{Result: r, head: 100}
	out, in := wire(w, 1500)
	// To the client head and body in one packet, to the origin a request; acknowledgements at worst.
	assert.Equal(t, machine.Range{From: 2, To: 4}, out.packets)
	assert.Equal(t, machine.Range{From: 1124 + 100 + 2*90, To: 1124 + 500 + 4*90}, out.bytes)
	assert.Equal(t, machine.Range{From: 2, To: 4}, in.packets)
	b, p := ceilings(w, &machine.NIC{SpeedMbit: 100000, MTU: 1500}, &machine.Range{From: 50, To: 100})
	assert.InEpsilon(t, 12.5e9/(500+1324+4*90), b.From, 1e-9)
	assert.InEpsilon(t, 12.5e9/(100+1124+2*90), b.To, 1e-9)
	assert.Equal(t, machine.Range{From: 12.5e6, To: 50e6}, *p)
	b, p = ceilings(w, nil, nil)
	assert.Nil(t, b)
	assert.Nil(t, p)

	h2 := base("h2-static", "1")
	h2.Scenario.Protocol, h2.Scenario.TLS = "h2", true
	out, _ = wire(workload{Result: h2}, 1500)
	assert.Less(t, out.packets.From, 0.1, "responses share packets")
	large1m := base("h1-large", "1")
	large1m.Scenario.BodyBytes = 1 << 20
	out, _ = wire(workload{Result: large1m, head: 100}, 0)
	assert.InDelta(t, 725, out.packets.From, 1)

	// Fast CPUs behind a slow card.
	slow := large(100, 1)
	slow.NIC.SpeedMbit = 1000
	row := make1(t, world{cost: 8, law: stat.USL{Lambda: 1}, workers: []int{1, 2, 4}, rounds: 6}.results(1), slow, options).Machines[0].Rows[0]
	assert.Less(t, row.Throughput.To, 1e6)
	assert.Equal(t, Missed, row.RPSVerdict)
	assert.Equal(t, OutOfReach, row.ShareVerdict, "a rate that the card does not carry is not served with little CPU")
	assert.Equal(t, OutOfReach, row.MemoryVerdict)
}

func TestMemoryAddsUp(t *testing.T) {
	w := world{cost: 8, law: stat.USL{Lambda: 1e5}, workers: []int{1, 2, 4}, rounds: 6}
	f := make1(t, w.results(1), large(20, 1), options)
	row := f.Machines[0].Rows[0]
	require.NotNil(t, row.Memory)
	assert.InEpsilon(t, 10e6+63*2e6+10000*1000, row.Memory.From, 1e-9)
	assert.InEpsilon(t, 10e6+63*2e6+20000*1000, row.Memory.To, 1e-9)
	assert.Equal(t, Reached, row.MemoryVerdict)
	assert.Equal(t, Missed, f.Machines[0].Rows[1].MemoryVerdict, "127 further workers of 2 MB")

	w.workers = nil
	row = make1(t, w.results(1), large(20, 1), options).Machines[0].Rows[0]
	assert.InEpsilon(t, 10e6+10e6, row.Memory.From, 1e-9)
	assert.InEpsilon(t, 10e6+63*10e6+20e6, row.Memory.To, 1e-9, "not measured: at worst a whole process each")
}

// Results that cannot carry a forecast are refused or left out.
func TestWhatCannotBeUsed(t *testing.T) {
	_, err := Make(nil, nil, options)
	assert.ErrorContains(t, err, "no result of blitz")
	w := world{cost: 8, law: stat.USL{Lambda: 1e5}, workers: []int{1, 2, 4}, rounds: 6}
	o := options
	o.Target = "nginx"
	_, err = Make(w.results(1), nil, o)
	assert.ErrorContains(t, err, "nginx")
	o = options
	o.From = "nowhere"
	_, err = Make(w.results(1), nil, o)
	assert.ErrorContains(t, err, "nowhere")
	o = options
	o.Connections.To = 1
	_, err = Make(w.results(1), nil, o)
	assert.ErrorContains(t, err, "no range")
	o = options
	o.CoreSpeed = &machine.Range{}
	_, err = Make(w.results(1), nil, o)
	assert.ErrorContains(t, err, "positive")
	all := w.results(1)
	for _, s := range all {
		s.Run.Forced = true
	}
	_, err = Make(all, nil, options)
	assert.ErrorContains(t, err, "no result", "forced runs are not to be cited")

	// One round has no interval, and an invalid sample is none.
	all = w.results(1)
	for i := range all[0].Samples {
		if all[0].Samples[i].Round > 0 {
			all[0].Samples[i].Invalid = []string{"late"}
		}
	}
	_, err = Make(all, nil, options)
	assert.ErrorContains(t, err, "no result")
	all = w.results(1)
	all[2].Samples = all[2].Samples[:4]
	f := make1(t, all, large(1, 1), options)
	assert.False(t, f.Law.Measured)
}

// Workers that had less than their CPUs count for what they would do with all of their time.
func TestLimitedSamplesOfScaling(t *testing.T) {
	s := result.Sample{Load: &result.Load{RPS: 100, ServerUse: 0.5}}
	assert.InDelta(t, 200, throughput(s), 1e-9)
	s.Load.ServerUse = 0.95
	assert.InDelta(t, 100, throughput(s), 1e-9)
	s.Load.ServerUse = 0
	assert.InDelta(t, 100, throughput(s), 1e-9)
}

func TestAlwaysLabelledAndAlwaysTheSame(t *testing.T) {
	w := world{cost: 8, noise: 0.02, law: stat.USL{Lambda: 1e5, Sigma: 0.01}, workers: []int{1, 2, 4, 8}, rounds: 6}
	a := make1(t, w.results(1), large(1, 1), options)
	b := make1(t, w.results(1), large(1, 1), options)
	assert.Equal(t, string(a.Markdown()), string(b.Markdown()))
	md := string(a.Markdown())
	assert.True(t, strings.HasPrefix(md, "# Forecast\n\n**A forecast, no result.**"))
	for _, line := range strings.Split(md, "\n") {
		if strings.HasPrefix(line, "**") && !strings.HasPrefix(line, "**A ") && !strings.HasPrefix(line, "**Not ") {
			assert.Regexp(t, `^\*\*(Forecast: |Measured on small|Assumed for each)`, line)
		}
	}
	j, err := json.Marshal(a)
	require.NoError(t, err)
	assert.Contains(t, string(j), `"kind":"forecast"`)
	assert.NotContains(t, md, "NaN")
	assert.NotContains(t, md, "Inf")
}

func TestDigits(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.0123: "0.012", 0.99: "0.99", 0.999: "1.0", 1.25: "1.3", 9.96: "10", 12.3: "12", 148.8: "150", 50000: "50000"} {
		assert.Equal(t, want, sig(x), fmt.Sprint(x))
	}
	assert.Equal(t, "12 – 34 %", percent(machine.Range{From: 0.12, To: 0.34}))
	assert.Equal(t, "50 – more than 100 %", percent(machine.Range{From: 0.5, To: 7}))
	assert.Equal(t, "more than 100 %", percent(machine.Range{From: 2, To: 7}))
}

// docs/FORECAST.md must be what the committed results and descriptions say.
func TestForecastIsNotStale(t *testing.T) {
	all, err := result.ReadAll("../../results")
	require.NoError(t, err)
	files, err := filepath.Glob("../../machines/*.yaml")
	require.NoError(t, err)
	specs, err := Machines(files)
	require.NoError(t, err)
	f, err := Make(all, specs, Options{Target: "blitz", Connections: machine.Range{From: 10000, To: 50000}})
	require.NoError(t, err)
	assert.Len(t, f.Machines, len(files), "each description states its assumptions: %v", f.Skipped)
	got, err := os.ReadFile("../../docs/FORECAST.md")
	require.NoError(t, err)
	assert.Equal(t, string(f.Markdown()), string(got), "run `go run ./cmd/blitzlab project` and commit docs/FORECAST.md with the results")
}
