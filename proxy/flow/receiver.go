package flow

import "github.com/blitz-gateway/blitz/internal/loop"

type recvMode uint8

const (
	recvOff      recvMode = iota
	recvMulti             // multishot into the loop's provided buffers
	recvStopping          // StopRecv was called, OnRecvStopped is due
	recvInto              // one receive is in flight, into buf, or into what Buffer gives once there is something to receive
)

// Receiver is the receive side of a socket: what is wanted and what is running. Small messages arrive by multishot receive. A
// large body goes over to receiving into a large buffer of the pool, whose ownership can pass to the peer's queue; that mode is
// also exact: nothing arrives that was not asked for.
type Receiver struct {
	is, want recvMode
	ended    bool
	buf      []byte
	limit    int
	pool     *Pool // where Buffer takes one from
}

// Start wants the multishot receive.
func (r *Receiver) Start(l loop.Loop, id loop.ID, p *Pool) {
	r.want = recvMulti
	r.apply(l, id, p)
}

// Large wants receives into large buffers, of at most limit bytes each (0: no limit).
func (r *Receiver) Large(l loop.Loop, id loop.ID, p *Pool, limit int64) {
	r.want = recvInto
	r.limit = 0
	if limit > 0 && limit < int64(p.LargeSize()) {
		r.limit = int(limit)
	}
	r.apply(l, id, p)
}

// Pause wants nothing. What is under way still arrives.
func (r *Receiver) Pause(l loop.Loop, id loop.ID, p *Pool) {
	r.want = recvOff
	r.apply(l, id, p)
}

// Running tells whether something is to arrive without a further call.
func (r *Receiver) Running() bool { return r.want != recvOff }

// IsLarge tells whether large buffers are wanted.
func (r *Receiver) IsLarge() bool { return r.want == recvInto }

func (r *Receiver) apply(l loop.Loop, id loop.ID, p *Pool) {
	if r.ended {
		return
	}
	switch r.is {
	case recvOff:
		switch r.want {
		case recvMulti:
			r.is = recvMulti
			l.StartRecv(id)
		case recvInto:
			r.pool = p
			if ready, ok := l.(loop.ReadyReceiver); ok {
				r.is = recvInto
				ready.RecvReady(id, r)
				return
			}
			buf := r.Buffer()
			if buf == nil { // out of budget: the loop's own buffers still work
				r.is = recvMulti
				l.StartRecv(id)
				return
			}
			r.is = recvInto
			l.RecvInto(id, buf)
		}
	case recvMulti:
		if r.want != recvMulti {
			r.is = recvStopping
			l.StopRecv(id)
		}
	}
}

// Buffer implements loop.BufferSource: a large buffer up to the limit, nil when the pool's budget is used up.
func (r *Receiver) Buffer() []byte {
	if r.buf == nil {
		r.buf = r.pool.LargeBuffer()
	}
	if r.buf != nil && r.limit > 0 {
		return r.buf[:r.limit:r.limit]
	}
	return r.buf
}

// Holds tells whether waiting for large buffers holds one: with a loop that cannot take it when there is something to receive.
func Holds(l loop.Loop) bool {
	_, ready := l.(loop.ReadyReceiver)
	return !ready
}

// Stopped is to be called from OnRecvStopped.
func (r *Receiver) Stopped(l loop.Loop, id loop.ID, p *Pool) {
	if r.is == recvInto && r.want == recvInto { // Buffer had none: the loop's own still work
		r.is = recvMulti
		l.StartRecv(id)
		return
	}
	r.is = recvOff
	r.apply(l, id, p)
}

// Take is to be called first in OnRecv. Non-nil: the bytes are the front of this large buffer, which the caller now owns and has to
// give to a queue or back to the pool; then it calls one of Start, Large, Pause to go on.
func (r *Receiver) Take() []byte {
	if r.is != recvInto {
		return nil
	}
	b := r.buf
	r.buf = nil
	r.is = recvOff
	return b
}

// End is to be called from OnRecvEnd and from OnClose: it gives a buffer that was waiting back.
func (r *Receiver) End(p *Pool) {
	r.ended = true
	if r.buf != nil {
		p.Put(r.buf)
		r.buf = nil
	}
	r.is, r.want = recvOff, recvOff
}

// Ended tells whether the peer's side is at its end.
func (r *Receiver) Ended() bool { return r.ended }
