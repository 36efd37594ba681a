package lab

import (
	"context"
	"errors"
	"time"

	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// sectionCount is how many sections a sample has of each kind: the least from which an interval of 95 % is to be had.
const sectionCount = 6

// What sections take beside their warm-up and window, as measured on two cores.
const sectionOverhead = 150 * time.Millisecond

// The shortest sections with reloads and without.
const (
	minBusy  = time.Second
	minQuiet = 500 * time.Millisecond
)

// sectionTimes of quiet sections and of those with reloads, of which all together take as long as reloads says, if that is not too short.
func sectionTimes(reloads time.Duration) (quiet, busy time.Duration) {
	busy = max(reloads/sectionCount, minBusy)
	return max(busy/2, minQuiet), busy
}

// reloadOrder says of each section whether it has reloads: a random order of the two and its reverse next (A B B A), so that a drift of the machine meets both alike. It is the
// same for every target of a run.
func reloadOrder(seed uint64, scenario string) (out []bool) {
	for _, pair := range Schedule(2, sectionCount, rng(seed, scenario+", order of sections")) {
		for _, kind := range pair {
			out = append(out, kind == 1)
		}
	}
	return out
}

// askedIn is how many reloads section i (from 0) of those with reloads has, so that all together have what their time holds at one in each period.
func askedIn(i int, d time.Duration) int {
	return int(time.Duration(i+1)*d/reloadPeriod) - int(time.Duration(i)*d/reloadPeriod)
}

// relay is a load in sections without a pause: the warm-up of each begins when the window of the one before has ended, and what hangs there is waited for meanwhile.
type relay struct {
	// begin is when the first window begins.
	begin          time.Time
	window, warmup time.Duration
}

// upFront is how long before its warm-up a load generator is started: its connections must stand by then.
const upFront = time.Second

// relayOf divides d. Its first warm-up begins after wait, but not before the first load generator can be ready.
func (l *Lab) relayOf(d, wait time.Duration) relay {
	return relay{time.Now().Add(max(wait, upFront) + l.Profile.Warmup), d / sectionCount, l.Profile.Warmup}
}

// relayTime is how long a relay of d takes, from its first warm-up to the end of its last window.
func relayTime(p Profile, d time.Duration) time.Duration { return d + sectionCount*p.Warmup }

// at is when section i begins, in relation to the first one's begin.
func (r relay) at(i int) time.Duration { return time.Duration(i) * (r.window + r.warmup) }

// length is from the beginning of the first window to the end of the last one.
func (r relay) length() time.Duration { return r.at(sectionCount-1) + r.window }

// run offers the rate. The records are in the order of the sections.
func (r relay) run(ctx context.Context, l *Lab, s Scenario, addr string, rate float64) ([]*runfmt.Record, error) {
	type outcome struct {
		i   int
		rec *runfmt.Record
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan outcome, sectionCount)
	for i := range sectionCount {
		// A directory is made by one goroutine only.
		dir, err := l.dir("load")
		if err != nil {
			return nil, err
		}
		o := l.orderOf(s, addr, rate, r.window)
		warm := r.begin.Add(r.at(i) - r.warmup)
		o.StartAt = warm.UnixNano()
		go func() {
			if err := pauseFor(ctx, time.Until(warm)-upFront); err != nil {
				done <- outcome{i, nil, err}
				return
			}
			rec, _, err := l.blitzloadIn(ctx, s, o, dir)
			done <- outcome{i, rec, err}
		}()
	}
	out := make([]*runfmt.Record, sectionCount)
	var errs []error
	for range sectionCount {
		o := <-done
		if out[o.i] = o.rec; o.err != nil {
			if len(errs) == 0 {
				errs = append(errs, o.err) // the others end because this one did
			}
			cancel()
		}
	}
	return out, errors.Join(errs...)
}
