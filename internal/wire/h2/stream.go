package h2

// Stream is one exchange. It belongs to its connection and returns to its pool when Handler.Closed has been called for
// it, once in every case; after that no one may use it.
//
// Its states are those of RFC 9113 section 5.1: it is open when it appears, half-closed when one of localDone and
// remoteDone is set, and closed with both or by RST_STREAM, when it leaves the table. Identifiers that are not in the
// table are idle when they are above the last one used, closed otherwise. There are no reserved streams, since push is
// off.
type Stream struct {
	// User is the owner's. It is nil for a new stream.
	User any

	id uint32
	// sendLeft is what the peer lets us send (it can be negative, RFC 9113 section 6.9.2).
	sendLeft int64
	// recvLeft is what the peer may still send; recvMax the window that it gets again; owed what was consumed and not
	// yet given back; held what was delivered and not yet consumed; received all of it.
	recvLeft, recvMax, owed, held, received int64
	// expect is how much DATA the Content-Length still announces, -1 for any.
	expect int64

	localDone, remoteDone bool
	headIn                bool // the final head of the peer is here: what follows is DATA or trailers
	headOut               bool // ours is out
	noBody                bool // client: a response to HEAD
	connect               bool // client: a response to CONNECT
	closed                bool // out of the table

	prio       Priority
	queued     bool
	parked     bool // has data, waits for its window
	prev, next *Stream
}

// ID returns the stream identifier.
func (s *Stream) ID() uint32 { return s.id }

// RemoteDone tells whether the peer has ended its message.
func (s *Stream) RemoteDone() bool { return s.remoteDone }

// LocalDone tells whether our message has been ended.
func (s *Stream) LocalDone() bool { return s.localDone }

// HeadSent tells whether a final head has been written.
func (s *Stream) HeadSent() bool { return s.headOut }

// Window is how many bytes of DATA the stream's own window allows; it may be negative.
func (s *Stream) Window() int { return int(s.sendLeft) }

// Priority returns the urgency and the incremental flag last heard of.
func (s *Stream) Priority() Priority { return s.prio }

// streamTable finds open streams by identifier: open addressing, where the identifiers of one side, being consecutive
// odd numbers, rarely collide.
type streamTable struct {
	slots []*Stream
	count int
	free  *Stream
}

const minStreamSlots = 8

func (t *streamTable) get(id uint32) *Stream {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint32(len(t.slots) - 1)
	for i := id >> 1 & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == nil || s.id == id {
			return s
		}
	}
}

// add takes a stream from the pool and enters it.
func (t *streamTable) add(id uint32) *Stream {
	if 2*(t.count+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]*Stream, max(minStreamSlots, 2*len(old)))
		for _, s := range old {
			if s != nil {
				t.place(s)
			}
		}
	}
	s := t.free
	if s == nil {
		s = new(Stream)
	} else {
		t.free = s.next
		*s = Stream{}
	}
	s.id = id
	t.place(s)
	t.count++
	return s
}

func (t *streamTable) place(s *Stream) {
	mask := uint32(len(t.slots) - 1)
	i := s.id >> 1 & mask
	for t.slots[i] != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// remove takes a stream out and closes the gap that it leaves.
func (t *streamTable) remove(s *Stream) {
	mask := uint32(len(t.slots) - 1)
	i := s.id >> 1 & mask
	for t.slots[i] != s {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		n := t.slots[j]
		if n == nil {
			break
		}
		// n may move back to i unless its own place lies behind i.
		if (j-n.id>>1)&mask >= (j-i)&mask {
			t.slots[i] = n
			i = j
		}
	}
	t.slots[i] = nil
	t.count--
}

// release puts a stream that was taken out into the pool.
func (t *streamTable) release(s *Stream) {
	s.id, s.User = 0, nil
	s.next = t.free
	t.free = s
}
