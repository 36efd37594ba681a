package hdr

import (
	"errors"
	"fmt"
	"sort"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// The geometry of every histogram. With three digits a bucket is at most 0.1 % wide; covering one hour from 1 ns
// costs about 270 KiB, of which a run touches a few pages.
const (
	Lowest  = int64(1)
	Highest = int64(time.Hour)
	Digits  = 3
)

// Histogram counts durations in nanoseconds. It is not safe for concurrent use: each thread records into its own, and
// whoever wants the sum merges them. The zero value is not usable; call New.
type Histogram struct {
	h *hdrhistogram.Histogram
	// clamped counts the recorded values outside [0, Highest], which were recorded at the nearer end.
	clamped int64
}

// New returns an empty histogram.
func New() *Histogram {
	return &Histogram{h: hdrhistogram.New(Lowest, Highest, Digits)}
}

// Record counts one value in nanoseconds. A value outside [0, Highest] is recorded at the nearer end and counted as
// clamped: a measurement is never dropped. It does not allocate.
func (h *Histogram) Record(ns int64) { h.RecordN(ns, 1) }

// RecordN counts one value n times. A negative n is ignored.
func (h *Histogram) RecordN(ns, n int64) {
	if n <= 0 {
		return
	}
	if ns < 0 {
		ns, h.clamped = 0, h.clamped+n
	} else if ns > Highest {
		ns, h.clamped = Highest, h.clamped+n
	}
	// The only error left is a total beyond 2^63.
	_ = h.h.RecordValues(ns, n)
}

// Merge adds all counts of from.
func (h *Histogram) Merge(from *Histogram) {
	h.h.Merge(from.h)
	h.clamped += from.clamped
}

// Reset empties the histogram and keeps its memory.
func (h *Histogram) Reset() {
	h.h.Reset()
	h.clamped = 0
}

// Clone returns an independent copy.
func (h *Histogram) Clone() *Histogram {
	c := New()
	c.Merge(h)
	return c
}

// Count is the number of recorded values.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Clamped is the number of values that lay outside the range.
func (h *Histogram) Clamped() int64 { return h.clamped }

// At returns the value in nanoseconds at a percentile in [0, 100]; 0 when nothing was recorded.
func (h *Histogram) At(percentile float64) int64 { return h.h.ValueAtPercentile(percentile) }

// CountAbove returns how many recorded values are greater than ns, to the width of one bucket.
func (h *Histogram) CountAbove(ns int64) int64 {
	var n int64
	for _, b := range h.h.Distribution() {
		if b.Count > 0 && b.From > ns {
			n += b.Count
		}
	}
	return n
}

// Each calls f for every bucket that holds something, in ascending order, with the value that At would return for it.
func (h *Histogram) Each(f func(ns, count int64)) {
	for _, b := range h.h.Distribution() {
		if b.Count > 0 {
			f(b.To, b.Count)
		}
	}
}

// Equal tells whether both histograms hold the same counts.
func (h *Histogram) Equal(o *Histogram) bool { return h.h.Equals(o.h) }

// Percentiles are the points of a Summary between its minimum and its maximum.
var Percentiles = []float64{50, 75, 90, 99, 99.9, 99.99}

// Summary is the digest of a histogram that people read; durations are nanoseconds. It is derived from the
// histogram alone, so that whoever holds both can check one against the other.
type Summary struct {
	Count int64   `json:"count"`
	Min   int64   `json:"min_ns"`
	Mean  float64 `json:"mean_ns"`
	Stdev float64 `json:"stdev_ns"`
	P50   int64   `json:"p50_ns"`
	P75   int64   `json:"p75_ns"`
	P90   int64   `json:"p90_ns"`
	P99   int64   `json:"p99_ns"`
	P999  int64   `json:"p99_9_ns"`
	P9999 int64   `json:"p99_99_ns"`
	Max   int64   `json:"max_ns"`
}

// Summary computes the digest.
func (h *Histogram) Summary() Summary {
	if h.Count() == 0 {
		return Summary{}
	}
	v := h.h.ValueAtPercentilesSlice(Percentiles)
	return Summary{
		Count: h.Count(), Min: h.h.Min(), Mean: h.h.Mean(), Stdev: h.h.StdDev(),
		P50: v[0], P75: v[1], P90: v[2], P99: v[3], P999: v[4], P9999: v[5], Max: h.h.Max(),
	}
}

// Encode returns the histogram in HdrHistogram's V2 format: deflated, base64, as the interval log carries it.
func (h *Histogram) Encode() (string, error) {
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return string(b), err
}

// ErrGeometry is returned for a histogram of another shape than ours.
var ErrGeometry = errors.New("histogram has another range or precision")

// Decode reads what Encode wrote. A histogram of another geometry is refused with ErrGeometry, because a summary of it
// would not be comparable.
func Decode(s string) (h *Histogram, err error) {
	// The payload comes from a file: whatever it holds, the answer is an error and not a crash.
	defer func() {
		if r := recover(); r != nil {
			h, err = nil, fmt.Errorf("histogram is corrupt: %v", r)
		}
	}()
	d, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("histogram is corrupt: %w", err)
	}
	return wrap(d)
}

func wrap(d *hdrhistogram.Histogram) (*Histogram, error) {
	if d.LowestTrackableValue() != Lowest || d.HighestTrackableValue() != Highest || d.SignificantFigures() != Digits {
		return nil, fmt.Errorf("%w: [%d, %d] with %d digits", ErrGeometry, d.LowestTrackableValue(), d.HighestTrackableValue(), d.SignificantFigures())
	}
	return &Histogram{h: d}, nil
}

// MergeAll returns the sum of histograms, for percentiles over several runs or threads.
func MergeAll(hs ...*Histogram) *Histogram {
	m := New()
	for _, h := range hs {
		m.Merge(h)
	}
	return m
}

// Point is one step of the percentile curve.
type Point struct {
	Percentile float64 // in [0, 100]
	Value      int64   // nanoseconds
	Count      int64   // values at or below
}

// Curve returns the percentile curve with the given number of steps per halving of the distance to 100 %, in rising
// order: what a plot of the tail needs.
func (h *Histogram) Curve(ticksPerHalf int) []Point {
	if h.Count() == 0 {
		return nil
	}
	bs := h.h.CumulativeDistributionWithTicks(int32(ticksPerHalf))
	ps := make([]Point, 0, len(bs))
	for _, b := range bs {
		ps = append(ps, Point{Percentile: b.Quantile, Value: b.ValueAt, Count: b.Count})
	}
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].Percentile < ps[j].Percentile })
	return ps
}
