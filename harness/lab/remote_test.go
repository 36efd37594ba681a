package lab

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/fleet"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

func generated(t *testing.T, host string, seconds float64, values ...int64) part {
	t.Helper()
	h := hdr.New()
	for _, v := range values {
		h.Record(v)
	}
	s, err := runfmt.NewSeries(h)
	require.NoError(t, err)
	n := int64(len(values))
	return part{&member{Host: machine.Host{Name: host}, Conn: &fleet.Conn{Clock: fleet.Offset{Ahead: time.Hour}}}, &runfmt.Record{
		MeasuredSeconds: seconds, Counts: runfmt.Counts{Requests: n, InWindow: n}, Latency: runfmt.Latency{Response: s, Service: s}, Validity: runfmt.Validity{Valid: true},
	}}
}

// The percentile of two generators is that of all their requests, not the mean of theirs: of 1,000 quick and 10 slow answers the 99th percentile is
// quick; the mean of both percentiles would be half of slow.
func TestHistogramsAreMergedNotAveraged(t *testing.T) {
	quick := make([]int64, 1000)
	for i := range quick {
		quick[i] = 1000
	}
	slow := []int64{9e6, 9e6, 9e6, 9e6, 9e6}
	rec, err := joinRecords([]part{generated(t, "a", 1, quick...), generated(t, "b", 1, slow...)})
	require.NoError(t, err)
	assert.EqualValues(t, 1005, rec.Counts.InWindow)
	assert.EqualValues(t, 1005, rec.Latency.Response.Count)
	assert.InDelta(t, 1000, rec.Latency.Response.P99, 2)
	assert.InDelta(t, 9e6, rec.Latency.Response.P999, 1e4)
	assert.True(t, rec.Validity.Valid)
}

func TestOneSpoiltGeneratorSpoilsTheSample(t *testing.T) {
	bad := generated(t, "b", 1, 5)
	bad.rec.Validity = runfmt.Validity{Reasons: []string{"it was late"}}
	rec, err := joinRecords([]part{generated(t, "a", 1, 5), bad})
	require.NoError(t, err)
	assert.False(t, rec.Validity.Valid)
	assert.Equal(t, []string{"generator 2 on b: it was late"}, rec.Validity.Reasons)

	_, err = joinRecords([]part{generated(t, "a", 1, 5), generated(t, "b", 0.5, 5)})
	assert.ErrorContains(t, err, "window")
}

func TestGeneratorsAreHeldToTheAgreedInstant(t *testing.T) {
	from := time.Unix(1000, 0)
	good, late := generated(t, "a", 1, 5), generated(t, "b", 1, 5)
	// The clocks of both hosts are an hour ahead.
	good.rec.Start, late.rec.Start = from.Add(time.Hour+time.Millisecond), from.Add(time.Hour+time.Second)
	var sm result.Sample
	(&Fleet{}).account(&sm, []part{good, late}, from)
	require.Len(t, sm.Generators, 2)
	assert.InDelta(t, 1000, sm.Generators[0].StartSkewMicros, 1)
	require.Len(t, sm.Invalid, 1)
	assert.Contains(t, sm.Invalid[0], "on b began 1s after")
}

func TestSharesAddUp(t *testing.T) {
	cpus := machine.CPUSet{0, 1, 2, 3, 4}
	var all machine.CPUSet
	n := 0
	for i := range 3 {
		all = append(all, slice(cpus, i, 3)...)
		n += share(64, i, 3)
	}
	assert.Equal(t, cpus, all)
	assert.Equal(t, 64, n)
	assert.Equal(t, machine.CPUSet{1}, slice(machine.CPUSet{0, 1}, 3, 4))
}

// driftingClock is the service of a host whose clock is as far ahead as a file says.
type driftingClock string

func (d driftingClock) Clock(_ struct{}, now *int64) error {
	b, err := os.ReadFile(string(d))
	if err != nil {
		return err
	}
	ahead, err := time.ParseDuration(string(b))
	*now = time.Now().Add(ahead).UnixNano()
	return err
}

// A clock that has moved since the run began is compared again for each sample: the agreed instant is the same moment on all hosts.
func TestClocksAreComparedForEachSample(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	clock := filepath.Join(t.TempDir(), "ahead")
	set := func(d time.Duration) { require.NoError(t, os.WriteFile(clock, []byte(d.String()), 0o644)) }
	set(time.Hour)
	c, err := fleet.Dial(fleet.Host{Name: "l", Agent: []string{"env", "LAB_TEST_CLOCK=" + clock, self}}, nil)
	require.NoError(t, err)
	f := &Fleet{all: []*member{{Host: machine.Host{Name: "l"}, Conn: c}}}
	defer func() { require.NoError(t, f.Close()) }()
	for _, ahead := range []time.Duration{time.Hour, time.Hour + 10*time.Second, -time.Minute} {
		set(ahead)
		at, err := f.agree(context.Background())
		require.NoError(t, err)
		assert.InDelta(t, ahead, c.Clock.There(at).Sub(at), float64(c.Clock.Bound)+1e6)
	}
}
