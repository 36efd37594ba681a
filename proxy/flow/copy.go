package flow

// CopyKept appends to dst everything that was ever put into q, sent or not; q must be keeping (Kept). False when the pool's budget is used
// up: dst then holds a part.
func (q *Queue) CopyKept(dst *Queue) bool {
	for s := q.head; s != nil; s = s.next {
		if !dst.Append(s.buf[:s.w]) {
			return false
		}
	}
	return true
}
