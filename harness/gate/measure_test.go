package gate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

func of(n int64, ns ...int64) *hdr.Histogram {
	h := hdr.New()
	for _, v := range ns {
		h.RecordN(v, n)
	}
	return h
}

func TestTheTypicalP99IgnoresAHiccup(t *testing.T) {
	quiet, hiccup, cut := of(1000, 100_000), of(500, 100_000, 3_000_000), of(10, 9_000_000)
	require.InEpsilon(t, 100_000, typical([]*hdr.Histogram{quiet, hiccup, quiet, quiet, cut}, 99), 0.01)
	// What two of a hundred requests suffer in every interval is typical.
	stalled := quiet.Clone()
	stalled.RecordN(2_000_000, 20)
	require.InEpsilon(t, 2_000_000, typical([]*hdr.Histogram{stalled, hiccup, stalled}, 99), 0.01)
	require.InEpsilon(t, 9_000_000, typical([]*hdr.Histogram{cut}, 99), 0.01, "the only interval counts, however short")
}

func TestShortIntervalsBecomeSeconds(t *testing.T) {
	var hs []*hdr.Histogram
	for i := range 41 {
		hs = append(hs, of(1, int64(i+1)*1000))
	}
	// 41 intervals of 50 ms in a window of two seconds: the odd one joins the last second.
	got := seconds(hs, 50*time.Millisecond, 2*time.Second)
	require.Len(t, got, 2)
	require.EqualValues(t, 20, got[0].Count())
	require.EqualValues(t, 21, got[1].Count())
	require.EqualValues(t, 1, hs[0].Count(), "the intervals themselves are left alone")
	require.Len(t, seconds(hs[:8], 25*time.Millisecond, 200*time.Millisecond), 1)
	require.Len(t, seconds(hs[:1], 25*time.Millisecond, 200*time.Millisecond), 1)
}

func TestIntervalsHoldEnoughRequests(t *testing.T) {
	p := Profile{Rate: time.Second, Interval: 50 * time.Millisecond}
	require.Equal(t, 50*time.Millisecond, p.interval(90_000))
	require.Equal(t, 250*time.Millisecond, p.interval(2000))
}
