package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// startLead is how far ahead the instant lies on which the generators agree: ssh, the start of a process and thousands of connections fit into it.
const startLead = 1500 * time.Millisecond

// open starts the origin of a scenario, if it has one.
func (f *Fleet) open(ctx context.Context, s Scenario) error {
	if !s.proxied {
		return nil
	}
	return f.origin.Call(ctx, service+".StartOrigin", StartOriginArgs{Scenario: s.Name, Host: f.origin.Address, CPUs: f.origin.CPUs}, &f.started)
}

func (f *Fleet) stopOrigin() error {
	if f.started.ID == 0 {
		return nil
	}
	id := f.started.ID
	f.started = Started{}
	return stopRemote(f.origin, id)
}

// stopRemote also works when the run has been interrupted.
func stopRemote(m *member, id int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return m.Call(ctx, service+".Stop", id, &struct{}{})
}

// sample is loadSample over the fleet.
func (f *Fleet) sample(ctx context.Context, l *Lab, s Scenario, t Located, d time.Duration, sm *result.Sample) (hs histograms, err error) {
	want := []byte(target.StaticBody)
	if s.proxied {
		want = f.started.Body
	}
	args := StartTargetArgs{Scenario: s.Name, Target: t.Name(), Host: f.proxy.Address, Origin: f.started.Addr, CPUs: f.proxy.CPUs, Extra: t.ExtraArgs, Want: want}
	if s.tls {
		args.Pair = l.pair
	}
	var run Started
	if err := f.proxy.Call(ctx, service+".StartTarget", args, &run); err != nil {
		return hs, err
	}
	defer func() { err = errors.Join(err, stopRemote(f.proxy, run.ID)) }()
	for _, m := range f.loads {
		if err := m.Call(ctx, service+".Verify", VerifyArgs{s.Name, run.Addr, want}, &struct{}{}); err != nil {
			return hs, fmt.Errorf("%s answers wrongly over the network, nothing was timed: %w", t.Name(), err)
		}
	}
	if l.seen[t.Name()] == nil {
		l.seen[t.Name()] = run.Target
	}
	if err := f.meter(ctx, run.ID); err != nil {
		return hs, err
	}
	at, err := f.agree(ctx)
	if err != nil {
		return hs, err
	}
	parts, err := f.load(ctx, l, s, run.Addr, sm.Rate, d, at)
	if err != nil {
		return hs, err
	}
	rec, err := joinRecords(parts)
	if err != nil {
		return hs, err
	}
	from := at.Add(l.Profile.Warmup)
	to := from.Add(time.Duration(rec.MeasuredSeconds * float64(time.Second)))
	server, origin, err := f.used(ctx, run.ID, from, to)
	if err != nil {
		return hs, err
	}
	figures(sm, rec, server.Memory)
	for _, wrong := range []string{server.Wrong, origin.Wrong} {
		if wrong != "" {
			sm.Invalid = append(sm.Invalid, "CPU time: "+wrong)
		}
	}
	spent(sm, rec, server.CPU, l.Machine.Roles)
	if f.started.ID != 0 {
		sm.Load.OriginUse = origin.CPU.Seconds() / rec.MeasuredSeconds / float64(len(f.origin.CPUs))
	}
	f.account(sm, parts, from)
	hs.from, hs.to = from, to
	if hs.response, err = rec.Latency.Response.Decode(); err != nil {
		return hs, err
	}
	hs.service, err = rec.Latency.Service.Decode()
	return hs, err
}

func (f *Fleet) meter(ctx context.Context, id int) error {
	err := f.proxy.Call(ctx, service+".Meter", id, &struct{}{})
	if err == nil && f.started.ID != 0 {
		err = f.origin.Call(ctx, service+".Meter", f.started.ID, &struct{}{})
	}
	return err
}

// used asks both ends for the window, each by its own clock.
func (f *Fleet) used(ctx context.Context, id int, from, to time.Time) (server, origin Used, err error) {
	window := func(m *member, id int) UsedArgs {
		return UsedArgs{id, m.Clock.There(from).UnixNano(), m.Clock.There(to).UnixNano()}
	}
	err = f.proxy.Call(ctx, service+".Used", window(f.proxy, id), &server)
	if err == nil && f.started.ID != 0 {
		err = f.origin.Call(ctx, service+".Used", window(f.origin, f.started.ID), &origin)
	}
	return server, origin, err
}

// agree fixes the instant at which the generators begin, by the clock of this machine, and compares the clocks of all hosts anew for it: a clock that nobody
// disciplines drifts by some fifty millionths, which within a bench of half an hour is more than generators may begin apart, and no generator would notice.
func (f *Fleet) agree(ctx context.Context) (time.Time, error) {
	for _, m := range f.all {
		if err := m.Measure(ctx, service); err != nil {
			return time.Time{}, err
		}
	}
	return time.Now().Round(0).Add(startLead), nil
}

// part is what one generator made of its share.
type part struct {
	from *member
	rec  *runfmt.Record
}

// load has all generators begin at one agreed instant, each by the clock of its host.
func (f *Fleet) load(ctx context.Context, l *Lab, s Scenario, addr string, rate float64, d time.Duration, at time.Time) ([]part, error) {
	type ask struct {
		m    *member
		cpus machine.CPUSet
	}
	var asks []ask
	for _, m := range f.loads {
		n := max(1, m.Generators)
		for i := range n {
			asks = append(asks, ask{m, slice(m.CPUs, i, n)})
		}
	}
	n := len(asks)
	all := l.orderOf(s, addr, rate, d)
	if all.Connections < n {
		return nil, fmt.Errorf("%d connections cannot be shared by %d generators", all.Connections, n)
	}
	parts := make([]part, n)
	errs := make([]error, n)
	done := make(chan struct{}, n)
	for i, a := range asks {
		o := all
		o.Connections, o.Rate, o.StartAt = share(all.Connections, i, n), all.Rate/float64(n), a.m.Clock.There(at).UnixNano()
		go func() {
			rec := &runfmt.Record{}
			errs[i] = a.m.Call(ctx, service+".Load", LoadArgs{s.Name, a.cpus, o}, rec)
			parts[i] = part{a.m, rec}
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	return parts, errors.Join(errs...)
}

// share is how many of n things part i of parts gets.
func share(n, i, parts int) int {
	s := n / parts
	if i < n%parts {
		s++
	}
	return s
}

// slice is the i-th of n parts of a set; with fewer CPUs than parts, some share one.
func slice(set machine.CPUSet, i, n int) machine.CPUSet {
	if len(set) < n {
		k := i % len(set)
		return set[k : k+1]
	}
	return set[i*len(set)/n : (i+1)*len(set)/n]
}

// joinRecords makes one record of those of several generators that ran at once. What spoils one spoils all.
func joinRecords(parts []part) (*runfmt.Record, error) {
	first := parts[0].rec
	v := runfmt.Validity{Valid: true}
	var sum runfmt.Sum
	for i, p := range parts {
		r := p.rec
		who := fmt.Sprintf("generator %d on %s: ", i+1, p.from.Host.Name)
		if d := r.MeasuredSeconds - first.MeasuredSeconds; d > 1e-3 || d < -1e-3 || r.Interrupted {
			return nil, fmt.Errorf("%sits window has %v s, another's %v s", who, r.MeasuredSeconds, first.MeasuredSeconds)
		}
		if err := sum.Add(r); err != nil {
			return nil, fmt.Errorf("%s%w", who, err)
		}
		v.Valid = v.Valid && r.Validity.Valid
		for _, why := range r.Validity.Reasons {
			v.Reasons = append(v.Reasons, who+why)
		}
		for _, why := range r.Validity.Warnings {
			v.Warnings = append(v.Warnings, who+why)
		}
		if r.Generator.Engine != first.Generator.Engine {
			v.Warnings = append(v.Warnings, who+"engine "+r.Generator.Engine+", another's is "+first.Generator.Engine)
		}
	}
	out, err := sum.Record(first.MeasuredSeconds)
	if err != nil {
		return nil, err
	}
	out.Validity = v
	return out, nil
}

// maxSkew between generators: a few thousandths of a second are nothing to a window; with more they did not measure the same thing.
const maxSkew = 20 * time.Millisecond

// account adds who did what, and holds the generators to the instant on which they agreed.
func (f *Fleet) account(sm *result.Sample, parts []part, from time.Time) {
	for _, p := range parts {
		late := p.rec.Start.Sub(p.from.Clock.There(from))
		sm.Generators = append(sm.Generators, result.Generator{
			Host: p.from.Host.Name, Responses: p.rec.Counts.InWindow, RPS: p.rec.AchievedRate, StartSkewMicros: micros(late), Engine: p.rec.Generator.Engine,
			CPUSeconds: p.rec.Cost.CPUUserSeconds + p.rec.Cost.CPUSystemSeconds,
		})
		if late > maxSkew || late < -maxSkew {
			sm.Invalid = append(sm.Invalid, fmt.Sprintf("the generator on %s began %v after the agreed instant", p.from.Host.Name, late))
		}
	}
	slices.Sort(sm.Warnings)
	sm.Warnings = slices.Compact(sm.Warnings)
}
