package gate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/result"
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

// at is a target whose windows at saturation cost so many µs per request.
func at(micros ...float64) lab.Observation {
	var o lab.Observation
	for _, c := range micros {
		o.Full = append(o.Full, result.Sample{Load: &result.Load{ServerCPUMicros: c, RPS: 1e6 / c}})
	}
	return o
}

// A machine that changes its speed between rounds hides nothing, a hiccup in one window decides nothing.
func TestWindowsSideBySideAreLevelled(t *testing.T) {
	// 10 % dearer on a machine that is at times twice, at times half as fast; once something else fell into a window.
	cpu, rps, err := sideBySide([]lab.Observation{at(4, 8, 2, 4, 4), at(4.4, 8.8, 2.2, 40, 4.4), at(4, 8, 2, 4, 4)})
	require.NoError(t, err)
	require.InEpsilon(t, 1.10, cpu[1]/cpu[0], 1e-9)
	require.InEpsilon(t, 1/1.10, rps[1]/rps[0], 1e-9)
	require.InEpsilon(t, cpu[0], cpu[2], 1e-9)
	require.InDelta(t, 4, cpu[0], 1, "in the unit of the windows")

	// Rounds with a window that does not count are left out, while enough remain.
	late := at(4, 100, 4)
	late.Full[1].Invalid = []string{"the generator was late"}
	cpu, _, err = sideBySide([]lab.Observation{late, at(8, 8, 8)})
	require.NoError(t, err)
	require.InEpsilon(t, 2, cpu[1]/cpu[0], 1e-9)
	late.Full[0].Invalid = late.Full[1].Invalid
	_, _, err = sideBySide([]lab.Observation{late, at(8, 8, 8)})
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "2 of 3 rounds of windows at saturation, the last because the generator was late")
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
