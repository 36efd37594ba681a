package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Where a search begins, the window of each of its loads, how close it ends, and how often the answer must be confirmed.
const (
	findFrom       = 5000
	findStep       = 500 * time.Millisecond
	findWarmup     = 100 * time.Millisecond
	findResolution = 0.1
	findConfirm    = 3
)

// findScenario seeks, for each target by turns, the highest rate that holds the scenario's objective.
func (l *Lab) findScenario(ctx context.Context, s Scenario) (samples []result.Sample, err error) {
	var origin *originProcess
	if s.proxied {
		if origin, err = l.startOrigin(ctx, s); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, origin.Stop(time.Second)) }()
	}
	return l.rounds(ctx, s, l.Profile.Searches, func(t Located, sm *result.Sample) error { return l.findSample(ctx, s, t, origin, sm) })
}

func (l *Lab) findSample(ctx context.Context, s Scenario, t Located, origin *originProcess, sm *result.Sample) (err error) {
	sm.Phase = result.Objective
	run, err := l.start(t, s, origin.portOrZero())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	want := []byte(target.StaticBody)
	if origin != nil {
		want = origin.body
	}
	if err := l.ready(ctx, s, t, run, want); err != nil {
		return err
	}
	dir, err := l.dir("find")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "find.json")
	args := []string{"find", "--slo", cmp.Or(l.Machine.Objective, s.slo), "--protocol", s.protocol(), "--connections", strconv.Itoa(l.connections(s)),
		"--threads", strconv.Itoa(min(len(l.Machine.Roles.Load), l.connections(s))), "--from", strconv.Itoa(findFrom), "--step", findStep.String(),
		"--warmup", findWarmup.String(), "--resolution", fmt.Sprint(findResolution), "--confirm", strconv.Itoa(findConfirm), "--budget", l.Profile.Search.String(),
		"--expect-body-size", strconv.FormatInt(s.bodyBytes, 10), "--expect-status", "200", "--quiet", "--json", file}
	args = append(append(args, s.loadArgs()...), s.scheme()+run.Plan.Addr()+s.path)
	p, err := l.Set.Start(proc.Spec{Path: l.Blitzload, Args: args, Dir: dir, CPUs: l.Machine.Roles.Load, Log: filepath.Join(dir, "log")})
	if err != nil {
		return err
	}
	// An unfinished search has an exit code of its own and a record that says why, and the record decides.
	_ = p.Wait(ctx.Done(), l.Profile.Search+60*time.Second)
	if err := ctx.Err(); err != nil {
		return err
	}
	rec, err := runfmt.ReadSearch(file)
	if err != nil {
		return fmt.Errorf("%s left no usable record (%w; %s): %s", p.Command(), err, p.Exit(), p.LogTail())
	}
	sm.Search = &result.Search{
		Objective: rec.Objective, Rate: rec.Rate, FailedAt: rec.FailedAt, Confirmed: rec.Confirmed, Probes: len(rec.Probes), GeneratorLimited: rec.GeneratorLimited,
	}
	switch {
	case rec.Rate == 0:
		sm.Invalid = append(sm.Invalid, rec.Reason)
	case !rec.Complete:
		sm.Warnings = append(sm.Warnings, rec.Reason)
	}
	return nil
}
