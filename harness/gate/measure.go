package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// Names of the metrics that the laboratory measures.
const (
	CPU = "CPU per request"
	RPS = "requests/s"
	P99 = "p99 at fixed rate"
)

// Profile of a gate.
type Profile struct {
	Name                     string
	MinPairs, Step, MaxPairs int
	Budget                   time.Duration
	Warmup, Saturation, Rate time.Duration
	Metrics                  []Metric
}

var profiles = map[string]Profile{
	// Bounds wide enough for a noisy two-core machine.
	"short": {
		Name: "short", MinPairs: 8, Step: 4, MaxPairs: 16, Budget: 6 * time.Minute,
		Warmup: 200 * time.Millisecond, Saturation: time.Second, Rate: time.Second, Metrics: metrics(0.05, 0.08, 0.30, 0.60),
	},
	"long": {
		Name: "long", MinPairs: 12, Step: 6, MaxPairs: 36, Budget: time.Hour,
		Warmup: time.Second, Saturation: 3 * time.Second, Rate: 5 * time.Second, Metrics: metrics(0.02, 0.04, 0.10, 0.25),
	},
}

func metrics(threshold, noise, tailThreshold, tailNoise float64) []Metric {
	return []Metric{
		{Name: CPU, Unit: "µs", Threshold: threshold, MaxNoise: noise},
		{Name: RPS, Unit: "1/s", LowerIsWorse: true, Threshold: threshold, MaxNoise: noise},
		{Name: P99, Unit: "µs", Threshold: tailThreshold, MaxNoise: tailNoise},
	}
}

// ProfileByName returns short or long.
func ProfileByName(name string) (Profile, error) {
	p, ok := profiles[name]
	if !ok {
		return Profile{}, fmt.Errorf("no profile %q; there are short and long", name)
	}
	return p, nil
}

// Laboratory measures arms with a lab.Lab, one session per scenario.
type Laboratory struct {
	lab      *lab.Lab
	profile  Profile
	targets  [arms]lab.Located
	sessions map[string]*lab.Session
	rates    map[string]float64
}

// NewLaboratory opens a session for each scenario and finds the fixed rate: half of what the slower executable manages at saturation, the
// same for all arms.
func NewLaboratory(ctx context.Context, l *lab.Lab, p Profile, scenarios []lab.Scenario, baseline, candidate lab.Located) (*Laboratory, error) {
	g := &Laboratory{lab: l, profile: p, targets: [arms]lab.Located{baseline, candidate, baseline}, sessions: map[string]*lab.Session{}, rates: map[string]float64{}}
	for _, s := range scenarios {
		ss, err := l.Open(ctx, s)
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.sessions[s.Name] = ss
		slowest := math.Inf(1)
		for _, t := range []lab.Located{baseline, candidate} {
			sm, err := ss.Measure(ctx, t, 0, p.Saturation)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s, %s: %w", s.Name, t.Name(), err), g.Close())
			}
			slowest = min(slowest, sm.Load.RPS)
		}
		g.rates[s.Name] = lab.RoundRate(slowest / 2)
	}
	return g, nil
}

// Close ends the sessions.
func (g *Laboratory) Close() error {
	var errs []error
	for _, s := range g.sessions {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Measure takes one sample at saturation and one at the fixed rate.
func (g *Laboratory) Measure(ctx context.Context, scenario string, arm Arm) (map[string]float64, error) {
	ss, t := g.sessions[scenario], g.targets[arm]
	full, err := ss.Measure(ctx, t, 0, g.profile.Saturation)
	if err != nil {
		return nil, err
	}
	if !full.Valid() {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, strings.Join(full.Invalid, "; "))
	}
	fixed, err := ss.Measure(ctx, t, g.rates[scenario], g.profile.Rate)
	if err != nil {
		return nil, err
	}
	if !fixed.Valid() {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, strings.Join(fixed.Invalid, "; "))
	}
	return map[string]float64{CPU: full.Load.ServerCPUMicros, RPS: full.Load.RPS, P99: float64(fixed.Load.Response.P99) / 1e3}, nil
}
