package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// A sample's window is divided into turns, as many as make each about as long as usualTurn, but not more than mostTurns: the load generator opens its connections anew for
// each, which is of the same order as a usual turn.
const (
	usualTurn = 200 * time.Millisecond
	mostTurns = 12
)

// laterWarmup is the share of the warm-up that later turns have: the target is warm, its connections are new.
const laterWarmup = 4

// turnsOf a window of so long: an even number, since an order of the targets and its reverse belong together.
func turnsOf(d time.Duration) int {
	n := int((d + usualTurn) / (2 * usualTurn) * 2)
	return min(max(n, 2), mostTurns)
}

// runningTarget is one of the targets that run side by side.
type runningTarget struct {
	Located
	*target.Running
}

// sideBySide starts a process of each target and checks its answer. The caller must end all of them, also after an error.
func (ss *Session) sideBySide(ctx context.Context, targets []Located) (all []runningTarget, err error) {
	want := []byte(target.StaticBody)
	if ss.origin != nil {
		want = ss.origin.body
	}
	for _, t := range targets {
		run, err := ss.l.start(t, ss.s, ss.origin.portOrZero())
		if err != nil {
			return all, err
		}
		all = append(all, runningTarget{t, run})
		if err := ss.l.ready(ctx, ss.s, t, run, want); err != nil {
			return all, err
		}
	}
	return all, nil
}

func endAll(all []runningTarget) error {
	var errs []error
	for _, t := range all {
		errs = append(errs, t.Stop())
	}
	return errors.Join(errs...)
}

// thereAndBack calls do for each of n targets in each of so many turns, in their order and in its reverse by turns, so that a steady drift of the
// machine meets all alike.
func thereAndBack(n, turns int, do func(target, turn int) error) error {
	for i := range turns {
		for k := range n {
			if i%2 == 1 {
				k = n - 1 - k
			}
			if err := do(k, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// byTurns measures all targets once in each round. Those of a round run side by side, each in a process that it has for this round alone, and are loaded by
// turns, one at a time while the others wait: a shared machine changes its speed within seconds, and turns of a fraction of one that lie side by side see
// the same speed. A round with an invalid sample is measured once more at once; all its samples are kept.
func (ss *Session) byTurns(ctx context.Context, ph result.Phase, rate float64, d time.Duration, m *merger) ([]result.Sample, error) {
	l := ss.l
	var out []result.Sample
	for round, order := range Schedule(len(l.Targets), l.Profile.Pairs, l.rng) {
		var targets []Located
		for _, i := range order {
			targets = append(targets, l.Targets[i])
		}
		for range 2 {
			samples, hs, err := ss.round(ctx, targets, rate, d)
			if err != nil {
				return nil, fmt.Errorf("round %d: %w", round+1, err)
			}
			valid := true
			for i := range samples {
				sm := &samples[i]
				sm.Phase, sm.Rate, sm.Round, sm.Order = ph, rate, round, i
				if sm.Valid() {
					m.add(*sm, hs[i])
				}
				valid = valid && sm.Valid()
				l.Progress(line(ss.s, *sm, l.Profile.Pairs))
			}
			out = append(out, samples...)
			if valid {
				break
			}
		}
	}
	return out, nil
}

// round takes one sample of each target, by turns.
func (ss *Session) round(ctx context.Context, targets []Located, rate float64, d time.Duration) (samples []result.Sample, hs []histograms, err error) {
	l, s := ss.l, ss.s
	all, err := ss.sideBySide(ctx, targets)
	defer func() { err = errors.Join(err, endAll(all)) }()
	if err != nil {
		return nil, nil, err
	}
	n := turnsOf(d)
	turns := make([][]turn, len(all))
	samples = make([]result.Sample, len(all))
	err = thereAndBack(len(all), n, func(k, i int) error {
		t := all[k]
		if i == 0 {
			samples[k] = result.Sample{Target: t.Name(), Started: time.Now().UTC().Round(time.Millisecond)}
		}
		o := l.orderOf(s, t.Plan.Addr(), rate, d/time.Duration(n))
		if i > 0 {
			o.Warmup /= laterWarmup
		}
		u, err := l.turn(ctx, s, t.Located, t.Running, ss.origin, o)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name(), err)
		}
		turns[k] = append(turns[k], u)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	hs = make([]histograms, len(all))
	for k, t := range all {
		if hs[k], err = l.account(&samples[k], s, turns[k]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", t.Name(), err)
		}
		if err := l.afterFull(ctx, t.Located, t.Running, &samples[k]); err != nil {
			return nil, nil, err
		}
	}
	return samples, hs, nil
}
