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

func TestObserve(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t, "ALLOCS=2"))
	l.Counters, l.Intervals = true, time.Second
	ss, err := l.Open(context.Background(), scenario(t, "h1-static"))
	require.NoError(t, err)
	defer ss.Close()
	before, err := l.OwnCPU()
	require.NoError(t, err)

	o, err := ss.Observe(context.Background(), l.Targets[0], 1000, 30*time.Millisecond, 2*time.Second)
	require.NoError(t, err)
	require.NotNil(t, o.Full)
	require.NotNil(t, o.Fixed)
	assert.Positive(t, o.Full.Load.RPS)
	assert.Equal(t, 1000.0, o.Fixed.Rate)
	assert.InDelta(t, 2, o.Allocations, 1e-9)
	require.Len(t, o.Tail, 1, "the stand-in writes one interval of each kind; only response times are read")
	assert.Positive(t, o.Tail[0].Count())

	// A short window has no seconds; a target that was not asked has no allocations.
	l.Counters = false
	o, err = ss.Observe(context.Background(), l.Targets[0], 1000, 0, 20*time.Millisecond)
	require.NoError(t, err)
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
