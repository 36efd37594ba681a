package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Where the first search of a target begins, the window of each load, how close a search ends, and how many loads in a row must hold. Two are
// enough: the rounds repeat the search.
const (
	findFrom       = 10000
	firstFactor    = 2.0
	nextFactor     = 1.2
	findStep       = 400 * time.Millisecond
	findWarmup     = 100 * time.Millisecond
	findResolution = 0.1
	findConfirm    = 2
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
	begin := beginnings{}
	return l.rounds(ctx, s, l.Profile.Pairs, func(t Located, sm *result.Sample) error {
		from, factor := begin.of(t.Name(), l.rng.Float64())
		err := l.findSample(ctx, s, t, origin, from, factor, sm)
		begin.found(t.Name(), sm.Search)
		return err
	})
}

// beginnings are where the next search of each target begins. That only shortens it: a search goes up and down from there in growing steps and ends where it would
// have ended from anywhere else.
type beginnings map[string]float64

// of returns where a search begins and its first step. It is up to a step below what is known, by chance: rounds that tried the same rates would agree better than they
// know. chance is at least 0 and below 1.
func (b beginnings) of(name string, chance float64) (from, factor float64) {
	if known := b[name]; known > 0 {
		return max(1, known/math.Pow(nextFactor, chance)), nextFactor
	}
	return findFrom, firstFactor
}

// found remembers what held, or half of what did not where nothing held.
func (b beginnings) found(name string, s *result.Search) {
	switch {
	case s == nil:
	case s.Rate > 0:
		b[name] = s.Rate
	case s.FailedAt > 0:
		b[name] = s.FailedAt / 2
	}
}

// objective is what a search keeps: the machine's, or the scenario's own.
func (l *Lab) objective(s Scenario) string { return cmp.Or(l.Machine.Objective, s.slo) }

// about says also which objective is sought.
func (l *Lab) about(s Scenario) string {
	if s.kind != find {
		return s.About
	}
	return fmt.Sprintf("%s The objective is %s.", s.About, l.objective(s))
}

func (l *Lab) findSample(ctx context.Context, s Scenario, t Located, origin *originProcess, from, factor float64, sm *result.Sample) (err error) {
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
	args := []string{"find", "--slo", l.objective(s), "--protocol", s.protocol(), "--connections", strconv.Itoa(l.connections(s)),
		"--threads", strconv.Itoa(min(len(l.Machine.Roles.Load), l.connections(s))), "--from", strconv.FormatFloat(from, 'f', 2, 64), "--factor", fmt.Sprint(factor), "--step", findStep.String(),
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
