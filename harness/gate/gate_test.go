package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// world is a simulated machine: arms share a drift, each measurement has noise of its own, and the candidate is worse by some factor.
type world struct {
	rng       *rand.Rand
	noise     float64
	drift     float64
	candidate map[string]float64 // factor by metric
	now       time.Time
	measured  int
	// spoil says whether a measurement spoils itself.
	spoil func(n int) bool
}

func (w *world) measure(ctx context.Context, scenario string, order []Arm) (out [arms]Sample, err error) {
	for _, a := range order {
		if out[a], err = w.one(ctx, scenario, a); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (w *world) one(_ context.Context, scenario string, arm Arm) (Sample, error) {
	w.now = w.now.Add(2 * time.Second)
	w.measured++
	if w.spoil != nil && w.spoil(w.measured) {
		return Sample{}, fmt.Errorf("%w: generator late", ErrInvalid)
	}
	w.drift += w.noise * w.rng.NormFloat64()
	out := map[string]float64{}
	for _, m := range []struct {
		name  string
		base  float64
		noisy float64
	}{{CPU, 4, 1}, {RPS, 240000, 1}, {P99, 800, 4}, {P999, 1500, 8}, {Memory, 20, 0.5}, {Start, 9, 2}} {
		v := m.base * math.Exp(w.drift+m.noisy*w.noise*w.rng.NormFloat64())
		if f, ok := w.candidate[m.name]; ok && arm == Candidate {
			v *= f
		}
		out[m.name] = v
	}
	// Allocations: none, but for what the runtime does now and then.
	out[Allocs] = 0.01 * w.rng.ExpFloat64()
	if n, ok := w.candidate[Allocs]; ok && arm == Candidate {
		out[Allocs] += n
	}
	return Sample{Values: out, Tail: tailOf(out[P99], out[P999])}, nil
}

// tailOf is a window in which one request in a hundred takes longer than p99 and one in a thousand longer than p999.
func tailOf(p99, p999 float64) []stat.Counts {
	return []stat.Counts{{{Value: p99 / 2, Count: 9890}, {Value: p99, Count: 99}, {Value: max(p99, p999), Count: 11}}}
}

func simulate(t testing.TB, w *world, seed uint64, edit ...func(*Config)) Outcome {
	t.Helper()
	w.rng, w.now = rand.New(rand.NewPCG(seed, 9)), time.Unix(0, 0)
	p, err := ProfileByName("short")
	require.NoError(t, err)
	c := Config{
		Scenarios: []string{"h1-static", "h1-proxy-1k"}, Metrics: p.Metrics, MinPairs: p.MinPairs, Step: p.Step, MaxPairs: p.MaxPairs, Budget: p.Budget,
		Resamples: 200, Measure: w.measure, Order: lab.Schedule, Seed: seed, Now: func() time.Time { return w.now }, Progress: func(string) {},
	}
	for _, e := range edit {
		e(&c)
	}
	out, err := Run(context.Background(), c)
	require.NoError(t, err)
	return out
}

// tally runs n gates and counts their verdicts.
func tally(t *testing.T, n int, noise float64, candidate map[string]float64) map[Verdict]int {
	got := map[Verdict]int{}
	for i := range n {
		got[simulate(t, &world{noise: noise, candidate: candidate}, uint64(i)).Verdict]++
	}
	t.Logf("noise %.1f %%, candidate %v: %v", 100*noise, candidate, got)
	return got
}

// The whole procedure, repeated looks included, raises a false alarm in at most 5 % of gates between equal executables, and passes nearly all
// of them on a quiet machine.
func TestEqualExecutables(t *testing.T) {
	const n = 200
	got := tally(t, n, 0.01, nil)
	assert.LessOrEqual(t, got[Regression], n/20)
	assert.GreaterOrEqual(t, got[Pass], n*9/10)
	got = tally(t, n, 0.04, nil)
	assert.LessOrEqual(t, got[Regression], n/20)
}

// A machine that is too noisy to decide says so and does not pass what it cannot see.
func TestNoisyMachineIsInconclusive(t *testing.T) {
	const n = 60
	got := tally(t, n, 0.15, nil)
	assert.GreaterOrEqual(t, got[Inconclusive], n*95/100)
	assert.LessOrEqual(t, got[Regression], n/20)
	got = tally(t, n, 0.15, map[string]float64{CPU: 1.10})
	assert.Zero(t, got[Pass])
}

func TestRegressionsAreCaught(t *testing.T) {
	const n = 100
	for name, candidate := range map[string]map[string]float64{
		"10 % more CPU":        {CPU: 1.10},
		"10 % less throughput": {RPS: 0.90},
		"tail three times":     {P99: 3, P999: 3},
		"one allocation":       {Allocs: 1},
		"a fifth more memory":  {Memory: 1.2},
	} {
		got := tally(t, n, 0.015, candidate)
		assert.GreaterOrEqual(t, got[Regression], n*9/10, name)
		assert.Zero(t, got[Pass], name)
	}
}

// What is better, or worse by less than matters, passes.
func TestImprovementsAndTriflesPass(t *testing.T) {
	const n = 60
	got := tally(t, n, 0.01, map[string]float64{CPU: 0.8, RPS: 1.3, P99: 0.5})
	assert.GreaterOrEqual(t, got[Pass], n*9/10)
	got = tally(t, n, 0.002, map[string]float64{CPU: 1.02, RPS: 0.98})
	assert.Equal(t, n, got[Pass])
	out := simulate(t, &world{noise: 0.002, candidate: map[string]float64{CPU: 1.02}}, 1)
	assert.Contains(t, out.Decisions[0].Reason, "significant, but below the limit")
}

func TestMorePairsOnlyWhereNeeded(t *testing.T) {
	quiet := simulate(t, &world{noise: 0.002}, 1)
	assert.Equal(t, 9, quiet.Pairs)
	assert.Equal(t, Pass, quiet.Verdict)
	open := simulate(t, &world{noise: 0.15}, 1)
	assert.Equal(t, 24, open.Pairs, "up to the most")
	assert.Equal(t, Inconclusive, open.Verdict)

	short := simulate(t, &world{noise: 0.15}, 1, func(c *Config) { c.Budget = time.Minute })
	assert.Less(t, short.Pairs, 9)
	assert.Equal(t, Inconclusive, short.Verdict)
	assert.Contains(t, short.Notes[0], "budget")
	none := simulate(t, &world{}, 1, func(c *Config) { c.Budget = time.Nanosecond; c.Now = func() time.Time { return time.Now() } })
	assert.Equal(t, Inconclusive, none.Verdict)
}

// What is open asks for as many pairs as its noise needs, and not for one step more each time.
func TestPairsArePlannedFromTheNoise(t *testing.T) {
	var goals []int
	out := simulate(t, &world{noise: 0.06}, 2, func(c *Config) {
		c.Metrics, c.Scenarios, c.Step, c.MaxPairs = only(c.Metrics, CPU), c.Scenarios[:1], 1, 100
		c.Progress = func(s string) {
			var done, goal int
			if n, _ := fmt.Sscanf(s, "not decided after %d pairs: measuring up to %d", &done, &goal); n == 2 {
				goals = append(goals, done, goal)
			}
		}
	})
	require.GreaterOrEqual(t, len(goals), 2, "this noise is not decided at once")
	assert.Equal(t, 9, goals[0])
	assert.Greater(t, goals[1], 11, "more than a step")
	d := out.Decisions[0]
	assert.Contains(t, out.Text(), "detectable")
	assert.Contains(t, out.Text(), d.Metric.short(d.Detectable), "the smallest effect that these pairs would find is printed")
}

func TestInvalidMeasurements(t *testing.T) {
	once := simulate(t, &world{noise: 0.002, spoil: func(n int) bool { return n == 5 }}, 1)
	assert.Equal(t, Pass, once.Verdict)
	assert.Contains(t, once.Notes[0], "1 measurements were invalid")
	always := simulate(t, &world{noise: 0.002, spoil: func(n int) bool { return n > 20 }}, 1)
	assert.Equal(t, Invalid, always.Verdict)
	assert.Contains(t, always.Notes[0], "generator late")
}

func TestFailuresAndInterruptsEndTheGate(t *testing.T) {
	c := Config{Scenarios: []string{"s"}, Metrics: only(profiles["short"].Metrics, CPU, RPS, P99), MinPairs: 1, Step: 1, MaxPairs: 1, Order: lab.Schedule, Now: time.Now, Progress: func(string) {}}
	boom := errors.New("boom")
	always := func(values map[string]float64) func(context.Context, string, []Arm) ([arms]Sample, error) {
		return func(context.Context, string, []Arm) (out [arms]Sample, err error) {
			for a := range out {
				out[a].Values = values
			}
			return out, nil
		}
	}
	c.Measure = func(context.Context, string, []Arm) (out [arms]Sample, err error) { return out, boom }
	_, err := Run(context.Background(), c)
	require.ErrorIs(t, err, boom)
	c.Measure = always(map[string]float64{CPU: 1})
	_, err = Run(context.Background(), c)
	require.ErrorContains(t, err, "no value for")
	c.Measure = always(map[string]float64{CPU: 0, RPS: 1, P99: 1})
	_, err = Run(context.Background(), c)
	require.ErrorContains(t, err, "not both positive")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Run(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Run(ctx, Config{})
	require.Error(t, err)
}

func TestExitCodes(t *testing.T) {
	assert.Equal(t, []int{0, 0, 1, 3, 3}, []int{Pass.ExitCode(), Waived.ExitCode(), Regression.ExitCode(), Inconclusive.ExitCode(), Invalid.ExitCode()})
}
