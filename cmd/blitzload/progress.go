package main

import (
	"fmt"
	"os"
	"time"

	"github.com/blitz-gateway/blitz/loadgen/run"
)

// progress is one line on a terminal, rewritten every second. Anywhere else it is silent.
type progress struct {
	f     *os.File
	shown bool
}

func newProgress(f *os.File, quiet bool) *progress {
	info, err := f.Stat()
	if quiet || err != nil || info.Mode()&os.ModeCharDevice == 0 {
		f = nil
	}
	return &progress{f: f}
}

func (p *progress) show(s run.Progress) {
	if p.f == nil {
		return
	}
	p.shown = true
	fmt.Fprintf(p.f, "\r\x1b[K%3.0f s of %.0f s   %.0f/s   p50 %v   p99 %v   errors %d", s.Elapsed.Seconds(), s.Duration.Seconds(), s.Rate,
		s.P50.Round(time.Microsecond), s.P99.Round(time.Microsecond), s.Errors)
}

// clear removes the line before the table is printed.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.f, "\r\x1b[K")
	}
}
