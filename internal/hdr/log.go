package hdr

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
)

// LogWriter writes the interval log format (.hlog, version 1.3) of the HdrHistogram libraries: comment lines with start
// and base time, a legend, then one line per interval and tag. Timestamps are seconds since the base time, maxima
// are milliseconds, as the existing viewers expect.
type LogWriter struct {
	w    *hdrhistogram.HistogramLogWriter
	base time.Time
}

// NewLogWriter writes the header. start is when the first interval begins; comments are written as they are, one line each.
func NewLogWriter(w io.Writer, start time.Time, comments ...string) (*LogWriter, error) {
	// The header carries whole seconds, so the base is the start of that second: intervals keep their exact times.
	base := start.Truncate(time.Second)
	lw := hdrhistogram.NewHistogramLogWriter(w)
	lw.SetBaseTime(base.UnixMilli())
	var errs []error
	for _, c := range comments {
		errs = append(errs, lw.OutputComment("["+strings.ReplaceAll(c, "\n", " ")+"]"))
	}
	errs = append(errs, lw.OutputLogFormatVersion(), lw.OutputBaseTime(base.UnixMilli()), lw.OutputStartTime(base.UnixMilli()), lw.OutputLegend())
	return &LogWriter{w: lw, base: base}, errors.Join(errs...)
}

// Interval writes one histogram, which covers [from, to), under a tag ("" for none; no commas, blanks or line breaks).
func (l *LogWriter) Interval(tag string, from, to time.Time, h *Histogram) error {
	h.h.SetTag(tag)
	h.h.SetStartTimeMs(from.UnixMilli())
	h.h.SetEndTimeMs(to.UnixMilli())
	return l.w.OutputIntervalHistogram(h.h)
}

// Interval is one line of an interval log.
type Interval struct {
	Tag      string
	From, To time.Time
	*Histogram
}

// ReadLog reads a whole interval log. It refuses histograms of another geometry and lines that are not whole.
func ReadLog(r io.Reader) (out []Interval, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("interval log is corrupt: %v", p)
		}
	}()
	lr := hdrhistogram.NewHistogramLogReader(r)
	for {
		d, err := lr.NextIntervalHistogram()
		if err != nil {
			return nil, fmt.Errorf("interval log, after %d intervals: %w", len(out), err)
		}
		if d == nil {
			return out, nil
		}
		h, err := wrap(d)
		if err != nil {
			return nil, fmt.Errorf("interval log, after %d intervals: %w", len(out), err)
		}
		out = append(out, Interval{Tag: d.Tag(), From: time.UnixMilli(d.StartTimeMs()), To: time.UnixMilli(d.EndTimeMs()), Histogram: h})
	}
}

// WritePercentiles writes the percentile table (.hgrm) that the HdrHistogram plotters read, values in milliseconds, five steps
// per halving of the distance to 100 %.
func (h *Histogram) WritePercentiles(w io.Writer) error {
	_, err := h.h.PercentilesPrint(w, 5, hdrhistogram.MsToNsRatio)
	return err
}
