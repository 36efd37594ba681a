package telemetry

import "sync/atomic"

// Writer is a worker's way into the access log. Its methods are called on the worker's thread only, and none of them blocks.
type Writer struct {
	log   *AccessLog
	stamp stamp
	// random is the state of a generator, never 0.
	random uint64
	cur    *buffer
	free   chan *buffer // written ones come back
	spare  []*buffer    // to be used, the last first
	post   func(func()) bool
	flush  func()
	// waiting: cur holds lines and the goroutine may ask for them.
	waiting atomic.Bool
}

// NewWriter makes the Writer of one worker. post runs a function on the worker's thread (loop.Loop.Post); a line that waits
// for company longer than 250 ms is fetched through it. Call it before the log is closed.
func (l *AccessLog) NewWriter(post func(func()) bool) *Writer {
	if l.made.Add(1) > maxWriters {
		panic("telemetry: more access log writers than workers can exist")
	}
	w := &Writer{log: l, random: 0x9e3779b97f4a7c15 + uint64(l.made.Load()), free: make(chan *buffer, buffersPerWriter), post: post}
	w.flush = w.Flush
	for range buffersPerWriter {
		w.spare = append(w.spare, &buffer{b: make([]byte, 0, bufferSize), home: w.free})
	}
	l.enter <- w
	return w
}

// Log writes one line, or drops and counts it when all buffers wait to be written.
func (w *Writer) Log(e *Entry) {
	b := w.cur
	if b == nil {
		if b = w.take(); b == nil {
			w.log.dropped.Add(1)
			return
		}
		w.cur = b
	}
	if len(w.log.fields) > 0 {
		b.b = w.stamp.appendFields(b.b, e, w.log.fields, w.log.text)
	} else if w.log.text {
		b.b = w.stamp.appendTextLine(b.b, e)
	} else {
		b.b = w.stamp.appendJSONLine(b.b, e)
	}
	b.lines++
	switch {
	case len(b.b) > bufferSize-maxLine:
		w.Flush()
	case b.lines == 1:
		w.waiting.Store(true)
		select {
		case w.log.wake <- struct{}{}:
		default:
		}
	}
}

// take returns an empty buffer, nil when all of them wait to be written. Of several it is the one that came back last: a file that keeps up needs two of them,
// and the memory of the others is never touched.
func (w *Writer) take() *buffer {
	for more := true; more; {
		select {
		case b := <-w.free:
			w.spare = append(w.spare, b)
		default:
			more = false
		}
	}
	n := len(w.spare)
	if n == 0 {
		return nil
	}
	b := w.spare[n-1]
	w.spare = w.spare[:n-1]
	return b
}

// Flush hands over what is in the buffer.
func (w *Writer) Flush() {
	w.waiting.Store(false)
	if w.cur == nil {
		return
	}
	// There is room for all buffers of all writers.
	w.log.full <- w.cur
	w.cur = nil
}

// Close hands over what is left. The Writer must not be used afterwards.
func (w *Writer) Close() { w.Flush() }
