package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

const (
	// chaosTimeout is when a client gives up.
	chaosTimeout = 2 * time.Second
	// chaosLateness is what the load generator may be late: endpoints that start on its CPUs cost it more than in other scenarios.
	chaosLateness = 10 * time.Millisecond
	// settling is how long a target gets to look at its endpoints before anything happens, and detection how long after the death of one.
	settling  = time.Second
	detection = 3 * time.Second
)

// chaosDead is how long the load lasts with one endpoint dead, in relation to the chaos before.
func chaosDead(d time.Duration) time.Duration { return min(max(d/4, time.Second), 10*time.Second) }

// balancers are the targets that have a configuration for several endpoints.
func balancers(all []Located) (can []Located, cannot []result.Unsupported) {
	for _, t := range all {
		if _, ok := t.Target.(target.Balancer); ok {
			can = append(can, t)
		} else {
			cannot = append(cannot, result.Unsupported{Target: t.Name(), Reason: "there is no configuration of it for several endpoints"})
		}
	}
	return can, cannot
}

// chaosScenario plays the same script of troubles to every target and fills in samples, groups and logs.
func (l *Lab) chaosScenario(ctx context.Context, s Scenario, r *result.Result, logs map[string][]byte) (err error) {
	r.Scenario.WarmupSeconds, r.Scenario.RateSeconds, r.Scenario.Rates = l.Profile.Warmup.Seconds(), l.Profile.Chaos.Seconds(), s.rates
	m := newMerger()
	r.Samples, err = l.rounds(ctx, s, 1, func(t Located, sm *result.Sample) error {
		hs, err := l.chaosSample(ctx, s, t, sm)
		if err == nil && sm.Valid() {
			m.add(*sm, hs)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.Groups, err = m.groups(l.Targets, logs)
	return err
}

func (l *Lab) chaosSample(ctx context.Context, s Scenario, t Located, sm *result.Sample) (hs histograms, err error) {
	sm.Phase, sm.Rate = result.ChaosPhase, s.rates[0]
	a, err := l.newArena(ctx)
	if err != nil {
		return hs, err
	}
	l.through = a.through(a.near)
	defer func() {
		l.through = nil
		err = errors.Join(err, a.close())
	}()
	es, err := l.startEndpoints(s, a)
	defer func() {
		for _, e := range es {
			err = errors.Join(err, e.kill())
		}
	}()
	if err != nil {
		return hs, err
	}
	b := t.Target.(target.Balancer)
	run, err := l.startBalanced(t, b, a, es)
	if err != nil {
		return hs, err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	if err := awaitPage(ctx, run, a.dial(), s); err != nil {
		return hs, err
	}
	l.describe(t, run, 0)

	v := &result.Chaos{Troubles: script(l.Seed, l.Profile.Chaos, a.far != nil)}
	sm.Chaos = v
	if a.far == nil {
		v.LeftOut = append(v.LeftOut, cutOff+": "+a.missing)
	}
	if err := pauseFor(ctx, settling); err != nil {
		return hs, err
	}
	before, _ := b.Retries(ctx, run.Plan, a.dial())
	if hs, err = l.chaosLoad(ctx, s, t, run, a, es, sm); err != nil {
		return hs, err
	}
	if after, ok := b.Retries(ctx, run.Plan, a.dial()); ok {
		n := after - before
		v.Retries = &n
	}

	// One of three is dead and stays so.
	if err := es[0].kill(); err != nil {
		return hs, err
	}
	if err := pauseFor(ctx, detection); err != nil {
		return hs, err
	}
	rec, _, err := l.blitzload(ctx, s, l.orderOf(s, run.Plan.Addr(), sm.Rate, chaosDead(l.Profile.Chaos)))
	if err != nil {
		return hs, fmt.Errorf("%w; log of %s: %s", err, t.Name(), run.LogTail())
	}
	v.Dead = served(rec)
	select {
	case <-run.Done():
		sm.Invalid = append(sm.Invalid, t.Name()+" ended: "+run.Exit())
	default:
	}
	return hs, nil
}

// chaosLoad loads the target while the troubles happen.
func (l *Lab) chaosLoad(ctx context.Context, s Scenario, t Located, run *target.Running, a *arena, es []*endpoint, sm *result.Sample) (hs histograms, err error) {
	meter, err := proc.StartMeter(run.Process, meterEvery)
	if err != nil {
		return hs, err
	}
	playing, cancel := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() { played <- play(playing, time.Now().Add(l.Profile.Warmup), sm.Chaos.Troubles, es, a) }()
	rec, intervals, err := l.blitzload(ctx, s, l.orderOf(s, run.Plan.Addr(), sm.Rate, l.Profile.Chaos))
	cancel()
	err = errors.Join(err, <-played, meter.Stop(), ctx.Err())
	if err != nil {
		return hs, fmt.Errorf("%w; log of %s: %s", err, t.Name(), run.LogTail())
	}
	v := sm.Chaos
	v.Served = served(rec)
	// Failures are what is measured here; only a load generator that was late spoils it.
	sm.Warnings = append(append(sm.Warnings, rec.Validity.Reasons...), rec.Validity.Warnings...)
	if late := time.Duration(rec.Cost.Lateness.P99); late > chaosLateness {
		sm.Invalid = append(sm.Invalid, fmt.Sprintf("the load generator was late: one request in a hundred by %v or more", late))
	}
	if v.Requests == 0 {
		sm.Invalid = append(sm.Invalid, "no request was due")
	}
	hs.from, hs.to, hs.intervals = rec.Start, rec.Start.Add(time.Duration(rec.MeasuredSeconds*float64(time.Second))), intervals
	if used, err := meter.Between(hs.from, hs.to); err == nil {
		v.ServerCPUSeconds = used.Seconds()
	}
	if hs.response, err = rec.Latency.Response.Decode(); err != nil {
		return hs, err
	}
	hs.service, err = rec.Latency.Service.Decode()
	return hs, err
}

// served counts as failed whatever did not end in a whole answer as expected, also what was never sent or answered.
func served(rec *runfmt.Record) result.Served {
	c := rec.Counts
	return result.Served{Requests: c.Requests, Failed: c.Requests - (c.Completed - rec.Errors.Status), ByCode: c.ByCode, Response: rec.Latency.Response.Summary, Errors: rec.Errors}
}

// startBalanced runs a target before the endpoints.
func (l *Lab) startBalanced(t Located, b target.Balancer, a *arena, es []*endpoint) (*target.Running, error) {
	dir, err := l.dir(t.Name())
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	admin, err := FreePort()
	if err != nil {
		return nil, err
	}
	p := target.Plan{
		Dir: dir, Host: "127.0.0.1", Port: port, AdminPort: admin, Proxied: true, CPUs: l.Machine.Roles.Server, ExtraArgs: t.ExtraArgs, Through: a.through(a.near),
	}
	for _, e := range es {
		p.Endpoints = append(p.Endpoints, e.addr)
	}
	return target.Start(l.Set, target.Balanced(b), t.Binary, p)
}

// awaitPage waits until the target forwards a request.
func awaitPage(ctx context.Context, run *target.Running, dial target.Dial, s Scenario) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		one, stop := context.WithTimeout(ctx, time.Second)
		body, err := target.Page(one, dial, run.Plan.Addr(), s.path)
		stop()
		if err == nil && int64(len(body)) > s.bodyBytes-64 {
			return nil
		}
		select {
		case <-run.Done():
			return fmt.Errorf("%s ended before it answered (%s): %s", run.Target.Name(), run.Exit(), run.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("%s forwards nothing: %w: %s", run.Target.Name(), err, run.LogTail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
