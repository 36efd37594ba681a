package lab

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

func TestWindowsAreDividedIntoAnEvenNumberOfTurns(t *testing.T) {
	for d, want := range map[time.Duration]int{
		50 * time.Millisecond: 2, 500 * time.Millisecond: 2, 600 * time.Millisecond: 4, 700 * time.Millisecond: 4, 5 * time.Second: mostTurns,
	} {
		assert.Equal(t, want, turnsOf(d), "%v", d)
	}
}

func TestThereAndBack(t *testing.T) {
	var seen []int
	require.NoError(t, thereAndBack(3, 3, func(k, i int) error { seen = append(seen, 10*i+k); return nil }))
	assert.Equal(t, []int{0, 1, 2, 12, 11, 10, 20, 21, 22}, seen)
	assert.ErrorIs(t, thereAndBack(3, 3, func(k, i int) error { return context.Canceled }), context.Canceled)
}

// All targets of a round are there while one of them is loaded, and each has a process of its own in each round.
func TestTargetsOfARoundRunSideBySide(t *testing.T) {
	l, set := newLab(t, labtest.Programs(t))
	s := scenario(t, "h1-static")
	ss, err := l.Open(t.Context(), s)
	require.NoError(t, err)
	defer ss.Close()
	all, err := ss.sideBySide(t.Context(), l.Targets)
	require.NoError(t, err)
	assert.Len(t, set.PIDs(), len(l.Targets))
	require.NoError(t, endAll(all))
	assert.Empty(t, set.PIDs())

	out, err := l.Run(t.Context(), s)
	require.NoError(t, err)
	sc := out.Result.Scenario
	assert.Equal(t, turnsOf(l.Profile.Saturation), sc.SaturationTurns)
	assert.Equal(t, turnsOf(l.Profile.Rate), sc.RateTurns)
	loads := 0
	for _, sm := range out.Result.Samples {
		if loads += sc.SaturationTurns; sm.Phase == result.FixedRate {
			loads += sc.RateTurns - sc.SaturationTurns
		}
	}
	made, err := filepath.Glob(filepath.Join(l.Scratch, "*-load"))
	require.NoError(t, err)
	assert.Len(t, made, loads, "a load generator for each turn of each sample")
	assert.Empty(t, set.PIDs())
}

// generatedIn is a turn in an open loop of 0.1 s, in which the generator was late by 5 ms with some of the requests.
func generatedIn(t *testing.T, requests, late int64, server time.Duration) turn {
	t.Helper()
	response, lateness := hdr.New(), hdr.New()
	for i := range requests {
		response.Record(int64(time.Millisecond))
		by := int64(time.Microsecond)
		if i < late {
			by = int64(5 * time.Millisecond)
		}
		lateness.Record(by)
	}
	r := &runfmt.Record{
		Params:          runfmt.Params{Mode: runfmt.Open, OfferedRate: 10 * float64(requests), Connections: 1, Threads: 1, WarmupSeconds: 0.05},
		MeasuredSeconds: 0.1, Counts: runfmt.Counts{Requests: requests, Sent: requests, Completed: requests, InWindow: requests},
	}
	var err error
	r.Latency.Response, err = runfmt.NewSeries(response)
	require.NoError(t, err)
	r.Latency.Service = r.Latency.Response
	r.Cost.Lateness, err = runfmt.NewSeries(lateness)
	require.NoError(t, err)
	r.Validity = runfmt.Judge(r, time.Millisecond)
	return turn{rec: r, server: server, took: 200 * time.Millisecond, memory: proc.Memory{RSS: requests, PSS: requests, Alone: requests}}
}

// A sample is judged by all of its turns: the generator may have been late in one of them, if it was not with one request in a hundred of all.
func TestSamplesAreJudgedByAllTheirTurns(t *testing.T) {
	l := &Lab{Config: Config{Machine: testMachine}}
	s := scenario(t, "h1-static")
	bad := generatedIn(t, 1000, 20, 20*time.Millisecond)
	require.False(t, bad.rec.Validity.Valid)

	var sm result.Sample
	hs, err := l.account(&sm, s, []turn{generatedIn(t, 1000, 0, 10*time.Millisecond), bad, generatedIn(t, 1000, 0, 30*time.Millisecond), generatedIn(t, 3000, 0, 20*time.Millisecond)})
	require.NoError(t, err)
	assert.Empty(t, sm.Invalid)
	assert.EqualValues(t, 6000, sm.Load.Responses)
	assert.InDelta(t, 0.4, sm.Load.WindowSeconds, 1e-9)
	assert.InDelta(t, 15000, sm.Load.RPS, 1e-6)
	assert.InDelta(t, 80e3/6000, sm.Load.ServerCPUMicros, 1e-6)
	assert.EqualValues(t, 3000, sm.Load.Alone, "memory is that at the end")
	assert.EqualValues(t, 6000, hs.response.Count())

	sm = result.Sample{}
	_, err = l.account(&sm, s, []turn{generatedIn(t, 1000, 0, 10*time.Millisecond), generatedIn(t, 1000, 40, 20*time.Millisecond)})
	require.NoError(t, err)
	require.Len(t, sm.Invalid, 1)
	assert.Contains(t, sm.Invalid[0], "the generator itself was late")
}
