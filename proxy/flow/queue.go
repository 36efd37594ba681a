package flow

import "github.com/blitz-gateway/blitz/internal/loop"

// High and Low are the marks of back-pressure in bytes: a source is paused when a queue holds more than High and resumed when
// it holds at most Low.
const (
	High = 256 << 10
	Low  = 64 << 10
)

// Pool is where a worker's queues get their memory: two size classes and free segments.
type Pool struct {
	// small serves heads and small bodies, large moves bodies and takes heads that do not fit small.
	small, large *loop.Slab
	// sealed takes what a large buffer holds once it is encrypted: made when it is first needed.
	sealed               *loop.Slab
	smallSize, largeSize int
	budget               int64
	heap                 int64 // bytes of ordinary memory, which count like the others
	free                 *seg
}

// NewPool makes a pool over two slabs of the given buffer sizes, which together hand out at most budget bytes.
func NewPool(smallSize, largeSize, budget int) *Pool {
	p := &Pool{small: loop.NewSlab(smallSize, budget), large: loop.NewSlab(largeSize, budget), budget: int64(budget)}
	p.smallSize, p.largeSize = p.small.Size(), p.large.Size()
	return p
}

// SmallBuffer returns a small buffer, LargeBuffer a large one; nil when the budget is used up.
func (p *Pool) SmallBuffer() []byte { return p.get(p.small, p.smallSize) }

// LargeBuffer returns a large buffer, nil when the budget is used up.
func (p *Pool) LargeBuffer() []byte { return p.get(p.large, p.largeSize) }

func (p *Pool) get(s *loop.Slab, size int) []byte {
	if p.InUse()+int64(size) > p.budget {
		return nil
	}
	return s.Get()
}

// Pressed tells that most of the budget is used: new work should be refused, so that what is under way can end. An eighth is
// left for that.
func (p *Pool) Pressed() bool { return p.InUse() > p.budget-p.budget/8 }

// Trim gives memory that was not needed since the last call back to the system, and returns the number of bytes.
func (p *Pool) Trim() int64 {
	n := p.small.Trim() + p.large.Trim()
	if p.sealed != nil {
		n += p.sealed.Trim()
	}
	return n
}

// SmallSize is the size of a small buffer.
func (p *Pool) SmallSize() int { return p.smallSize }

// SealSize is the size of a buffer of SealBuffer: a large buffer and a sixteenth, in which the content of a large one has room when it is
// cut into records of a kilobyte.
func (p *Pool) SealSize() int { return p.largeSize + p.largeSize/16 }

// SealBuffer returns a buffer for the encrypted content of a large one, nil when the budget is used up.
func (p *Pool) SealBuffer() []byte {
	if p.sealed == nil {
		p.sealed = loop.NewSlab(p.SealSize(), int(p.budget))
	}
	return p.get(p.sealed, p.sealed.Size())
}

// LargeSize is the size of a large buffer: the most that one Reserve can ask for.
func (p *Pool) LargeSize() int { return p.largeSize }

// Put returns a buffer to the slab it came from.
func (p *Pool) Put(buf []byte) {
	switch size := cap(buf); {
	case size == p.largeSize:
		p.large.Put(buf[:size])
	case size == p.smallSize:
		p.small.Put(buf[:size])
	default:
		p.sealed.Put(buf[:size])
	}
}

// InUse is the number of bytes handed out.
func (p *Pool) InUse() int64 {
	n := p.small.InUse() + p.large.InUse() + p.heap
	if p.sealed != nil {
		n += p.sealed.InUse()
	}
	return n
}

// heapBuffer makes a buffer of a size that neither slab has. Whoever drops it takes its capacity off p.heap.
func (p *Pool) heapBuffer(size int) []byte {
	if p.InUse()+int64(size) > p.budget {
		return nil
	}
	b := make([]byte, size)
	p.heap += int64(cap(b))
	return b
}

type seg struct {
	buf  []byte // whole slab buffer
	r, w int    // buf[r:w] is to be sent
	next *seg
}

func (p *Pool) seg(buf []byte) *seg {
	s := p.free
	if s == nil {
		s = new(seg)
	} else {
		p.free = s.next
	}
	s.buf, s.r, s.w, s.next = buf, 0, 0, nil
	return s
}

func (p *Pool) release(s *seg) {
	p.Put(s.buf)
	s.buf, s.next = nil, p.free
	p.free = s
}

// Queue is a queue of bytes. The zero value with Pool set is empty.
type Queue struct {
	Pool *Pool
	head *seg
	tail *seg
	size int
	// keep retains what was sent, so that Rewind can send it again.
	keep bool
	// at is the segment the next Send takes: head, but for retained ones.
	at *seg
}

// Len is the number of bytes not yet sent.
func (q *Queue) Len() int { return q.size }

// Full tells whether the source should pause.
func (q *Queue) Full() bool { return q.size > High }

// Drained tells whether a paused source may go on.
func (q *Queue) Drained() bool { return q.size <= Low }

// Reserve returns an empty slice with room for n bytes at the end of the queue, to be filled with append and given to Commit. Nil when
// the pool's budget is used up or n is more than a large buffer holds.
func (q *Queue) Reserve(n int) []byte {
	if t := q.tail; t != nil && len(t.buf)-t.w >= n {
		return t.buf[t.w:t.w]
	}
	var buf []byte
	switch {
	case n <= q.Pool.smallSize:
		buf = q.Pool.SmallBuffer()
	case n <= q.Pool.largeSize:
		buf = q.Pool.LargeBuffer()
	}
	if buf == nil {
		return nil
	}
	q.push(q.Pool.seg(buf))
	return buf[:0]
}

// Commit adds what was appended to the slice that Reserve returned.
func (q *Queue) Commit(b []byte) {
	q.tail.w += len(b)
	q.size += len(b)
}

func (q *Queue) push(s *seg) {
	if q.tail == nil {
		q.head = s
	} else {
		q.tail.next = s
	}
	q.tail = s
	if q.at == nil {
		q.at = s
	}
}

// Append copies p to the end of the queue. False when the pool's budget is used up: the queue then holds a part of p and the
// connection must be broken.
func (q *Queue) Append(p []byte) bool {
	if t := q.tail; t != nil {
		n := copy(t.buf[t.w:], p)
		t.w += n
		q.size += n
		p = p[n:]
	}
	for len(p) > 0 {
		var buf []byte
		if len(p) > q.Pool.smallSize || q.tail != nil { // more than one small buffer: fewer, larger sends
			buf = q.Pool.LargeBuffer()
		} else {
			buf = q.Pool.SmallBuffer()
		}
		if buf == nil {
			return false
		}
		s := q.Pool.seg(buf)
		s.w = copy(buf, p)
		q.size += s.w
		p = p[s.w:]
		q.push(s)
	}
	return true
}

// Push adds buf[:n] without copying. The queue owns buf from here on.
func (q *Queue) Push(buf []byte, n int) {
	if n == 0 { // an empty segment would never be sent, and so never given back
		q.Pool.Put(buf)
		return
	}
	s := q.Pool.seg(buf[:cap(buf)])
	s.w = n
	q.size += n
	q.push(s)
}

// Next returns the bytes to send next, nil when there are none. Append may go on behind them while they are in flight.
func (q *Queue) Next() []byte {
	for q.at != nil && q.at.r == q.at.w {
		if q.at.next == nil {
			return nil
		}
		q.at = q.at.next
	}
	if q.at == nil {
		return nil
	}
	return q.at.buf[q.at.r:q.at.w]
}

// Sent takes n bytes off the front, which Next returned. Memory goes back unless the queue keeps it for a retry.
func (q *Queue) Sent(n int) {
	s := q.at
	s.r += n
	q.size -= n
	if s.r < s.w || q.keep {
		return
	}
	q.head = s.next
	q.at = q.head
	if q.head == nil {
		q.tail = nil
	}
	q.Pool.release(s)
}

// Keep makes the queue retain what it sends from here on. Unkeep gives the retained memory back.
func (q *Queue) Keep() { q.keep = true }

// Unkeep ends Keep.
func (q *Queue) Unkeep() {
	if !q.keep {
		return
	}
	q.keep = false
	for q.head != nil && q.head.r == q.head.w {
		s := q.head
		q.head = s.next
		q.Pool.release(s)
	}
	q.at = q.head
	if q.head == nil {
		q.tail = nil
	}
}

// Kept tells whether all that was ever put in is still there.
func (q *Queue) Kept() bool { return q.keep }

// Rewind makes a keeping queue send everything again.
func (q *Queue) Rewind() {
	q.size = 0
	for s := q.head; s != nil; s = s.next {
		s.r = 0
		q.size += s.w
	}
	q.at = q.head
}

// Clear drops everything. Only while no Send from this queue is in flight.
func (q *Queue) Clear() {
	for q.head != nil {
		s := q.head
		q.head = s.next
		q.Pool.release(s)
	}
	q.tail, q.at, q.size, q.keep = nil, nil, 0, false
}
