package h2

import "math/bits"

// scheduler picks the stream that writes next (RFC 9218 section 10): the most urgent first; within an urgency those
// that are not incremental one after the other by identifier, those that are in turns, and the two kinds alternately, so
// that neither starves. Lists run through the streams themselves.
type scheduler struct {
	whole, parts [urgencies]streamList
	levels       uint8 // bit u: urgency u has a stream
	turn         uint8 // bit u: it is the turn of parts
}

type streamList struct{ head, tail *Stream }

// push enters a stream that has something to write.
func (q *scheduler) push(s *Stream) {
	if s.queued {
		return
	}
	s.queued = true
	u := s.prio.Urgency
	q.levels |= 1 << u
	if s.prio.Incremental {
		q.parts[u].insert(s, q.parts[u].tail)
		return
	}
	// In the order of identifiers. A stream that has just written and goes on belongs to the front, a new one to the
	// end; look from there.
	l := &q.whole[u]
	if l.head == nil || s.id < l.head.id {
		l.insert(s, nil)
		return
	}
	after := l.tail
	for after.id > s.id {
		after = after.prev
	}
	l.insert(s, after)
}

// pop takes out the stream whose turn it is, or returns nil.
func (q *scheduler) pop() *Stream {
	if q.levels == 0 {
		return nil
	}
	u := uint8(bits.TrailingZeros8(q.levels))
	l := &q.whole[u]
	if l.head == nil || q.turn&(1<<u) != 0 && q.parts[u].head != nil {
		l = &q.parts[u]
	}
	q.turn ^= 1 << u
	s := l.head
	q.remove(s)
	return s
}

// remove takes a stream out, if it is in.
func (q *scheduler) remove(s *Stream) {
	if !s.queued {
		return
	}
	s.queued = false
	u := s.prio.Urgency
	l := &q.whole[u]
	if s.prio.Incremental {
		l = &q.parts[u]
	}
	l.remove(s)
	if q.whole[u].head == nil && q.parts[u].head == nil {
		q.levels &^= 1 << u
	}
}

// reprioritize changes the priority of a stream, queued or not.
func (q *scheduler) reprioritize(s *Stream, p Priority) {
	queued := s.queued
	q.remove(s)
	s.prio = p
	if queued {
		q.push(s)
	}
}

// insert puts s behind after, or in front when after is nil.
func (l *streamList) insert(s, after *Stream) {
	s.prev = after
	if after == nil {
		s.next = l.head
		l.head = s
	} else {
		s.next = after.next
		after.next = s
	}
	if s.next == nil {
		l.tail = s
	} else {
		s.next.prev = s
	}
}

func (l *streamList) remove(s *Stream) {
	if s.prev == nil {
		l.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}
