package lab

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
)

// Targets run side by side, are loaded by turns in an order and its reverse, and are asked what they allocated.
func TestTogether(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t, "ALLOCS=2"))
	l.Counters, l.Intervals = true, time.Second
	ss, err := l.Open(context.Background(), scenario(t, "h1-static"))
	require.NoError(t, err)
	defer ss.Close()
	before, err := l.OwnCPU()
	require.NoError(t, err)

	two := []Located{l.Targets[0], l.Targets[0]}
	all, err := ss.Together(context.Background(), two, Loads{Windows: 3, Window: 30 * time.Millisecond, Rate: 1000, Fixed: 2 * time.Second})
	require.NoError(t, err)
	require.Len(t, all, 2)
	first, second := all[0], all[1]
	require.Len(t, first.Full, 3)
	require.Len(t, second.Full, 3)
	for i, forward := range []bool{true, false, true} {
		assert.Positive(t, first.Full[i].Load.RPS)
		assert.Equal(t, forward, first.Full[i].Started.Before(second.Full[i].Started), "window %d", i)
	}
	assert.InDelta(t, 2, second.Allocations, 1e-9)
	o := first
	require.NotNil(t, o.Fixed)
	assert.Equal(t, 1000.0, o.Fixed.Rate)
	assert.InDelta(t, 2, o.Allocations, 1e-9)
	require.Len(t, o.Tail, 1, "the stand-in writes one interval of each kind; only response times are read")
	assert.Positive(t, o.Tail[0].Count())

	// A short window has no seconds; a target that was not asked has no allocations.
	l.Counters = false
	all, err = ss.Together(context.Background(), two[:1], Loads{Rate: 1000, Fixed: 20 * time.Millisecond})
	require.NoError(t, err)
	o = all[0]
	assert.Nil(t, o.Full)
	assert.True(t, math.IsNaN(o.Allocations))
	assert.Len(t, o.Tail, 1)

	d, err := l.Cold(context.Background(), l.Targets[0])
	require.NoError(t, err)
	assert.Positive(t, d)
	after, err := l.OwnCPU()
	require.NoError(t, err)
	assert.Greater(t, after, before)
}
