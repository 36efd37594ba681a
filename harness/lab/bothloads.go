package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// tally adds up what several load generators saw, one after the other.
type tally struct {
	served        result.Served
	response      *hdr.Histogram
	closedBetween int64
	lateness      *hdr.Histogram
}

func (t *tally) add(rec *runfmt.Record) error {
	h, err := rec.Latency.Response.Decode()
	if err != nil {
		return err
	}
	late, err := rec.Cost.Lateness.Decode()
	if err != nil {
		return err
	}
	t.merge(&tally{served(rec), h, rec.Connections.ClosedByServer, late})
	return nil
}

// merge adds what another one saw.
func (t *tally) merge(from *tally) {
	if from.response == nil {
		return // nothing
	}
	if t.response == nil {
		t.response, t.lateness = hdr.New(), hdr.New()
		t.served.ByCode = map[string]int64{}
	}
	t.response.Merge(from.response)
	t.lateness.Merge(from.lateness)
	s := from.served
	t.served.Requests += s.Requests
	t.served.Failed += s.Failed
	for code, n := range s.ByCode {
		t.served.ByCode[code] += n
	}
	t.served.Errors.Add(s.Errors)
	t.closedBetween += from.closedBetween
}

// late is what one request in a hundred was sent late by, or more.
func (t *tally) late() time.Duration {
	if t.lateness == nil {
		return 0
	}
	return time.Duration(t.lateness.Summary().P99)
}

func (t *tally) sum() result.Served {
	s := t.served
	s.ByCode = maps.Clone(s.ByCode)
	if t.response != nil {
		s.Response = t.response.Summary()
	}
	return s
}

// bothLoads is most of a rate over kept connections and the rest over one for each request.
type bothLoads struct{ kept, closed tally }

// merge adds what others saw.
func (b *bothLoads) merge(from *bothLoads) {
	b.kept.merge(&from.kept)
	b.closed.merge(&from.closed)
}

// late says if the load generators were.
func (b *bothLoads) late(when string) []string {
	if late := max(b.kept.late(), b.closed.late()); late > chaosLateness {
		return []string{fmt.Sprintf("%s a load generator was late: one request in a hundred by %v or more, which is in the response times", when, late)}
	}
	return nil
}

// bothLoads offers a rate for d, by two load generators at once.
func (l *Lab) bothLoads(ctx context.Context, s Scenario, run *target.Running, rate float64, d time.Duration, sum *bothLoads) error {
	type outcome struct {
		rec *runfmt.Record
		err error
	}
	once := s
	once.newConnection = true
	// A directory is made by one goroutine only.
	dir, err := l.dir("load")
	if err != nil {
		return err
	}
	other := make(chan outcome, 1)
	go func() {
		rec, _, err := l.blitzloadIn(ctx, once, l.orderOf(once, run.Plan.Addr(), rate*closedShare, d), dir)
		other <- outcome{rec, err}
	}()
	rec, _, err := l.blitzload(ctx, s, l.orderOf(s, run.Plan.Addr(), rate*(1-closedShare), d))
	o := <-other
	if err = errors.Join(err, o.err); err != nil {
		return err
	}
	return errors.Join(sum.kept.add(rec), sum.closed.add(o.rec))
}
