package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
			m.add(*sm, hs...)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.Groups, err = m.groups(l.Targets, logs)
	return err
}

func (l *Lab) chaosSample(ctx context.Context, s Scenario, t Located, sm *result.Sample) (hs []histograms, err error) {
	sm.Phase, sm.Rate = result.ChaosPhase, s.rates[0]
	a, err := l.newArena(ctx)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	b := t.Target.(target.Balancer)
	run, err := l.startBalanced(t, b, a, es)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	if err := awaitPage(ctx, run, a.dial(), s); err != nil {
		return nil, err
	}
	l.describe(t, run, 0)

	c := &chaosRun{l: l, s: s, b: b, run: run, a: a, es: es, sm: sm, v: &result.Chaos{}}
	sm.Chaos = c.v
	if hs, err = c.troubled(ctx); err == nil {
		err = c.oneDead(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; log of %s: %s", err, t.Name(), run.LogTail())
	}
	select {
	case <-run.Done():
		sm.Invalid = append(sm.Invalid, t.Name()+" ended: "+run.Exit())
	default:
	}
	return hs, nil
}

// chaosRun is a target that is loaded while its endpoints are in trouble.
type chaosRun struct {
	l   *Lab
	s   Scenario
	b   target.Balancer
	run *target.Running
	a   *arena
	es  []*endpoint
	sm  *result.Sample
	v   *result.Chaos
}

// troubled loads the target while the script is played once over all sections.
func (c *chaosRun) troubled(ctx context.Context) (hs []histograms, err error) {
	l, v := c.l, c.v
	before, _ := c.b.Retries(ctx, c.run.Plan, c.a.dial())
	meter, err := proc.StartMeter(c.run.Process, meterEvery)
	if err != nil {
		return nil, err
	}
	r := l.relayOf(l.Profile.Chaos, settling)
	v.Troubles = script(l.Seed, r.length(), c.a.far != nil)
	if c.a.far == nil {
		v.LeftOut = append(v.LeftOut, cutOff+": "+c.a.missing)
	}
	playing, cancel := context.WithCancel(ctx)
	played, told := make(chan error, 1), make(chan []int64, 1)
	go func() { played <- play(playing, r.begin, v.Troubles, c.es, c.a) }()
	go func() { told <- c.retries(playing, r) }()
	recs, err := r.run(ctx, l, c.s, c.run.Plan.Addr(), c.sm.Rate)
	cancel()
	counts := append([]int64{before}, <-told...)
	if err = errors.Join(err, <-played, meter.Stop(), ctx.Err()); err != nil {
		return nil, err
	}
	if after, ok := c.b.Retries(ctx, c.run.Plan, c.a.dial()); ok {
		n := after - before
		v.Retries = &n
		counts = append(counts, after)
	}
	var all tally
	for i, rec := range recs {
		if err := all.add(rec); err != nil {
			return nil, err
		}
		h := histograms{from: rec.Start, to: rec.Start.Add(time.Duration(rec.MeasuredSeconds * float64(time.Second)))}
		x := result.ChaosSection{AtSeconds: rec.Start.Sub(r.begin.Round(0)).Seconds(), Seconds: rec.MeasuredSeconds, Part: served(rec).Part()}
		if used, err := meter.Between(h.from, h.to); err == nil {
			x.ServerCPUSeconds = used.Seconds()
		}
		if len(counts) == sectionCount+1 {
			n := counts[i+1] - counts[i]
			x.Retries = &n
		}
		v.ServerCPUSeconds += x.ServerCPUSeconds
		v.Sections = append(v.Sections, x)
		if h.response, err = rec.Latency.Response.Decode(); err != nil {
			return nil, err
		}
		if h.service, err = rec.Latency.Service.Decode(); err != nil {
			return nil, err
		}
		hs = append(hs, h)
		c.warn(rec)
	}
	v.Served = all.sum()
	// Failures are what is measured here; only a load generator that was late spoils it.
	if late := all.late(); late > chaosLateness {
		c.sm.Invalid = append(c.sm.Invalid, fmt.Sprintf("the load generator was late: one request in a hundred by %v or more", late))
	}
	if v.Requests == 0 {
		c.sm.Invalid = append(c.sm.Invalid, "no request was due")
	}
	return hs, nil
}

// retries are the target's counts at the ends of the sections, without the last one; fewer if it does not tell.
func (c *chaosRun) retries(ctx context.Context, r relay) (out []int64) {
	for i := range sectionCount - 1 {
		if pauseFor(ctx, time.Until(r.begin.Add(r.at(i)+r.window))) != nil {
			return out
		}
		n, ok := c.b.Retries(ctx, c.run.Plan, c.a.dial())
		if !ok {
			return out
		}
		out = append(out, n)
	}
	return out
}

// warn passes on what a load generator says of itself, each thing once.
func (c *chaosRun) warn(rec *runfmt.Record) {
	for _, w := range slices.Concat(rec.Validity.Reasons, rec.Validity.Warnings) {
		if !slices.Contains(c.sm.Warnings, w) {
			c.sm.Warnings = append(c.sm.Warnings, w)
		}
	}
}

// oneDead loads the target when one of three endpoints has been dead for a while and stays so.
func (c *chaosRun) oneDead(ctx context.Context) error {
	if err := c.es[0].kill(); err != nil {
		return err
	}
	r := c.l.relayOf(chaosDead(c.l.Profile.Chaos), detection)
	recs, err := r.run(ctx, c.l, c.s, c.run.Plan.Addr(), c.sm.Rate)
	if err != nil {
		return err
	}
	var all tally
	for _, rec := range recs {
		if err := all.add(rec); err != nil {
			return err
		}
		c.v.DeadSections = append(c.v.DeadSections, served(rec).Part())
	}
	c.v.Dead = all.sum()
	return nil
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
