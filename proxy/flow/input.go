package flow

// Input holds bytes that arrived and could not be parsed yet: the front of a head that is not complete, or requests that came ahead of
// their turn. It takes the smallest buffer of the pool that fits and only then, bounded by the caller's max and the pool's budget, ordinary
// memory: a paused multishot receive still delivers what the kernel had already taken in.
type Input struct {
	buf    []byte // buf[off:] is held
	off    int
	pooled bool
}

// Len is the number of bytes held.
func (in *Input) Len() int { return len(in.buf) - in.off }

// Bytes are the bytes held; valid until the next call of Add, Drop or Release.
func (in *Input) Bytes() []byte { return in.buf[in.off:] }

// Add appends p. False when that would be more than max bytes or the pool's budget is used up; nothing is added then.
func (in *Input) Add(pool *Pool, p []byte, max int) bool {
	need := in.Len() + len(p)
	if need > max {
		return false
	}
	if len(in.buf)+len(p) > cap(in.buf) {
		// Moving to the front is free of allocation. In a large buffer it waits until it moves less than was dropped, so that its cost stays
		// in proportion to the bytes that come.
		if need <= cap(in.buf) && (in.pooled || in.off >= in.Len()) {
			in.buf = in.buf[:copy(in.buf, in.buf[in.off:])]
			in.off = 0
		} else if !in.grow(pool, need) {
			return false
		}
	}
	in.buf = append(in.buf, p...)
	return true
}

// grow moves to a buffer for need bytes.
func (in *Input) grow(pool *Pool, need int) bool {
	var buf []byte
	pooled := true
	switch {
	case need <= pool.smallSize:
		buf = pool.SmallBuffer()
	case need <= pool.largeSize:
		buf = pool.LargeBuffer()
	default:
		buf, pooled = pool.heapBuffer(need+need/2), false
	}
	if buf == nil {
		return false
	}
	n := copy(buf, in.Bytes())
	in.Release(pool)
	in.buf, in.pooled = buf[:n], pooled
	return true
}

// Drop removes n bytes from the front, and gives the memory back when that was all.
func (in *Input) Drop(pool *Pool, n int) {
	if n >= in.Len() {
		in.Release(pool)
		return
	}
	in.off += n
}

// Release drops everything.
func (in *Input) Release(pool *Pool) {
	switch {
	case in.pooled:
		pool.Put(in.buf)
	case in.buf != nil:
		pool.heap -= int64(cap(in.buf))
	}
	*in = Input{}
}
