package loop

import "unsafe"

// The slot table: one slot per socket or listener. Slots live in chunks, so that a pointer to a slot stays valid
// while the table grows. Free slots form a list, last in first out: warm memory is used again first.

const (
	chunkBits = 9
	chunkSize = 1 << chunkBits

	// An ID is the generation above the slot index. The generation has 24 bits, because the top byte of a
	// completion's cookie names the operation (internal/uring); it is never zero.
	idSlotBits = 32
	genMask    = 1<<24 - 1
)

// State of a slot.
const (
	sLive        uint32 = 1 << iota // in use
	sListener                       // a listening socket
	sClosing                        // Close was called; only OnClose may follow
	sMute                           // closed by the end of Run: not even OnClose follows
	sQueued                         // in the list of local events
	sConnecting                     // Dial in progress
	sConnectDone                    // local event: OnConnect(err)
	sRecvOn                         // multishot receive wanted
	sRecvStop                       // StopRecv called, OnRecvStopped owed
	sRecvOnce                       // RecvInto or RecvReady in progress
	sRecvEnded                      // OnRecvEnd delivered
	sSending                        // Send in progress
	sSendDone                       // local event: OnSend(sent, err)
	sPaused                         // listener: accepting is off
	sBroken                         // no descriptor, or one the engine could not use: err says why
	sReadable                       // epoll: the last edge has not been used up
	sPeerDone                       // epoll: the end of the stream is known to be waiting
	sRearm                          // uring: a receive or accept to be armed again at the end of the turn
	sFinal                          // the Send in progress is the last one: its end waits for the FIN
)

// slot is everything the loop knows of one socket: 176 bytes.
type slot struct {
	h     Handler
	acc   Acceptor
	send  []byte         // what is left of the Send in flight
	recv  []byte         // destination of the RecvInto in flight
	src   BufferSource   // of the RecvReady in flight
	sent  int            // bytes of the Send in flight that are gone
	err   error          // of a failed Dial, Attach or Send
	to    unsafe.Pointer // uring: *rawAddr of the Dial in progress
	state uint32
	gen   uint32
	fd    int32
	free  int32 // next free slot
	ops   uint8 // uring: operations the kernel still holds
	tries uint8 // uring: cancellations that found nothing
}

func (s *slot) is(f uint32) bool { return s.state&f != 0 }

type table struct {
	chunks []*[chunkSize]slot
	free   int32 // head of the free list, -1 when empty
	open   int64 // slots in use, listeners included
}

func (t *table) init() { t.free = -1 }

// take gives a cleared slot a new generation and returns it with its ID.
func (t *table) take() (*slot, ID) {
	if t.free < 0 {
		t.grow()
	}
	i := t.free
	s := &t.chunks[i>>chunkBits][i&(chunkSize-1)]
	t.free = s.free
	gen := (s.gen + 1) & genMask
	if gen == 0 {
		gen = 1
	}
	*s = slot{gen: gen, fd: -1, state: sLive}
	t.open++
	return s, ID(gen)<<idSlotBits | ID(i)
}

func (t *table) grow() {
	base := int32(len(t.chunks)) << chunkBits
	c := new([chunkSize]slot)
	t.chunks = append(t.chunks, c)
	for i := chunkSize - 1; i >= 0; i-- {
		c[i].free = t.free
		t.free = base + int32(i)
	}
}

// release makes the slot free; its ID is stale from here on.
func (t *table) release(s *slot, id ID) {
	*s = slot{gen: s.gen, fd: -1, free: t.free}
	t.free = int32(uint32(id))
	t.open--
}

// get returns the slot of a live ID, nil for a stale one.
func (t *table) get(id ID) *slot {
	i := uint32(id)
	if int(i>>chunkBits) >= len(t.chunks) {
		return nil
	}
	s := &t.chunks[i>>chunkBits][i&(chunkSize-1)]
	if s.gen != uint32(id>>idSlotBits) || s.state&sLive == 0 {
		return nil
	}
	return s
}

// each visits the slots in use.
func (t *table) each(f func(*slot, ID)) {
	for c, chunk := range t.chunks {
		for i := range chunk {
			if s := &chunk[i]; s.is(sLive) {
				f(s, ID(s.gen)<<idSlotBits|ID(c<<chunkBits|i))
			}
		}
	}
}
