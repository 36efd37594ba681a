package flow

import "github.com/blitz-gateway/blitz/internal/loop"

type recvMode uint8

const (
	recvOff      recvMode = iota
	recvMulti             // multishot into the loop's provided buffers
	recvStopping          // StopRecv was called, OnRecvStopped is due
	recvInto              // one receive into buf is in flight
)

// Receiver is the receive side of a socket: what is wanted and what is running. Small messages arrive by multishot receive. A
// large body goes over to receiving into a large buffer of the pool, whose ownership can pass to the peer's queue; that mode is
// also exact: nothing arrives that was not asked for.
type Receiver struct {
	is, want recvMode
	ended    bool
	buf      []byte
	limit    int
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
			buf := p.LargeBuffer()
			if buf == nil { // out of budget: the loop's own buffers still work
				r.is = recvMulti
				l.StartRecv(id)
				return
			}
			r.is, r.buf = recvInto, buf
			if r.limit > 0 {
				buf = buf[:r.limit]
			}
			l.RecvInto(id, buf)
		}
	case recvMulti:
		if r.want != recvMulti {
			r.is = recvStopping
			l.StopRecv(id)
		}
	}
}

// Stopped is to be called from OnRecvStopped.
func (r *Receiver) Stopped(l loop.Loop, id loop.ID, p *Pool) {
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
