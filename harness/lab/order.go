package lab

import (
	"fmt"
	"strconv"
	"time"
)

// order is what one load generator is asked to do.
type order struct {
	Addr string
	// Rate 0 is the closed loop.
	Rate             float64
	Duration, Warmup time.Duration
	Connections      int
	// StartAt is the agreed instant by the clock of the generator's host, in nanoseconds since 1970; 0: at once.
	StartAt int64
}

// orderOf is what the one generator of a laboratory on one machine does.
func (l *Lab) orderOf(s Scenario, addr string, rate float64, d time.Duration) order {
	return order{Addr: addr, Rate: rate, Duration: d, Warmup: l.Profile.Warmup, Connections: l.connections(s)}
}

// args are the load generator's, without where its record goes and what it asks for.
func (o order) args(s Scenario, threads int) []string {
	args := []string{"run", "--protocol", s.protocol(), "--connections", strconv.Itoa(o.Connections), "--threads", strconv.Itoa(min(threads, o.Connections)),
		"--duration", o.Duration.String(), "--warmup", o.Warmup.String(),
		"--expect-body-size", strconv.FormatInt(s.bodyBytes, 10), "--expect-status", "200", "--quiet"}
	args = append(args, s.loadArgs()...)
	if o.StartAt != 0 {
		args = append(args, "--start-at", fmt.Sprintf("%d.%09d", o.StartAt/1e9, o.StartAt%1e9))
	}
	if o.Rate > 0 {
		return append(args, "--rate", strconv.FormatFloat(o.Rate, 'f', -1, 64))
	}
	return append(args, "--closed-loop")
}

// longest is how long the generator may take in all.
func (o order) longest() time.Duration {
	wait := time.Duration(0)
	if o.StartAt != 0 {
		wait = max(0, time.Until(time.Unix(0, o.StartAt)))
	}
	return wait + o.Warmup + o.Duration + 30*time.Second
}
