package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
)

func TestGeometryIsThatOfHdrHistogram(t *testing.T) {
	h := hdrhistogram.New(hdrLowest, hdrHighest, hdrDigits)
	require.Len(t, h.Export().Counts, numSteps)
	for _, ns := range []int64{0, 1, 511, 512, 1000, 131071, 131072, 1 << 20, 1<<20 + 1, 1<<35 - 1, 1 << 35, hdrHighest, hdrHighest + 1} {
		i := step(ns)
		require.GreaterOrEqual(t, stepTop(i), min(ns, hdrHighest))
		require.True(t, i == 0 || stepTop(i-1) < ns)
	}
}

func TestHistogramsAreReadByTheLibrary(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_250)
	r := NewRegistry("v", start)
	w := r.AddWorker("uring", func(f func()) bool { f(); return true }, nil)
	sc := w.Scope(NewNames([]string{"a, b", "never", "c"}, []string{"up"}))
	w.SetScope(sc)
	want := hdrhistogram.New(hdrLowest, hdrHighest, hdrDigits)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		ns := int64(rnd.ExpFloat64() * 1e6)
		sc.Routes[0].Count(200, ns, 0)
		require.NoError(t, want.RecordValue(ns))
	}
	sc.Routes[2].Count(502, 5e9, 0)
	sc.Clusters[0].Count(200, 1e6, 3)
	s := r.Collect(context.Background())
	log := AppendHistograms(nil, s, start.Add(10*time.Second))

	lr := hdrhistogram.NewHistogramLogReader(bytes.NewReader(log))
	got := map[string]*hdrhistogram.Histogram{}
	for {
		h, err := lr.NextIntervalHistogram()
		require.NoError(t, err)
		if h == nil {
			break
		}
		require.Equal(t, start.UnixMilli(), h.StartTimeMs())
		require.Equal(t, start.UnixMilli()+10_000, h.EndTimeMs())
		got[h.Tag()] = h
	}
	require.Len(t, got, 3)
	require.True(t, want.Equals(got["route:a__b"]))
	require.EqualValues(t, 1, got["route:c"].TotalCount())
	require.EqualValues(t, 1, got["cluster:up"].TotalCount())
	for _, p := range []float64{50, 90, 99, 99.9, 100} {
		require.InEpsilon(t, want.ValueAtQuantile(p), s.Routes()[1].At(p), 0.01, "p%v", p)
	}
	sum := want
	require.Zero(t, sum.Merge(got["route:c"]))
	require.EqualValues(t, 10_001, sum.TotalCount())
}

func TestNamesAreBounded(t *testing.T) {
	r := NewRegistry("v", time.Now())
	w := r.AddWorker("uring", func(f func()) bool { f(); return true }, nil)
	var names []string
	for i := range maxNames + 10 {
		names = append(names, fmt.Sprint("r", i))
	}
	sc := w.Scope(NewNames(names, nil))
	w.SetScope(sc)
	for i := range names {
		sc.Routes[i].Count(200, 1000, 0)
	}
	families := parse(t, AppendText(nil, r.Collect(context.Background())))
	require.Len(t, families["blitz_route_duration_seconds"].Metric, maxNames+1)
	require.InDelta(t, 10, value(t, families["blitz_series_other_total"], "route"), 0)
	require.InDelta(t, 10, value(t, families["blitz_route_requests_total"], "other", "2xx"), 0)

	// A reload keeps the counts of names that stay, and gives places to those that are new.
	names = append([]string{"r5", "new"}, names[:10]...)
	sc = w.Scope(NewNames(names, nil))
	w.SetScope(sc)
	sc.Routes[0].Count(200, 1000, 0)
	families = parse(t, AppendText(nil, r.Collect(context.Background())))
	require.InDelta(t, 2, value(t, families["blitz_route_requests_total"], "r5", "2xx"), 0)
	require.Len(t, families["blitz_route_duration_seconds"].Metric, 12)
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := newSeries("a")
	ns := int64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() { ns += 12345; s.Count(200, ns, 1) }))
}
