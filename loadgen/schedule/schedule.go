// Package schedule says when each request is meant to start, before anything is known of the server. That is what
// makes the load open: the intended start is a function of the plan alone.
//
// It imports vegeta's pacers and nothing of ours. What flows through: a pacer (a pure function of elapsed time and hits)
// goes in, intended starts come out, as nanoseconds since the start of the run, one by one in rising order.
package schedule

import (
	"fmt"
	"math"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Schedule is the intended starts of one thread. Several threads share a plan by taking turns: thread k of n gets the
// hits k, k+n, k+2n … of the same pacer. It is a value: a copy is an independent reader at the same position.
type Schedule struct {
	pacer  vegeta.Pacer
	length time.Duration
	shards uint64

	hits uint64        // hits of the whole plan that lie before the current one
	at   time.Duration // intended start of the current hit
	done bool
}

// New returns the schedule of shard (0 ≤ shard < shards), which ends before length.
func New(p vegeta.Pacer, length time.Duration, shard, shards int) Schedule {
	s := Schedule{pacer: p, length: length, shards: uint64(shards)}
	s.settle()
	for range shard {
		s.step()
	}
	return s
}

// Peek returns the intended start of the current hit since the start of the run, or false when the plan is over. It does not
// allocate.
func (s *Schedule) Peek() (at time.Duration, ok bool) { return s.at, !s.done }

// Hit is the number of the current hit in the whole plan, from 0.
func (s *Schedule) Hit() uint64 { return s.hits }

// Advance moves to this thread's next hit.
func (s *Schedule) Advance() {
	for range s.shards {
		s.step()
	}
}

func (s *Schedule) step() {
	if s.done {
		return
	}
	s.hits++
	s.settle()
}

// settle finds the intended start of hit number s.hits.
func (s *Schedule) settle() {
	if cp, ok := s.pacer.(vegeta.ConstantPacer); ok {
		s.constant(cp)
	} else {
		wait, stop := s.pacer.Pace(s.at, s.hits)
		s.done = stop
		s.at += max(wait, 0)
	}
	if s.at >= s.length {
		s.done = true
	}
}

// constant asks the pacer within one period at a time. Its interval is cut to whole nanoseconds, so over a long run at
// 300,000 hits per second it would run 0.01 % fast; starting anew in each period keeps the rate exact.
func (s *Schedule) constant(cp vegeta.ConstantPacer) {
	if cp.Freq <= 0 || cp.Per <= 0 {
		s.done = true
		return
	}
	period, within := s.hits/uint64(cp.Freq), s.hits%uint64(cp.Freq)
	wait, stop := cp.Pace(0, within)
	s.done = stop
	s.at = time.Duration(period)*cp.Per + wait
}

// MaxRate bounds the rate so that an interval is at least a few nanoseconds.
const MaxRate = 1e8

// Pacer returns the pacer for a rate in requests per second which changes by slope requests per second every second
// (0: constant).
func Pacer(rate, slope float64) (vegeta.Pacer, error) {
	if !(rate > 0) || rate > MaxRate {
		return nil, fmt.Errorf("rate is %v requests per second, expected more than 0 and at most %g", rate, MaxRate)
	}
	c := constant(rate)
	if slope == 0 {
		return c, nil
	}
	if math.IsNaN(slope) || math.Abs(slope) > MaxRate {
		return nil, fmt.Errorf("rate slope is %v", slope)
	}
	return vegeta.LinearPacer{StartAt: c, Slope: slope}, nil
}

// constant expresses a rate as so many hits per whole number of seconds, to three decimals.
func constant(rate float64) vegeta.ConstantPacer {
	for _, per := range []int{1, 10, 100, 1000} {
		f := rate * float64(per)
		if n := math.Round(f); n >= 1 && (math.Abs(f-n) < 1e-6*f || per == 1000) {
			return vegeta.ConstantPacer{Freq: int(n), Per: time.Duration(per) * time.Second}
		}
	}
	return vegeta.ConstantPacer{Freq: 1, Per: time.Duration(math.Min(1e9/rate, math.MaxInt64))}
}
