package clock

import (
	"testing"
	"time"
)

func TestSystemIsMonotonicAndPositive(t *testing.T) {
	var c System
	last := int64(0)
	for range 1000 {
		s := c.Sample()
		if s.Mono <= 0 || s.Mono < last {
			t.Fatalf("monotonic time went from %d to %d", last, s.Mono)
		}
		m := c.Mono()
		if m < s.Mono {
			t.Fatalf("Mono %d is before the sample %d taken earlier", m, s.Mono)
		}
		last = m
	}
}

func TestManualMovesBothClocksTogether(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := NewManual(wall)
	before := c.Sample()
	c.Advance(1500 * time.Millisecond)
	c.Advance(-time.Hour)
	after := c.Sample()
	if d := after.Mono - before.Mono; d != int64(1500*time.Millisecond) {
		t.Errorf("monotonic clock moved by %d ns, want 1.5 s", d)
	}
	if d := after.Wall.Sub(wall); d != 1500*time.Millisecond {
		t.Errorf("wall clock moved by %v, want 1.5 s", d)
	}
	if c.Mono() != after.Mono {
		t.Errorf("Mono and Sample disagree")
	}
}

func TestSampleDoesNotAllocate(t *testing.T) {
	var c Clock = System{}
	if n := testing.AllocsPerRun(100, func() { _ = c.Sample(); _ = c.Mono() }); n != 0 {
		t.Errorf("a sample allocates %v times", n)
	}
}
