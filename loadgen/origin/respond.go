package origin

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
)

// chunkSize is the size of the chunks of /chunked.
const chunkSize = 8 << 10

// send hands bytes to the loop. They must not change until OnSend.
func (k *conn) send(b []byte) {
	k.sending = true
	k.link.Send(b)
}

// answerStandard sends the prepared answer: the whole hot path of the origin.
func (k *conn) answerStandard() {
	k.w.refresh()
	k.send(k.w.standard)
}

// answer answers a request that has been read to its end, now or after its delay.
func (k *conn) answer() {
	if k.plan.action == never {
		k.waiting = true
		return
	}
	if k.plan.delay > 0 {
		k.waiting = true
		k.w.loop.Arm(&k.timer, k.plan.delay)
		return
	}
	k.respond()
}

// respond builds the answer and starts to send it.
func (k *conn) respond() {
	if k.due = k.sending; k.due {
		return // 100 Continue is still on its way; OnSend comes back here
	}
	k.w.refresh()
	p := &k.plan
	status, size := p.status, p.size
	var small []byte // a body that we hold
	switch p.action {
	case echo, headers:
		if k.tooBig {
			status, k.kept, p.keepAlive = 413, nil, false
		}
		small, size = k.kept, int64(len(k.kept))
	case chunked:
		size = -1
	}
	k.out = k.w.appendHead(k.out[:0], status, size, p.keepAlive)
	k.closing = !p.keepAlive
	bodiless := p.noBody || status == 204 || status == 304
	switch {
	case bodiless:
	case small != nil:
		k.out = append(k.out, small...)
	case p.action == chunked:
		k.more, k.offset, k.chunks = p.size, 0, true
		if k.more == 0 {
			k.out = append(k.out, h1.LastChunk...)
		}
	case p.action == stall:
		half := min(size/2, int64(len(filler)))
		k.out = append(k.out, filler[:half]...)
		k.waiting = true
	case size <= inlineBody:
		k.out = append(k.out, filler[:size]...)
	default:
		k.more, k.offset, k.chunks = size, 0, false
	}
	k.send(k.out)
}

// refuse answers a request that is not well-formed, and ends the connection.
func (k *conn) refuse(err *wire.Error) {
	k.inBody = false
	if k.sending {
		// An interim answer is on its way; to close is answer enough.
		k.closing = true
		return
	}
	k.w.refresh()
	text := err.Error() + "\n"
	k.out = k.w.appendHead(k.out[:0], err.Status, int64(len(text)), false)
	k.out = append(k.out, text...)
	k.closing = true
	k.send(k.out)
}

// OnSend implements loop.Handler.
func (k *conn) OnSend(_ int, err error) {
	k.sending = false
	if err != nil {
		k.link.Close()
		return
	}
	if k.mux != nil {
		k.mux.sent()
		return
	}
	if k.more > 0 {
		k.sendMore()
		return
	}
	if k.due {
		k.respond()
		return
	}
	k.proceed()
}

// sendMore sends the next piece of a large body.
func (k *conn) sendMore() {
	if !k.chunks {
		at := k.offset % int64(len(filler))
		n := min(k.more, int64(len(filler))-at)
		k.more -= n
		k.offset += n
		k.send(filler[at : at+n])
		return
	}
	n := min(k.more, chunkSize)
	at := k.offset % int64(len(filler)) // chunkSize divides the filler's size
	k.out = h1.AppendChunkHeader(k.out[:0], int(n))
	k.out = append(k.out, filler[at:at+n]...)
	k.out = append(k.out, h1.CRLF...)
	k.more -= n
	k.offset += n
	if k.more == 0 {
		k.out = append(k.out, h1.LastChunk...)
	}
	k.send(k.out)
}

// proceed goes on when nothing of an answer is on its way any more.
func (k *conn) proceed() {
	switch {
	case k.sending || k.waiting || k.more > 0:
		return
	case k.closing:
		k.end()
		return
	}
	if cap(k.out) > keepBuffer {
		k.out = nil
	}
	if len(k.in) > 0 || k.stopped {
		k.drain()
	}
	if k.eof && !k.blocked() {
		k.link.Close()
	}
}

// end sends FIN and waits a moment for the client's: to close with unread bytes would reset the connection under the answer.
func (k *conn) end() {
	if k.eof {
		k.link.Close()
		return
	}
	k.shut = true
	k.link.Shutdown()
	if k.stopped {
		k.stopped = false
		k.link.StartRecv()
	}
	k.w.loop.Arm(&k.timer, linger)
}
