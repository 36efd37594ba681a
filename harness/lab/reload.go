package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

const (
	// reloadPeriod makes 1,000 reloads in a minute.
	reloadPeriod = 60 * time.Millisecond
	// reloadSockets are open from before the first reload until after the last.
	reloadSockets = 32
	// closedShare is the share of the rate that comes over a new connection each.
	closedShare = 0.1
	// reloadPatience is how long a reload may take until it counts as lost.
	reloadPatience = 5 * time.Second
	// tellAgain is after how long without an effect a target is told once more.
	tellAgain = 2 * time.Second
	// trial is how long a rate is offered to see whether the machine stands it.
	trial = time.Second
)

// reloadRates are tried from the first one on until one is stood: 99 of 100 requests succeed, and within standsWithin.
var reloadRates = []float64{20000, 15000, 10000, 7500, 5000, 2500, 1000}

const standsWithin = 50 * time.Millisecond

// reloaders are the targets that can change their configuration while they run.
func reloaders(all []Located) (can []Located, cannot []result.Unsupported) {
	for _, t := range all {
		if _, ok := t.Target.(target.Reloader); ok {
			can = append(can, t)
		} else if !t.Sparing {
			cannot = append(cannot, result.Unsupported{Target: t.Name(), Reason: "there is no configuration of it that is reloaded"})
		}
	}
	return can, cannot
}

// reloadExpect is how long a sample takes.
func reloadExpect(p Profile) time.Duration {
	quiet, busy := sectionTimes(p.Reload)
	return sectionCount*(quiet+busy) + trial + (2*sectionCount+1)*(p.Warmup+sectionOverhead) + 4*time.Second
}

// reloadScenario fills in one sample of each target, in sections.
func (l *Lab) reloadScenario(ctx context.Context, s Scenario, r *result.Result) (err error) {
	_, busy := sectionTimes(l.Profile.Reload)
	r.Scenario.WarmupSeconds, r.Scenario.RateSeconds, r.Scenario.Rates = l.Profile.Warmup.Seconds(), (sectionCount * busy).Seconds(), s.rates
	r.Samples, err = l.rounds(ctx, s, 1, func(t Located, sm *result.Sample) error { return l.reloadSample(ctx, s, t, sm) })
	return err
}

func (l *Lab) reloadSample(ctx context.Context, s Scenario, t Located, sm *result.Sample) (err error) {
	sm.Phase = result.Reloading
	origin, err := l.startOrigin(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, origin.Stop(time.Second)) }()
	ws, err := startWS()
	if err != nil {
		return err
	}
	re := t.Target.(target.Reloader)
	run, err := l.startReloadable(t, re, s, origin.port, ws.port())
	if err != nil {
		return errors.Join(err, ws.close())
	}
	// The sockets end with the target, and the origin of the sockets with them.
	defer func() { err = errors.Join(err, run.Stop(), ws.close()) }()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w; log of %s: %s", err, t.Name(), run.LogTail())
		}
	}()
	if err := l.ready(ctx, s, t, run, origin.body); err != nil {
		return err
	}
	w, err := target.NewRewriter(run)
	if err != nil {
		return err
	}
	v := &result.Reload{Routes: s.routes, PeriodSeconds: reloadPeriod.Seconds(), WebSockets: reloadSockets}
	sm.Reload = v
	if sm.Rate, err = l.stood(ctx, s, run, sm); err != nil {
		return err
	}
	socks, err := openSockets(ctx, run.Plan.Addr(), reloadSockets)
	defer socks.close()
	if err != nil {
		return err
	}
	talking, hush := context.WithCancel(ctx)
	defer hush()
	socks.talk(talking)

	rl := &reloading{l: l, s: s, re: re, run: run, w: w, v: v, seen: hdr.New()}
	qd, bd := sectionTimes(l.Profile.Reload)
	busyOnes := 0
	for _, reloads := range reloadOrder(l.Seed, s.Name) {
		d, asked := qd, 0
		if reloads {
			d, asked = bd, askedIn(busyOnes, bd)
			busyOnes++
		}
		if err := rl.section(ctx, sm.Rate, d, reloads, asked); err != nil {
			return err
		}
	}
	hush()
	socks.wg.Wait()
	v.WebSocketsClosed = int(socks.lost.Load())
	quiet, busy := &rl.quiet, &rl.busy
	v.Kept, v.Closed, v.QuietKept, v.QuietClosed = busy.kept.sum(), busy.closed.sum(), quiet.kept.sum(), quiet.closed.sum()
	v.ClosedBetween, v.Seen = busy.kept.closedBetween, rl.seen.Summary()
	sm.Warnings = append(append(sm.Warnings, quiet.late("without reloads")...), busy.late("with reloads")...)
	if v.Kept.Requests == 0 || v.QuietKept.Requests == 0 {
		sm.Invalid = append(sm.Invalid, "no request was due")
	}
	select {
	case <-run.Done():
		sm.Invalid = append(sm.Invalid, t.Name()+" ended: "+run.Exit())
	default:
	}
	return nil
}

// stood finds the highest of the rates that the target stands without reloads, and says so if it is not the first.
func (l *Lab) stood(ctx context.Context, s Scenario, run *target.Running, sm *result.Sample) (float64, error) {
	rates := reloadRates
	if len(s.rates) > 0 {
		rates = append([]float64{s.rates[0]}, rates...)
	}
	for i, rate := range rates {
		if i > 0 && rate >= rates[i-1] {
			continue
		}
		var b bothLoads
		if err := l.bothLoads(ctx, s, run, rate, trial, &b); err != nil {
			return 0, err
		}
		k, c := b.kept.sum(), b.closed.sum()
		if (k.Failed+c.Failed)*100 <= k.Requests+c.Requests && time.Duration(k.Response.P99) <= standsWithin {
			if i > 0 {
				sm.Warnings = append(sm.Warnings, fmt.Sprintf("%.0f requests/s were offered: the next higher rate was more than the target stood on this machine, also without reloads", rate))
			}
			return rate, nil
		}
	}
	last := rates[len(rates)-1]
	sm.Warnings = append(sm.Warnings, fmt.Sprintf("%.0f requests/s were offered and not stood, also without reloads", last))
	return last, nil
}

// reloading is a target that is told to reload.
type reloading struct {
	l    *Lab
	s    Scenario
	re   target.Reloader
	run  *target.Running
	w    *target.Rewriter
	v    *result.Reload
	seen *hdr.Histogram
	// quiet and busy sections together.
	quiet, busy bothLoads
	// now is the section that is being made, with what has been seen in it.
	now     *result.ReloadSection
	nowSeen *hdr.Histogram
	// markers that were written.
	markers int
}

// section loads the target for d, with so many reloads or without, and adds up what it saw.
func (r *reloading) section(ctx context.Context, rate float64, d time.Duration, reloads bool, asked int) error {
	v := r.v
	r.now, r.nowSeen = &result.ReloadSection{Reloads: reloads, Asked: asked}, hdr.New()
	began := time.Now()
	before, err := r.run.CPUWithEnded()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		if !reloads {
			ended <- nil
			return
		}
		ended <- r.reloads(ctx, d)
	}()
	var load bothLoads
	err = r.l.bothLoads(ctx, r.s, r.run, rate, d, &load)
	if err = errors.Join(err, <-ended); err != nil {
		return err
	}
	after, err := r.run.CPUWithEnded()
	if err != nil {
		return err
	}
	now := r.now
	now.ServerCPUSeconds = (after - before).Seconds()
	now.Kept, now.Closed = load.kept.sum().Part(), load.closed.sum().Part()
	sum, spent, took := &r.quiet, &v.QuietCPUSeconds, &v.QuietSeconds
	if reloads {
		sum, spent, took = &r.busy, &v.ServerCPUSeconds, &v.Seconds
		pids, err := r.run.PIDs()
		if err != nil {
			return err
		}
		v.Processes, v.Memory = len(pids), calmMemory(r.run.Process)
		v.Asked, v.Done, v.Lost = v.Asked+now.Asked, v.Done+now.Done, v.Lost+now.Lost
		now.Processes, now.PSS, now.Seen = v.Processes, v.PSS, r.nowSeen.Summary()
		r.seen.Merge(r.nowSeen)
	}
	sum.merge(&load)
	now.Seconds = time.Since(began).Seconds()
	*spent, *took = *spent+now.ServerCPUSeconds, *took+now.Seconds
	v.Sections = append(v.Sections, *now)
	return nil
}

// calmMemory is the memory of a tree whose processes may end while they are looked at; nothing if they never stop doing so.
func calmMemory(p *proc.Process) result.Memory {
	for range 20 {
		if m, err := p.Memory(); err == nil {
			return memory(m)
		}
	}
	return result.Memory{}
}

// reloads changes the marker and tells the target, once in each period, or when the last one has been seen.
func (r *reloading) reloads(ctx context.Context, d time.Duration) error {
	begin := time.Now().Add(r.l.Profile.Warmup)
	for n := range r.now.Asked {
		if err := pauseFor(ctx, time.Until(begin.Add(time.Duration(n)*reloadPeriod))); err != nil {
			return err
		}
		if time.Since(begin) > d {
			return nil
		}
		r.markers++
		marker := "marker-" + strconv.Itoa(r.markers)
		if err := r.w.Write(marker); err != nil {
			return err
		}
		if a, ok := r.re.(target.Awaiter); ok {
			if err := a.Ready(ctx, r.run); err != nil {
				return err
			}
		}
		told := time.Now()
		err := r.re.Reload(ctx, r.run)
		if err == nil {
			err = r.await(ctx, marker, told)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			r.now.Done++
			continue
		}
		r.now.Lost++
		if len(r.v.Reasons) < 3 {
			r.v.Reasons = append(r.v.Reasons, err.Error())
		}
		select {
		case <-r.run.Done():
			return fmt.Errorf("%s ended: %s", r.run.Target.Name(), r.run.Exit())
		default:
		}
	}
	return nil
}

// await asks for the marker until it is the new one. The pauses grow with the time that it has taken, so that asking is neither what is measured nor a load of its own.
func (r *reloading) await(ctx context.Context, marker string, told time.Time) error {
	again := tellAgain
	for {
		got, err := askMarker(r.run.Plan.Addr())
		at := time.Since(told)
		r.v.Probes++
		if err != nil {
			r.v.ProbesFailed++
		}
		if err == nil && got == marker {
			r.nowSeen.Record(int64(at))
			return nil
		}
		if at > reloadPatience {
			return errors.Join(fmt.Errorf("%s was not seen within %v, but %q", marker, reloadPatience, got), err)
		}
		if at > again {
			again += tellAgain
			r.v.ToldAgain++
			if err := r.re.Reload(ctx, r.run); err != nil {
				return err
			}
		}
		if err := pauseFor(ctx, min(max(at/20, 100*time.Microsecond), 2*time.Millisecond)); err != nil {
			return err
		}
	}
}

// askMarker asks on a connection of its own: one that is kept may belong to an old process.
func askMarker(addr string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "GET "+target.MarkerPath+" HTTP/1.1\r\nHost: "+addr+"\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the marker was answered with %s", res.Status)
	}
	return string(b), err
}

// startReloadable runs a target with its first marker.
func (l *Lab) startReloadable(t Located, re target.Reloader, s Scenario, originPort, wsPort int) (*target.Running, error) {
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
	return target.Start(l.Set, target.Reloadable(re), t.Binary, target.Plan{
		Dir: dir, Host: "127.0.0.1", Port: port, AdminPort: admin, OriginHost: "127.0.0.1", OriginPort: originPort, WebSocketPort: wsPort, Proxied: true,
		CPUs: l.Machine.Roles.Server, ExtraArgs: t.ExtraArgs, Routes: s.routes, Marker: "marker-0",
	})
}
