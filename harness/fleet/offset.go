package fleet

import (
	"context"
	"fmt"
	"time"
)

// Offset is how far a host's clock is ahead of ours. The truth lies within Bound of Ahead: half the time that the quickest of several questions took
// there and back (Cristian's algorithm; NTP computes the same, RFC 5905, section 8).
type Offset struct {
	Ahead time.Duration `json:"ahead_ns"`
	Bound time.Duration `json:"bound_ns"`
}

// There turns a moment of our clock into the host's.
func (o Offset) There(t time.Time) time.Time { return t.Round(0).Add(o.Ahead) }

// ClockMethod is the method that an agent's service must have: no arguments, and its wall clock in nanoseconds since 1970.
const ClockMethod = "Clock"

// rounds of questions: the quickest one met no queue.
const rounds = 32

// Measure asks the host for its time and remembers the answer in Clock.
func (c *Conn) Measure(ctx context.Context, service string) error {
	best := Offset{Bound: time.Hour}
	for range rounds {
		var there int64
		sent := time.Now()
		if err := c.Call(ctx, service+"."+ClockMethod, struct{}{}, &there); err != nil {
			return err
		}
		best = closer(best, sent, time.Since(sent), there)
	}
	if best.Bound > 100*time.Millisecond {
		return fmt.Errorf("host %s: an answer takes %v and more: its clock cannot be compared well enough to start together", c.Name, 2*best.Bound)
	}
	c.Clock = best
	return nil
}

// closer keeps the estimate with the smaller bound. The host read its clock somewhere between sent and sent+took.
func closer(best Offset, sent time.Time, took time.Duration, there int64) Offset {
	if took/2 >= best.Bound {
		return best
	}
	middle := sent.Round(0).Add(took / 2)
	return Offset{Ahead: time.Unix(0, there).Sub(middle), Bound: took / 2}
}
