package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	// bufferSize is how much a worker collects before it hands over, which wakes another thread and costs as much as rendering a hundred lines; more at once
	// would keep that thread, which may be on the worker's CPU, busy for longer. buffersPerWriter is how many such buffers it has. When all of them wait for
	// a slow disk, lines are dropped.
	bufferSize       = 128 << 10
	buffersPerWriter = 4
	// maxWriters bounds the hand-over, so that sending to it never blocks.
	maxWriters = 1024
	// flushAfter is the longest time a line waits in a buffer.
	flushAfter = 250 * time.Millisecond
)

// ErrLogClosed is returned by Reopen after Close.
var ErrLogClosed = errors.New("access log is closed")

// AccessLog is one log file and the goroutine that writes it. Workers log through their own Writer.
type AccessLog struct {
	path   string
	text   bool
	fields []field // chosen ones; none: all
	chance uint64  // see Writer.Wants
	slow   int64   // ns
	out    io.Writer
	file   *os.File // nil for stdout, stderr and tests
	torn   bool     // the last write ended inside a line

	full   chan *buffer
	wake   chan struct{}
	enter  chan *Writer
	reopen chan chan error
	stop   chan struct{}
	done   chan struct{}

	writers []*Writer // of the goroutine

	made                   atomic.Int32
	lines, dropped, failed atomic.Uint64
}

// LogStats are the counters of an access log.
type LogStats struct {
	// Lines written, lines dropped because the log could not keep up, and writes that failed (their lines are lost).
	Lines, Dropped, WriteErrors uint64
}

type buffer struct {
	b     []byte
	lines uint64
	home  chan *buffer
}

// OpenAccessLog opens a log of all requests with all fields.
func OpenAccessLog(path, format string) (*AccessLog, error) {
	return OpenLog(LogOptions{Path: path, Format: format, Sample: 1})
}

func newAccessLog(path, format string) (*AccessLog, error) {
	if format != "json" && format != "text" {
		return nil, fmt.Errorf("access log: unknown format %q, expected json or text", format)
	}
	return &AccessLog{
		path:   path,
		chance: chance(1),
		text:   format == "text",
		full:   make(chan *buffer, maxWriters*buffersPerWriter),
		wake:   make(chan struct{}, 1),
		enter:  make(chan *Writer),
		reopen: make(chan chan error),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}, nil
}

func open(path string) (*os.File, io.Writer, error) {
	switch path {
	case "stdout":
		return nil, os.Stdout, nil
	case "stderr":
		return nil, os.Stderr, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("access log: %w", err)
	}
	return f, f, nil
}

// Reopen opens the path again, after a log rotator has renamed the file. Lines handed over before go to the old file. If opening
// fails, the old file stays in use. For stdout and stderr it does nothing.
func (l *AccessLog) Reopen(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case l.reopen <- answer:
		return <-answer
	case <-l.done:
		return ErrLogClosed
	case <-ctx.Done():
		return fmt.Errorf("access log: reopen: %w", ctx.Err())
	}
}

// Close writes what is left and closes the file. Every Writer must have been closed, or its worker have ended. When the log cannot be
// written before ctx ends, the rest is lost, and the error says so. Close is called once.
func (l *AccessLog) Close(ctx context.Context) error {
	close(l.stop)
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("access log: lines not written: %w", ctx.Err())
	}
}

// Stats returns the counters.
func (l *AccessLog) Stats() LogStats {
	return LogStats{Lines: l.lines.Load(), Dropped: l.dropped.Load(), WriteErrors: l.failed.Load()}
}

// run is the goroutine: the only place that writes.
func (l *AccessLog) run() {
	defer close(l.done)
	timer := time.NewTimer(flushAfter)
	timer.Stop()
	armed := false
	for {
		select {
		case b := <-l.full:
			l.write(b)
		case <-l.wake:
			if !armed {
				armed = true
				timer.Reset(flushAfter)
			}
		case <-timer.C:
			armed = false
			for _, w := range l.writers {
				if w.waiting.Load() {
					w.post(w.flush)
				}
			}
		case w := <-l.enter:
			l.writers = append(l.writers, w)
		case answer := <-l.reopen:
			l.drain()
			answer <- l.swap()
		case <-l.stop:
			l.drain()
			for _, w := range l.writers {
				if w.cur != nil {
					l.write(w.cur)
					w.cur = nil
				}
			}
			if l.file != nil {
				if err := l.file.Close(); err != nil {
					l.failed.Add(1)
				}
			}
			return
		}
	}
}

func (l *AccessLog) drain() {
	for {
		select {
		case b := <-l.full:
			l.write(b)
		default:
			return
		}
	}
}

func (l *AccessLog) swap() error {
	if l.file == nil {
		return nil
	}
	f, out, err := open(l.path)
	if err != nil {
		return err
	}
	if err := l.file.Close(); err != nil {
		l.failed.Add(1)
	}
	l.file, l.out, l.torn = f, out, false
	return nil
}

// write writes one buffer and gives it back to its worker.
func (l *AccessLog) write(b *buffer) {
	if len(b.b) > 0 {
		if l.torn {
			// A full disk cut a line; end it, so that only that one is lost.
			if n, _ := io.WriteString(l.out, "\n"); n == 1 {
				l.torn = false
			}
		}
		n, err := l.out.Write(b.b)
		if err != nil {
			l.failed.Add(1)
			if n > 0 {
				l.torn = b.b[n-1] != '\n'
			}
		} else {
			l.lines.Add(b.lines)
		}
	}
	b.b, b.lines = b.b[:0], 0
	b.home <- b
}
