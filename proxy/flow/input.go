package flow

// Input holds bytes that arrived and could not be parsed yet: the front of a head that is not complete, or requests that came ahead of
// their turn. It takes the smallest buffer of the pool that fits and only then, bounded by the caller's max, ordinary memory: a paused
// multishot receive still delivers what the kernel had already taken in.
type Input struct {
	buf    []byte
	pooled bool
}

// Len is the number of bytes held.
func (in *Input) Len() int { return len(in.buf) }

// Bytes are the bytes held; valid until the next call of Add, Drop or Release.
func (in *Input) Bytes() []byte { return in.buf }

// Add appends p. False when that would be more than max bytes or the pool's budget is used up; nothing is added then.
func (in *Input) Add(pool *Pool, p []byte, max int) bool {
	need := len(in.buf) + len(p)
	if need > max {
		return false
	}
	if need > cap(in.buf) {
		old, oldPooled := in.buf, in.pooled
		var buf []byte
		switch {
		case need <= pool.smallSize:
			buf, in.pooled = pool.SmallBuffer(), true
		case need <= pool.largeSize:
			buf, in.pooled = pool.LargeBuffer(), true
		default:
			buf, in.pooled = make([]byte, need+need/2), false
		}
		if buf == nil {
			in.pooled = oldPooled
			return false
		}
		in.buf = buf[:copy(buf, old)]
		if oldPooled {
			pool.Put(old)
		}
	}
	in.buf = append(in.buf, p...)
	return true
}

// Drop removes n bytes from the front, and gives the memory back when that was all.
func (in *Input) Drop(pool *Pool, n int) {
	if n >= len(in.buf) {
		in.Release(pool)
		return
	}
	in.buf = in.buf[:copy(in.buf, in.buf[n:])]
}

// Release drops everything.
func (in *Input) Release(pool *Pool) {
	if in.pooled {
		pool.Put(in.buf)
	}
	in.buf, in.pooled = nil, false
}
