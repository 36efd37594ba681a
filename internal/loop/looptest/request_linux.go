package looptest

import (
	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

// request is an operation in flight.
type request struct {
	sqe   uring.SQE
	f     *file
	live  bool
	done  int    // bytes of a send that are gone
	seen  uint64 // wake-ups that were reported
	races int    // cancellations that it has escaped
}

// issue starts an operation.
func (m *machine) issue(e *uring.SQE) {
	switch e.Opcode {
	case uring.OpcodeNop:
		m.post(uring.CQE{UserData: e.UserData})
		return
	case uring.OpcodeAsyncCancel:
		m.cancel(e)
		return
	case uring.OpcodeClose:
		m.close(e)
		return
	}
	f := m.k.files[int(e.Fd)]
	if f == nil {
		m.fail(e, unix.EBADF)
		return
	}
	switch e.Opcode {
	case uring.OpcodeRecv, uring.OpcodeSend:
		if f.end == nil {
			m.fail(e, unix.ENOTCONN)
			return
		}
	case uring.OpcodeAccept:
		if f.listener == nil {
			m.fail(e, unix.EINVAL)
			return
		}
	case uring.OpcodePollAdd:
		if f.event == nil && f.end == nil {
			m.fail(e, unix.EINVAL)
			return
		}
	case uring.OpcodeConnect:
	default:
		m.fail(e, unix.EOPNOTSUPP)
		return
	}
	f.refs++
	r := &request{sqe: *e, f: f, live: true}
	m.active = append(m.active, r)
	if e.Opcode != uring.OpcodeConnect && m.k.chance(m.k.faults.Spurious) {
		m.finishErr(r, unix.ECANCELED)
		return
	}
	m.progress(r) // the kernel tries at once, too
}

func (m *machine) fail(e *uring.SQE, errno unix.Errno) {
	m.post(uring.CQE{UserData: e.UserData, Res: -int32(errno)})
}

// finish posts the final completion of an operation and lets go of its file.
func (m *machine) finish(r *request, res int32, flags uint32) {
	if !r.live {
		return
	}
	r.live = false
	for i, o := range m.active {
		if o == r {
			m.active = append(m.active[:i:i], m.active[i+1:]...)
			break
		}
	}
	m.post(uring.CQE{UserData: r.sqe.UserData, Res: res, Flags: flags &^ uring.CQEMore})
	r.f.refs--
	m.k.drop(r.f)
}

func (m *machine) finishErr(r *request, errno unix.Errno) { m.finish(r, -int32(errno), 0) }

// more posts a completion of a multishot operation, which goes on unless a fault ends it.
func (m *machine) more(r *request, res int32, flags uint32) {
	if m.k.chance(m.k.faults.EndMultishot) {
		m.finish(r, res, flags)
		return
	}
	m.post(uring.CQE{UserData: r.sqe.UserData, Res: res, Flags: flags | uring.CQEMore})
}

// maxRaces is how often one operation escapes its cancellation: the real kernel lets go in the end, too.
const maxRaces = 8

// cancel looks an operation up by its cookie. A success is not reported (SQECQESkipSuccess).
func (m *machine) cancel(e *uring.SQE) {
	var r *request
	for _, o := range m.active {
		if o.sqe.UserData == e.Addr {
			r = o
		}
	}
	if r == nil {
		m.fail(e, unix.ENOENT)
		return
	}
	if r.races < maxRaces && m.k.chance(m.k.faults.CancelRace) {
		r.races++
		switch m.k.rnd.IntN(3) {
		case 0: // it is just being worked on: the caller has to ask again
			m.fail(e, unix.EALREADY)
			return
		case 1:
			m.fail(e, unix.ENOENT)
			return
		case 2: // it gets ahead of the cancellation
			if m.progress(r); !r.live {
				m.fail(e, unix.ENOENT)
				return
			}
		}
	}
	if r.sqe.Opcode == uring.OpcodeSend && r.done > 0 {
		m.finish(r, int32(r.done), 0)
		return
	}
	m.finishErr(r, unix.ECANCELED)
}

// close closes a descriptor. A ghost may follow: a completion for a socket that is gone.
func (m *machine) close(e *uring.SQE) {
	errno := m.k.closeFD(int(e.Fd))
	m.post(uring.CQE{UserData: e.UserData, Res: -int32(errno)})
	if m.k.chance(m.k.faults.Ghost) && len(m.held) == 0 && !m.inFlight(uring.Cookie(e.UserData)) {
		m.ghosts = append(m.ghosts, m.ghost(uring.Cookie(e.UserData).Name()))
	}
}

// inFlight tells whether an operation of the same socket has yet to end: a ghost must come after the last.
func (m *machine) inFlight(c uring.Cookie) bool {
	for _, r := range m.active {
		if uring.Cookie(r.sqe.UserData).Name() == c.Name() {
			return true
		}
	}
	return false
}

// ghost makes up a completion of a socket that is gone: bytes in a buffer, a finished send, or a second close.
func (m *machine) ghost(name uint64) uring.CQE {
	switch m.k.rnd.IntN(3) {
	case 0:
		for _, b := range m.bufs {
			if bid, _, ok := b.Take(); ok {
				return uring.CQE{UserData: uint64(uring.MakeCookie(uring.OpRecv, name)), Res: 1, Flags: uring.BufferFlags(bid)}
			}
		}
	case 1:
		return uring.CQE{UserData: uint64(uring.MakeCookie(uring.OpSend, name)), Res: 1}
	}
	return uring.CQE{UserData: uint64(uring.MakeCookie(uring.OpClose, name))}
}

// progress lets an operation go as far as it can.
func (m *machine) progress(r *request) {
	switch r.sqe.Opcode {
	case uring.OpcodeRecv:
		m.recv(r)
	case uring.OpcodeSend:
		m.send(r)
	case uring.OpcodeAccept:
		m.accept(r)
	case uring.OpcodeConnect:
		m.connect(r)
	case uring.OpcodePollAdd:
		if e := r.f.end; e != nil {
			if len(e.in) > 0 || e.fin || e.failure != 0 {
				m.finish(r, unix.POLLIN, 0)
			}
			return
		}
		if n := r.f.event.count; n != r.seen {
			r.seen = n
			m.more(r, unix.POLLIN, 0)
		}
	}
}

func (m *machine) recv(r *request) {
	e := r.f.end
	if len(e.in) > 0 && m.k.chance(m.k.faults.ResetRecv) {
		e.breakOff()
		m.finishErr(r, unix.ECONNRESET)
		return
	}
	if r.sqe.Flags&uring.SQEBufferSelect == 0 {
		p := r.sqe.Bytes()
		if len(e.in) > 0 && m.k.chance(m.k.faults.ShortRecv) {
			p = p[:m.k.part(len(p))]
		}
		if n, errno := e.read(p); errno == 0 {
			m.finish(r, int32(n), 0)
		} else if errno != unix.EAGAIN {
			m.finishErr(r, errno)
		}
		return
	}
	for r.live {
		if len(e.in) == 0 {
			if n, errno := e.read(nil); errno != unix.EAGAIN {
				m.finish(r, int32(n)-int32(errno), 0)
			}
			return
		}
		bid, p, ok := m.bufs[r.sqe.BufIndex].Take()
		if !ok {
			m.finishErr(r, unix.ENOBUFS)
			return
		}
		if m.k.chance(m.k.faults.ShortRecv) {
			p = p[:m.k.part(len(p))]
		}
		n, _ := e.read(p)
		m.more(r, int32(n), uring.BufferFlags(bid))
		if r.live && m.k.chance(m.k.faults.NoBuffers) {
			m.finishErr(r, unix.ENOBUFS)
		}
	}
}

func (m *machine) send(r *request) {
	e := r.f.end
	if m.k.chance(m.k.faults.ResetSend) {
		m.finishErr(r, e.breakSend())
		return
	}
	p := r.sqe.Bytes()[r.done:]
	short := m.k.chance(m.k.faults.ShortSend)
	if short {
		p = p[:m.k.part(len(p))]
	}
	n, errno := e.write(p)
	switch {
	case errno == unix.EAGAIN:
		return
	case errno != 0 && r.done > 0:
		m.finish(r, int32(r.done), 0)
		return
	case errno != 0:
		m.finishErr(r, errno)
		return
	}
	r.done += n
	if short || r.done == int(r.sqe.Len) {
		m.finish(r, int32(r.done), 0)
	}
}

func (m *machine) accept(r *request) {
	l := r.f.listener
	for r.live && len(l.backlog) > 0 {
		switch {
		case m.k.chance(m.k.faults.TooManyFiles):
			m.finishErr(r, unix.EMFILE)
			return
		case m.k.chance(m.k.faults.AbortAccept):
			l.backlog[0].release(true)
			l.backlog = l.backlog[1:]
			m.finishErr(r, unix.ECONNABORTED)
			return
		}
		e := l.backlog[0]
		l.backlog = l.backlog[1:]
		fd := m.k.newFile(&file{end: e})
		if r.sqe.Ioprio&uring.AcceptMultishot == 0 {
			m.finish(r, int32(fd), 0)
			return
		}
		m.more(r, int32(fd), 0)
	}
}

func (m *machine) connect(r *request) {
	if m.k.silent[r.f.to.String()] {
		return
	}
	if m.k.chance(m.k.faults.RefuseConnect) {
		m.finishErr(r, unix.ECONNREFUSED)
		return
	}
	e, errno := m.k.reach(r.f.to)
	if errno == 0 {
		r.f.end = e
	}
	m.finish(r, -int32(errno), 0)
}
