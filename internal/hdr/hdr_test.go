package hdr

import (
	"bytes"
	"strings"
	"testing"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
)

func within(t *testing.T, want, got int64) {
	t.Helper()
	require.InDelta(t, want, got, float64(want)/1000+1)
}

func TestSummaryOfKnownValues(t *testing.T) {
	h := New()
	for i := int64(1); i <= 10_000; i++ {
		h.Record(i * 1000)
	}
	s := h.Summary()
	require.EqualValues(t, 10_000, s.Count)
	within(t, 1000, s.Min)
	within(t, 5_000_000, s.P50)
	within(t, 7_500_000, s.P75)
	within(t, 9_000_000, s.P90)
	within(t, 9_900_000, s.P99)
	within(t, 9_990_000, s.P999)
	within(t, 9_999_000, s.P9999)
	within(t, 10_000_000, s.Max)
	require.InDelta(t, 5_000_500, s.Mean, 5000)
	require.Equal(t, Summary{}, New().Summary())
}

func TestValuesOutsideTheRangeAreKeptAtItsEnds(t *testing.T) {
	h := New()
	h.Record(-5)
	h.Record(Highest + 1)
	h.RecordN(7, -3)
	require.EqualValues(t, 2, h.Count())
	require.EqualValues(t, 2, h.Clamped())
	within(t, Highest, h.At(100))
	h.Reset()
	require.Zero(t, h.Count())
	require.Zero(t, h.Clamped())
}

// Two threads, one fast and one slow: the p99 of all requests is nowhere near the mean of both p99s.
func TestMergeAddsCountsAndDoesNotAverage(t *testing.T) {
	fast, slow := New(), New()
	fast.RecordN(int64(time.Millisecond), 9_990)
	slow.RecordN(int64(time.Second), 10)
	m := MergeAll(fast, slow)
	require.EqualValues(t, 10_000, m.Count())
	within(t, int64(time.Millisecond), m.At(99))
	within(t, int64(time.Second), m.At(99.99))
	require.EqualValues(t, 10, m.CountAbove(int64(100*time.Millisecond)))
	require.True(t, m.Equal(m.Clone()))
	require.False(t, m.Equal(fast))
}

func TestEncodeDecode(t *testing.T) {
	h := New()
	for i := int64(0); i < 1000; i++ {
		h.Record(i * i)
	}
	s, err := h.Encode()
	require.NoError(t, err)
	d, err := Decode(s)
	require.NoError(t, err)
	require.True(t, h.Equal(d))
	require.Equal(t, h.Summary(), d.Summary())

	// Cut anywhere, it is refused and never decoded into something smaller.
	for n := range len(s) {
		_, err := Decode(s[:n])
		require.Error(t, err, "cut at %d", n)
	}

	other, err := hdrhistogram.New(1, 1000, 2).Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	require.NoError(t, err)
	_, err = Decode(string(other))
	require.ErrorIs(t, err, ErrGeometry)
}

func TestIntervalLogIsReadBackByBothReaders(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_250)
	var buf bytes.Buffer
	w, err := NewLogWriter(&buf, start, "written by a test")
	require.NoError(t, err)
	var want []*Histogram
	for i := range 3 {
		h := New()
		h.RecordN(int64(i+1)*int64(time.Millisecond), int64(10*(i+1)))
		want = append(want, h)
		from := start.Add(time.Duration(i) * time.Second)
		require.NoError(t, w.Interval("response", from, from.Add(time.Second), h))
	}
	require.Contains(t, buf.String(), "#[Histogram log format version 1.3]\n")
	require.Contains(t, buf.String(), "#[StartTime: 1700000000 ")
	require.Contains(t, buf.String(), "\nTag=response,0.250000,1.000000,1.000")

	got, err := ReadLog(bytes.NewReader(buf.Bytes()))
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i, iv := range got {
		require.Equal(t, "response", iv.Tag)
		require.True(t, want[i].Equal(iv.Histogram))
		require.WithinDuration(t, start.Add(time.Duration(i)*time.Second), iv.From, time.Millisecond)
		require.WithinDuration(t, iv.From.Add(time.Second), iv.To, time.Millisecond)
	}

	lr := hdrhistogram.NewHistogramLogReader(bytes.NewReader(buf.Bytes()))
	var total int64
	for {
		h, err := lr.NextIntervalHistogram()
		require.NoError(t, err)
		if h == nil {
			break
		}
		total += h.TotalCount()
	}
	require.EqualValues(t, 60, total)

	// A log whose last line was cut inside the histogram is refused.
	_, err = ReadLog(strings.NewReader(buf.String()[:buf.Len()-20]))
	require.Error(t, err)
}

func TestEachVisitsEveryBucketOnce(t *testing.T) {
	h := New()
	for v := int64(1); v <= 1_000_000; v += 997 {
		h.RecordN(v, 2)
	}
	var n, last int64
	h.Each(func(ns, count int64) {
		if ns <= last {
			t.Errorf("%d comes after %d", ns, last)
		}
		n, last = n+count, ns
	})
	if n != h.Count() || last != h.At(100) {
		t.Errorf("%d of %d values, the last %d and not %d", n, h.Count(), last, h.At(100))
	}
}

func TestPercentileTable(t *testing.T) {
	h := New()
	for i := int64(1); i <= 1000; i++ {
		h.Record(i * int64(time.Millisecond))
	}
	var buf bytes.Buffer
	require.NoError(t, h.WritePercentiles(&buf))
	require.Contains(t, buf.String(), "Value\tPercentile\tTotalCount\t1/(1-Percentile)")
	require.Contains(t, buf.String(), "Total count    =         1000]")
	require.Contains(t, buf.String(), "inf\n")

	c := h.Curve(5)
	require.NotEmpty(t, c)
	require.EqualValues(t, 1000, c[len(c)-1].Count)
	for i := 1; i < len(c); i++ {
		require.GreaterOrEqual(t, c[i].Value, c[i-1].Value)
	}
	require.Empty(t, New().Curve(5))
}

func TestRecordDoesNotAllocate(t *testing.T) {
	h := New()
	v := int64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() { v += 12_345; h.Record(v % Highest) }))
}
