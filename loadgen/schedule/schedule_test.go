package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func all(s Schedule) (out []time.Duration) {
	for {
		at, ok := s.Peek()
		if !ok {
			return out
		}
		out = append(out, at)
		s.Advance()
	}
}

func TestConstantRate(t *testing.T) {
	tests := []struct {
		rate   float64
		length time.Duration
		hits   int
		gap    time.Duration
	}{
		{1000, time.Second, 999, time.Millisecond}, // the first starts after one interval, the last would start at the very end
		{1, 10 * time.Second, 9, time.Second},
		{0.5, 10 * time.Second, 4, 2 * time.Second},
		{2.5, 4 * time.Second, 9, 400 * time.Millisecond},
		{0.125, 80 * time.Second, 9, 8 * time.Second},
		{0.0001, 50_000 * time.Second, 4, 10_000 * time.Second},
	}
	for _, tt := range tests {
		p, err := Pacer(tt.rate, 0)
		require.NoError(t, err)
		at := all(New(p, tt.length, 0, 1))
		require.Len(t, at, tt.hits, "rate %v", tt.rate)
		for i, a := range at {
			require.InDelta(t, float64(time.Duration(i+1)*tt.gap), float64(a), float64(tt.gap)/1e6+float64(i+1), "rate %v hit %d", tt.rate, i)
		}
	}
}

// An interval of 3333.33 ns must not become 3333: after ten seconds that would be 300 requests too many.
func TestRateStaysExactThoughTheIntervalIsNotWhole(t *testing.T) {
	p, err := Pacer(300_000, 0)
	require.NoError(t, err)
	s := New(p, 10*time.Second, 0, 1)
	n, last := 0, time.Duration(0)
	for at, ok := s.Peek(); ok; at, ok = s.Peek() {
		if at <= last && n > 0 {
			t.Fatalf("hit %d at %v is not after %v", n, at, last)
		}
		n, last = n+1, at
		s.Advance()
	}
	require.InDelta(t, 3_000_000, n, 40)
}

func TestShardsTogetherAreThePlan(t *testing.T) {
	for _, slope := range []float64{0, 50} {
		p, err := Pacer(90, slope)
		require.NoError(t, err)
		whole := all(New(p, 3*time.Second, 0, 1))
		var merged []time.Duration
		shards := make([][]time.Duration, 3)
		for k := range shards {
			shards[k] = all(New(p, 3*time.Second, k, 3))
		}
		for i := range whole {
			merged = append(merged, shards[i%3][i/3])
		}
		require.Equal(t, whole, merged)
	}
}

func TestLinearRate(t *testing.T) {
	p, err := Pacer(100, 100)
	require.NoError(t, err)
	// The integral of 100 + 100 t over four seconds.
	require.InDelta(t, 100*4+100*4*4/2, len(all(New(p, 4*time.Second, 0, 1))), 15)
}

func TestAnyPacerEndsTheSchedule(t *testing.T) {
	require.Len(t, all(New(fiveHits{}, time.Hour, 0, 1)), 5)
}

// fiveHits is a pacer that stops by itself.
type fiveHits struct{ vegeta.ConstantPacer }

func (fiveHits) Pace(_ time.Duration, hits uint64) (time.Duration, bool) {
	return time.Millisecond, hits == 5
}

func TestCopyReadsAhead(t *testing.T) {
	p, err := Pacer(10, 0)
	require.NoError(t, err)
	s := New(p, 10*time.Second, 0, 1)
	ahead := s
	for range 5 {
		ahead.Advance()
	}
	at, _ := s.Peek()
	require.Equal(t, 100*time.Millisecond, at)
	require.EqualValues(t, 0, s.Hit())
	require.EqualValues(t, 5, ahead.Hit())
}

func TestBadRates(t *testing.T) {
	for _, r := range []float64{0, -1, 2e8} {
		_, err := Pacer(r, 0)
		require.Error(t, err)
	}
}

func TestAdvanceDoesNotAllocate(t *testing.T) {
	p, err := Pacer(1e6, 0)
	require.NoError(t, err)
	s := New(p, time.Hour, 0, 1)
	require.Zero(t, testing.AllocsPerRun(1000, func() { s.Advance() }))
}
