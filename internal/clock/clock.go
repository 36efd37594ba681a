// Package clock gives a loop its time: one sample per turn, which every handler of that turn shares.
//
// It imports nothing of ours. A sample flows from a Clock into the loop, and from there to whoever asks the
// loop what time it is; nobody else on the request path reads a clock.
package clock

import "time"

// Sample is one reading of both clocks.
type Sample struct {
	// Mono is monotonic time in nanoseconds since an arbitrary origin that is fixed for the process.
	Mono int64
	// Wall is the wall-clock time of the same instant.
	Wall time.Time
}

// Clock is a source of samples. Mono never goes backwards between two samples of one Clock.
type Clock interface {
	// Sample reads both clocks at once.
	Sample() Sample
	// Mono reads only the monotonic clock, which is about half the price.
	Mono() int64
}

// origin lies one second before the start of the process, so that a monotonic time of zero can mean "none".
var origin = time.Now().Add(-time.Second)

// System is the clock of the operating system.
type System struct{}

// Sample implements Clock.
func (System) Sample() Sample {
	now := time.Now()
	return Sample{Mono: int64(now.Sub(origin)), Wall: now}
}

// Mono implements Clock.
func (System) Mono() int64 { return int64(time.Since(origin)) }

// Manual is a clock that stands still until it is told to move. It is for tests and is not safe for
// concurrent use.
type Manual struct {
	mono int64
	wall time.Time
}

// NewManual returns a clock that shows one second of monotonic time and the given wall-clock time.
func NewManual(wall time.Time) *Manual {
	return &Manual{mono: int64(time.Second), wall: wall}
}

// Sample implements Clock.
func (m *Manual) Sample() Sample { return Sample{Mono: m.mono, Wall: m.wall} }

// Mono implements Clock.
func (m *Manual) Mono() int64 { return m.mono }

// Advance moves both clocks forward by d; a negative d is ignored.
func (m *Manual) Advance(d time.Duration) {
	if d <= 0 {
		return
	}
	m.mono += int64(d)
	m.wall = m.wall.Add(d)
}
