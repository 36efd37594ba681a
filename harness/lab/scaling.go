package lab

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// workerSets are the CPUs of 1, 2, 4, 8 … workers and of as many as there can be. A server with a single CPU would have nothing to scale to: there the workers
// take all CPUs of the machine's roles, and shared is true, for the load generator then has no CPU of its own.
func workerSets(r machine.Roles) (sets []machine.CPUSet, shared bool) {
	cpus := r.Server
	if len(cpus) < 2 {
		cpus = slices.Concat(r.Server, r.Load, r.Origin)
		slices.Sort(cpus)
		cpus = slices.Compact(cpus)
		shared = true
	}
	for n := 1; n < len(cpus); n *= 2 {
		sets = append(sets, cpus[:n])
	}
	return append(sets, cpus), shared
}

// scalingScenario measures every target with every number of workers, all of them interleaved within a round.
func (l *Lab) scalingScenario(ctx context.Context, s Scenario, r *result.Result) ([]result.Sample, error) {
	p := l.Profile
	sets, shared := workerSets(l.Machine.Roles)
	r.Scenario.WarmupSeconds, r.Scenario.SaturationSeconds, r.Scenario.SharedCPUs = p.Warmup.Seconds(), p.Saturation.Seconds(), shared
	load := l.Machine.Roles.Load
	if shared {
		load = sets[len(sets)-1]
	}
	type arm struct {
		target Located
		cpus   machine.CPUSet
	}
	var arms []arm
	for _, t := range l.Targets {
		for _, c := range sets {
			arms = append(arms, arm{t, c})
		}
	}
	var out []result.Sample
	for round, order := range Schedule(len(arms), p.Pairs, l.rng) {
		for pos, i := range order {
			for attempt := range 2 {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				a := arms[i]
				sm := result.Sample{
					Target: a.target.Name(), Phase: result.Scaling, Workers: len(a.cpus), Round: round, Order: pos, Started: time.Now().UTC().Round(time.Millisecond),
				}
				if err := l.scalingSample(ctx, s, a.target, a.cpus, load, &sm); err != nil {
					return nil, fmt.Errorf("%s with %d workers, round %d: %w", sm.Target, sm.Workers, round+1, err)
				}
				l.Progress(fmt.Sprintf("%s, workers: %d", line(s, sm, p.Pairs), sm.Workers))
				out = append(out, sm)
				if sm.Valid() || attempt == 1 {
					break
				}
			}
		}
	}
	return out, nil
}

// scalingSample is a sample at saturation with the workers on the CPUs given. The load generator has the same CPUs in all samples: only the number of workers differs.
func (l *Lab) scalingSample(ctx context.Context, s Scenario, t Located, cpus, load machine.CPUSet, sm *result.Sample) error {
	roles := l.Machine.Roles
	defer func() { l.Machine.Roles = roles }()
	l.Machine.Roles.Server, l.Machine.Roles.Load = cpus, load
	s.connections *= len(cpus)
	_, err := l.loadSample(ctx, s, t, nil, l.Profile.Saturation, sm)
	return err
}
