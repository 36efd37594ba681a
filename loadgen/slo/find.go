package slo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Prober loads the server at one rate.
type Prober func(ctx context.Context, rate float64) (runfmt.Probe, error)

// Options of a search.
type Options struct {
	// From is where it begins, To the highest rate to try, requests per second. Where it begins decides how many loads a search takes, and not what it finds.
	From, To float64
	// Factor is the first step up or down from there, more than 1; each further step is the square of the last, four at most. The better From is known, the smaller; 0 is 2.
	Factor float64
	// Resolution ends it: the rate that failed is at most so much above the one that held (0.05 is 5 %).
	Resolution float64
	// Confirm is how many loads in a row must hold.
	Confirm int
	// Budget is the time after which no further load begins.
	Budget time.Duration
	// Now is the clock, for tests; nil for the system's.
	Now func() time.Time
	// Progress gets each load as it ends; nil for silence.
	Progress func(runfmt.Probe)
}

func (o *Options) check() error {
	switch {
	case !(o.From >= 1) || !(o.To >= o.From) || math.IsInf(o.To, 0):
		return fmt.Errorf("rates from %v to %v: expected 1 or more, and no end below the beginning", o.From, o.To)
	case o.Factor != 0 && !(o.Factor > 1 && o.Factor <= maxStep):
		return fmt.Errorf("factor %v: expected more than 1, and %v at most", o.Factor, maxStep)
	case !(o.Resolution >= 0.005 && o.Resolution <= 1):
		return fmt.Errorf("resolution %v: expected 0.005 to 1", o.Resolution)
	case o.Confirm < 1 || o.Confirm > 100:
		return fmt.Errorf("confirmations: %d, expected 1 to 100", o.Confirm)
	case o.Budget <= 0:
		return errors.New("the budget must be more than 0")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Factor == 0 {
		o.Factor = 2
	}
	return nil
}

// maxStep is the largest step of the bracketing, as a factor.
const maxStep = 4.0

var errBudget = errors.New("the time was used up")

// search is the state of one.
type search struct {
	Options
	probe    Prober
	began    time.Time
	out      *runfmt.Search
	lo, hi   float64 // held, did not hold; 0: not found yet
	byItself bool    // the generator was the reason at hi
}

// Find fills in what was found. Brackets in steps that grow, up or down, bisects the logarithm of the rate, and has the best rate confirmed; a rate
// that fails then makes way for the next lower one. A load that does not hold is repeated, and the majority of three decides: one hiccup is no limit. With a resolution of
// 10 % and a beginning within a factor of eight of the answer that is 15 loads at most, hiccups apart.
func Find(ctx context.Context, probe Prober, o Options) (*runfmt.Search, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &search{Options: o, probe: probe, began: o.Now(), out: &runfmt.Search{}}
	err := s.run(ctx)
	switch {
	case err == nil:
		s.out.Complete = s.out.Reason == ""
	case errors.Is(err, errBudget):
		s.out.Reason = err.Error()
	case ctx.Err() != nil:
		s.out.Reason = "interrupted"
	default:
		return nil, err
	}
	if !s.out.Complete {
		s.settle()
	}
	return s.out, nil
}

func (s *search) run(ctx context.Context) error {
	if err := s.bracket(ctx); err != nil {
		return err
	}
	for s.hi > 0 && s.lo > 0 && s.hi/s.lo > 1+s.Resolution {
		if err := s.try(ctx, math.Sqrt(s.lo*s.hi)); err != nil {
			return err
		}
	}
	for s.lo > 0 {
		ok, err := s.confirm(ctx)
		if err != nil {
			return err
		}
		if ok {
			s.out.Rate, s.out.FailedAt, s.out.GeneratorLimited = s.lo, s.hi, s.byItself
			if s.hi == 0 {
				s.out.Reason = fmt.Sprintf("the highest rate allowed, %g/s, holds", s.To)
			}
			return nil
		}
		if s.lo /= 1 + s.Resolution; s.lo < 1 {
			s.lo = 0
		}
	}
	s.out.FailedAt, s.out.GeneratorLimited = s.hi, s.byItself
	s.out.Reason = "no rate was found that holds"
	return nil
}

// bracket finds a rate that holds and one that does not.
func (s *search) bracket(ctx context.Context) error {
	// Small near the beginning, where the answer is expected; what is not there is far away.
	step := s.Factor
	for rate := s.From; ; step = min(step*step, maxStep) {
		if err := s.try(ctx, rate); err != nil {
			return err
		}
		switch {
		case s.lo > 0 && s.hi > 0, s.lo >= s.To, s.hi > 0 && s.hi <= 1:
			return nil
		case s.lo > 0:
			rate = min(step*s.lo, s.To)
		default:
			rate = max(s.hi/step, 1)
		}
	}
}

// try decides about a rate and moves lo or hi.
func (s *search) try(ctx context.Context, rate float64) error {
	rate = math.Round(rate*100) / 100
	held, failed, byItself := 0, 0, false
	for held < 2 && failed < 2 {
		p, err := s.load(ctx, rate)
		if err != nil {
			return err
		}
		if p.Held {
			held++
			if failed == 0 {
				break
			}
		} else {
			failed++
			byItself = p.Generator
		}
	}
	if failed < 2 {
		s.lo = rate
	} else {
		s.hi, s.byItself = rate, byItself
	}
	return nil
}

// confirm tells whether lo holds so often in a row as is asked for, counting the last loads at this rate. One load that does not hold is a hiccup, after which the
// counting begins anew; the second one is an answer.
func (s *search) confirm(ctx context.Context) (bool, error) {
	s.lo = math.Round(s.lo*100) / 100
	for failed := 0; ; {
		n := s.inRow(s.lo)
		if n >= s.Confirm {
			s.out.Confirmed = n
			return true, nil
		}
		p, err := s.load(ctx, s.lo)
		if err != nil {
			return false, err
		}
		if p.Held {
			continue
		}
		if failed++; failed == 2 {
			s.hi, s.byItself = s.lo, p.Generator
			return false, nil
		}
	}
}

// inRow is how many of the last loads at a rate held, without one between that did not.
func (s *search) inRow(rate float64) (n int) {
	for i := len(s.out.Probes) - 1; i >= 0; i-- {
		if p := s.out.Probes[i]; p.Rate == rate {
			if !p.Held {
				return n
			}
			n++
		}
	}
	return n
}

func (s *search) load(ctx context.Context, rate float64) (runfmt.Probe, error) {
	if s.Now().Sub(s.began) >= s.Budget {
		return runfmt.Probe{}, errBudget
	}
	if err := ctx.Err(); err != nil {
		return runfmt.Probe{}, err
	}
	p, err := s.probe(ctx, rate)
	if err != nil {
		return p, err
	}
	p.Rate = rate
	s.out.Probes = append(s.out.Probes, p)
	if s.Progress != nil {
		s.Progress(p)
	}
	return p, nil
}

// settle reports what an unfinished search knows: the highest rate below the one that failed whose last load held. It may lie farther below than the resolution, since
// the search ended while it went down.
func (s *search) settle() {
	if s.out.Rate > 0 || s.lo == 0 {
		if s.lo == 0 {
			s.out.FailedAt, s.out.GeneratorLimited = s.hi, s.byItself
		}
		return
	}
	for _, p := range s.out.Probes {
		if n := s.inRow(p.Rate); n > 0 && p.Rate > s.out.Rate && (s.hi == 0 || p.Rate < s.hi) {
			s.out.Rate, s.out.Confirmed = p.Rate, n
		}
	}
	if s.hi > s.out.Rate {
		s.out.FailedAt, s.out.GeneratorLimited = s.hi, s.byItself
	}
}
