package lab

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// turn is one load of a target that runs: what the load generator saw, and what the clocks of the processes and the machine say of it.
type turn struct {
	rec      *runfmt.Record
	from, to time.Time
	// server and origin are the CPU time of these inside the window; originKnown: there is one, and its clock was read.
	server, origin time.Duration
	originKnown    bool
	// took is the whole load, warm-up included. In it the server used own of its CPUs, which were busy for so long, and taken by the hypervisor.
	took, own   time.Duration
	ownKnown    bool
	busy, steal float64 // seconds
	memory      proc.Memory
	intervals   []*hdr.Histogram
	// wrong is what makes the turn's figures unusable.
	wrong []string
}

// turn loads a target that runs.
func (l *Lab) turn(ctx context.Context, s Scenario, t Located, run *target.Running, origin *originProcess, o order) (u turn, err error) {
	meter, err := proc.StartMeter(run.Process, meterEvery)
	if err != nil {
		return u, err
	}
	var originMeter *proc.Meter
	if origin != nil {
		if originMeter, err = proc.StartMeter(origin.Process, meterEvery); err != nil {
			return u, errors.Join(err, meter.Stop())
		}
	}
	before, began := machine.ReadTicks("/"), time.Now()
	loadErr := undisturbed(func() (err error) {
		u.rec, u.intervals, err = l.blitzload(ctx, s, o)
		return err
	})
	after := machine.ReadTicks("/")
	u.took = time.Since(began)
	meterErr := meter.Stop()
	if originMeter != nil {
		meterErr = errors.Join(meterErr, originMeter.Stop())
	}
	if loadErr != nil {
		return u, fmt.Errorf("%w; log of %s: %s", loadErr, t.Name(), run.LogTail())
	}
	if u.memory, err = run.Memory(); err != nil {
		return u, err
	}
	if err := ctx.Err(); err != nil {
		return u, err
	}
	if meterErr != nil {
		u.wrong = append(u.wrong, meterErr.Error())
	}
	u.from, u.to = u.rec.Start, u.rec.Start.Add(time.Duration(u.rec.MeasuredSeconds*float64(time.Second)))
	if u.server, err = meter.Between(u.from, u.to); err != nil {
		u.wrong = append(u.wrong, "CPU time: "+err.Error())
	}
	if originMeter != nil {
		u.origin, err = originMeter.Between(u.from, u.to)
		u.originKnown = err == nil
	}
	const perSecond = 100 // USER_HZ is 100 on every Linux that Go runs on
	for _, c := range l.Machine.Roles.Server {
		u.busy += float64(after[c].Busy-before[c].Busy) / perSecond
		u.steal += float64(after[c].Steal-before[c].Steal) / perSecond
	}
	u.own, err = meter.Between(began, began.Add(u.took))
	u.ownKnown = err == nil
	return u, nil
}

// undisturbed does something while this process does not collect garbage, which would take the load generator's CPU for milliseconds. What it makes in a turn is
// little, and is collected after it.
func undisturbed(do func() error) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return do()
}

// account makes a sample of one turn or of several, and gives their histograms merged. Whether a sample of several turns may be believed is judged by
// all of them together: a percentile of a short turn says little.
func (l *Lab) account(sm *result.Sample, s Scenario, turns []turn) (hs histograms, err error) {
	all := turns[0]
	if len(turns) > 1 {
		var sum runfmt.Sum
		seconds := 0.0
		for i, u := range turns {
			if err := sum.Add(u.rec); err != nil {
				return hs, err
			}
			seconds += u.rec.MeasuredSeconds
			if i == 0 {
				continue
			}
			all.to, all.memory = u.to, u.memory
			all.server += u.server
			all.origin += u.origin
			all.originKnown = all.originKnown && u.originKnown
			all.took += u.took
			all.own += u.own
			all.ownKnown = all.ownKnown && u.ownKnown
			all.busy += u.busy
			all.steal += u.steal
			all.intervals = append(all.intervals, u.intervals...)
			all.wrong = append(all.wrong, u.wrong...)
		}
		if all.rec, err = sum.Record(seconds); err != nil {
			return hs, err
		}
		all.rec.Validity = runfmt.Judge(all.rec, s.lateness())
	}
	rec := all.rec
	v := figures(sm, rec, all.memory)
	sm.Invalid = append(sm.Invalid, all.wrong...)
	spent(sm, rec, all.server, l.Machine.Roles)
	if all.originKnown {
		v.OriginUse = all.origin.Seconds() / rec.MeasuredSeconds / float64(len(l.Machine.Roles.Origin))
	}
	l.others(sm, all)
	hs.from, hs.to, hs.intervals = all.from, all.to, all.intervals
	if hs.response, err = rec.Latency.Response.Decode(); err != nil {
		return hs, err
	}
	hs.service, err = rec.Latency.Service.Decode()
	return hs, err
}

// others works out how much of the server's CPUs went to something else, by the kernel's ticks over the whole load.
func (l *Lab) others(sm *result.Sample, u turn) {
	v := sm.Load
	total := u.took.Seconds() * float64(len(l.Machine.Roles.Server))
	v.Steal = u.steal / total
	// Where the load generator shares the server's CPUs, all that is not the server's is the generator's to explain.
	if u.ownKnown && !l.Machine.Roles.Server.Overlaps(l.Machine.Roles.Load) {
		v.OtherUse = max(0, (u.busy-u.own.Seconds())/total)
	}
	if v.Steal > 0.05 {
		sm.Warnings = append(sm.Warnings, fmt.Sprintf("the hypervisor took %.1f %% of the server's time", 100*v.Steal))
	}
	if v.OtherUse > 0.10 {
		sm.Warnings = append(sm.Warnings, fmt.Sprintf("something else used %.1f %% of the server's CPUs", 100*v.OtherUse))
	}
}

func memory(m proc.Memory) result.Memory {
	return result.Memory{RSS: m.RSS, PSS: m.PSS, Alone: m.Alone, PeakRSS: m.PeakRSS}
}
