package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storm reloads without end, each taking as long as given and the next one coming when the pause is over and at least gap has passed. It returns
// how much of the time went into reloads, and the longest pause.
func storm(n int, took, gap time.Duration) (busy float64, longest time.Duration) {
	var p pacer
	begin := time.Unix(1_700_000_000, 0)
	now, total := begin, time.Duration(0)
	for range n {
		start := now
		now = now.Add(took)
		total += took
		pause := p.pause(start, now)
		longest = max(longest, pause)
		now = now.Add(max(pause, gap))
	}
	return float64(total) / float64(now.Sub(begin)), longest
}

func TestReloadsArePaced(t *testing.T) {
	busy, longest := storm(10_000, 20*time.Millisecond, 0)
	require.InDelta(t, 0.5, busy, 0.01, "a storm takes half of a CPU at most")
	require.InDelta(t, float64(20*time.Millisecond), float64(longest), float64(time.Millisecond))

	_, longest = storm(24, 20*time.Millisecond, 0)
	require.Zero(t, longest, "a few one after another are all made at once")
	_, longest = storm(10_000, 20*time.Millisecond, 25*time.Millisecond)
	require.Zero(t, longest, "nor is one kept waiting that comes in its time")

	_, longest = storm(10_000, time.Microsecond, 0)
	require.NotZero(t, longest, "one that costs this thread nothing costs the workers something")
	_, longest = storm(100, time.Minute, 0)
	require.Equal(t, maxPause, longest)
}
