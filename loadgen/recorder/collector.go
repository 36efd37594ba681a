package recorder

import "sync"

// Collector merges the parts of all threads, interval by interval.
type Collector struct {
	threads []*Thread
	in      chan handover
	emit    func(k int, p *Part)
	total   *Part
	hold    bool
	done    chan struct{}
	started sync.Once
}

// handover is one finished part on its way to the collector.
type handover struct {
	t    *Thread
	part *Part
	last bool
}

// spares is how many parts a thread has besides the one it writes: the collector may lag this many intervals before a thread
// has to allocate.
const spares = 2

// queued is how many intervals of each thread may wait for the collector. Beyond that a thread would have to wait, too.
const queued = 64

// maxHeld bounds the parts that a thread gets in advance when they are held, at 800 KiB of address space each. It makes more itself if it has to.
const maxHeld = 256

// NewCollector makes a collector for so many threads. emit, when set, is called on the collector's goroutine with each
// merged interval in order, numbered from 0; it must not keep p.
//
// held, when not 0, is about how many intervals there will be: they are kept as they come, and merged and emitted when every thread has finished.
// Merging takes a millisecond; between short intervals it would make the generator late on the CPU that the two share.
func NewCollector(threads, held int, emit func(k int, p *Part)) *Collector {
	c := &Collector{in: make(chan handover, threads*queued), emit: emit, total: newPart(), hold: held > 0, done: make(chan struct{})}
	n := max(spares, min(held, maxHeld))
	for range threads {
		t := &Thread{c: c, Part: newPart(), free: make(chan *Part, n+1)}
		for range n {
			t.free <- newPart()
		}
		c.threads = append(c.threads, t)
	}
	return c
}

// Thread returns the writing end of thread i.
func (c *Collector) Thread(i int) *Thread { return c.threads[i] }

// Start begins collecting. The collector ends when every thread has called Finish.
func (c *Collector) Start() { c.started.Do(func() { go c.run() }) }

// Wait returns the sum of all intervals once every thread has finished.
func (c *Collector) Wait() *Part {
	<-c.done
	return c.total
}

// pending is an interval that some threads have not yet delivered.
type pending struct {
	part *Part
	have int
}

func (c *Collector) run() {
	defer close(c.done)
	var (
		open  []*pending // interval `first` and those after it
		spare []*pending
		first int
		next  = map[*Thread]int{} // the interval each thread delivers next
		live  = len(c.threads)
	)
	in := c.in
	if c.hold {
		in = c.held()
	}
	for live > 0 {
		h := <-in
		k := next[h.t]
		next[h.t]++
		for len(open) <= k-first {
			if n := len(spare); n > 0 {
				open, spare = append(open, spare[n-1]), spare[:n-1]
			} else {
				open = append(open, &pending{part: newPart()})
			}
		}
		open[k-first].part.Add(h.part)
		open[k-first].have++
		h.part.reset()
		select {
		case h.t.free <- h.part:
		default: // an extra one, which the thread had to make while we lagged
		}
		if h.last {
			live--
		}
		for len(open) > 0 && (open[0].have == len(c.threads) || live == 0) {
			c.total.Add(open[0].part)
			if c.emit != nil {
				c.emit(first, open[0].part)
			}
			open[0].part.reset()
			open[0].have = 0
			spare = append(spare, open[0])
			open, first = open[1:], first+1
		}
	}
}

// held returns everything that the threads hand over, once they have finished.
func (c *Collector) held() chan handover {
	var all []handover
	for live := len(c.threads); live > 0; {
		h := <-c.in
		all = append(all, h)
		if h.last {
			live--
		}
	}
	out := make(chan handover, len(all))
	for _, h := range all {
		out <- h
	}
	return out
}

// Thread is the writing end of one loop thread. The embedded Part is the one being written.
type Thread struct {
	*Part
	c    *Collector
	free chan *Part
}

// Rotate hands the current part over and continues with an empty one. now is the loop's time. It does not wait for the
// collector.
func (t *Thread) Rotate(now int64) {
	full := t.Part
	full.To = now
	select {
	case t.Part = <-t.free:
	default:
		t.Part = newPart()
	}
	t.Part.From = now
	t.c.in <- handover{t: t, part: full}
}

// Finish hands over the last part. The thread must not record afterwards.
func (t *Thread) Finish(now int64) {
	t.Part.To = now
	t.c.in <- handover{t: t, part: t.Part, last: true}
	t.Part = nil
}
