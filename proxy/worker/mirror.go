package worker

import (
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/flow"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// chunkFrame is what the header and end of a chunk take at most, chunkRoom what all of them may take in a body that is copied.
const (
	chunkFrame = 20
	chunkRoom  = 8 << 10
)

// mirror is the copy of a request on its way to another cluster: exchange.Downstream for it, which throws the response away. The exchange of the
// request itself ends without waiting for the mirror, and the mirror goes on without it.
//
// The mirror's upstream half holds the body until it is whole, so that no endpoint sees a part of a request that then turns out to be too large.
type mirror struct {
	w     *Worker
	x     exchange.Exchange
	timer loop.Timer
	tee   tee
	// over: the copy has ended. held: the tee is still in use, so this object must stay.
	over, held bool
	// Bytes of the body that were copied, and allowed; what they take in the queue of the upstream half, chunk headers included, and may take there.
	body, max, queued, room int

	client exchange.Client
	local  netip.AddrPort
	ip     [48]byte
	next   *mirror
}

// mirror starts the copy of a request. The result is nil when there is nothing more to copy: the request has no body, or is not copied. r and
// path are as the endpoint of the request itself will see them.
func (w *Worker) mirror(x *exchange.Exchange, r *wire.Request, path []byte, to *snapshot.Mirror) *tee {
	if r.Body == wire.BodyLength && r.Length > int64(to.MaxBody) || r.Form == wire.FormAuthority {
		w.count.MirrorSkipped++
		return nil
	}
	m := w.freeMirror
	if m == nil {
		m = &mirror{w: w}
		m.timer.Handler = m
		m.tee.m = m
	} else {
		w.freeMirror = m.next
		m.next = nil
	}
	m.over, m.held, m.body, m.max, m.queued = false, true, 0, to.MaxBody, 0
	from := x.Down.Client()
	m.client = *from
	m.client.IP = append(m.ip[:0], from.IP...)
	m.local = x.Down.LocalAddr()
	m.x = exchange.Exchange{Down: m, Method: x.Method, Minor: x.Minor, BodyKind: x.BodyKind, BodyLength: x.BodyLength, Host: x.Host, Start: x.Start}
	w.count.MirrorRequests++
	w.loop.Arm(&m.timer, to.Timeout)
	o := upstream.Options{FirstByteTimeout: to.Timeout, IdleTimeout: to.Timeout}
	if r.Body != wire.BodyNone {
		o.Buffer = min(to.MaxBody+chunkRoom, flow.High)
		m.room = o.Buffer
	}
	w.clients[to.Index].Start(&m.x, r, path, o)
	m.x.Host = nil
	if r.Body == wire.BodyNone || m.over {
		m.finish(nil)
		m.held = false
		m.free()
		return nil
	}
	return &m.tee
}

// finish tells the mirror's endpoint that the request is whole.
func (m *mirror) finish(trailers []wire.Field) {
	up := m.x.Up
	if m.over || up == nil {
		return
	}
	up.Finish(trailers)
	if m.x.Up == up {
		up.Flush()
	}
}

// end is called when the copy is over.
func (m *mirror) end() {
	m.w.loop.Disarm(&m.timer)
	m.over = true
	m.x.Up = nil
	m.free()
}

func (m *mirror) abort() {
	if m.over {
		return
	}
	if up := m.x.Up; up != nil {
		up.Abort()
	}
	m.end()
}

func (m *mirror) free() {
	if m.over && !m.held && m.x.Down != nil {
		m.x.Down = nil
		m.next, m.w.freeMirror = m.w.freeMirror, m
	}
}

// OnTimer implements loop.TimerHandler.
func (m *mirror) OnTimer(*loop.Timer) {
	m.w.count.MirrorFailures++
	m.abort()
}

// Informational implements exchange.Downstream.
func (m *mirror) Informational(*wire.Response) {}

// Head implements exchange.Downstream.
func (m *mirror) Head(r *wire.Response) { m.x.Status = r.Status }

// Body implements exchange.Downstream.
func (m *mirror) Body([]byte) bool { return true }

// BodyBuffer implements exchange.Downstream.
func (m *mirror) BodyBuffer(buf []byte, _ int) bool {
	m.w.pool.Put(buf)
	return true
}

// Reply implements exchange.Downstream. Upstreams never reply.
func (m *mirror) Reply(int, []byte, []byte) { m.end() }

// Continue implements exchange.Downstream: the request's own exchange asks for the body.
func (m *mirror) Continue() {}

// Client implements exchange.Downstream.
func (m *mirror) Client() *exchange.Client { return &m.client }

// LocalAddr implements exchange.Downstream.
func (m *mirror) LocalAddr() netip.AddrPort { return m.local }

// Finish implements exchange.Downstream.
func (m *mirror) Finish([]wire.Field) { m.end() }

// Fail implements exchange.Downstream.
func (m *mirror) Fail(*exchange.Failure) {
	m.w.count.MirrorFailures++
	m.end()
}

// Resume implements exchange.Downstream: what is copied is bounded and was taken at once.
func (m *mirror) Resume() {}

// Flush implements exchange.Downstream.
func (m *mirror) Flush() {}

// tee stands between a client's connection and the upstream half of its exchange, and copies the body that goes by for the mirror.
type tee struct {
	m    *mirror
	main exchange.Upstream
	done bool // nothing more is copied
}

// join puts t before the upstream half of an exchange that has been started.
func (t *tee) join(x *exchange.Exchange) {
	if x.Up == nil { // it failed already
		t.m.abort()
		t.m.held = false
		t.m.free()
		return
	}
	t.main, t.done, x.Up = x.Up, false, t
	t.m.w.aux(x).tee = t
}

// ended: the exchange is over. A copy that is not whole will never be.
func (t *tee) ended() {
	if !t.done {
		t.m.abort()
	}
	t.main = nil
	t.m.held = false
	t.m.free()
}

func (t *tee) copy(p []byte) {
	m := t.m
	if t.done || m.over || m.x.Up == nil {
		return
	}
	m.body += len(p)
	m.queued += len(p) + chunkFrame
	if m.body > m.max || m.queued > m.room {
		m.w.count.MirrorSkipped++
		t.done = true
		m.abort()
		return
	}
	m.x.Up.Body(p)
}

// Body implements exchange.Upstream.
func (t *tee) Body(p []byte) bool {
	t.copy(p)
	return t.main.Body(p)
}

// BodyBuffer implements exchange.Upstream.
func (t *tee) BodyBuffer(buf []byte, n int) bool {
	t.copy(buf[:n])
	return t.main.BodyBuffer(buf, n)
}

// Finish implements exchange.Upstream.
func (t *tee) Finish(trailers []wire.Field) {
	if !t.done {
		t.done = true
		t.m.finish(trailers)
	}
	t.main.Finish(trailers)
}

// Flush implements exchange.Upstream.
func (t *tee) Flush() { t.main.Flush() }

// Abort implements exchange.Upstream.
func (t *tee) Abort() { t.main.Abort() }

// Resume implements exchange.Upstream.
func (t *tee) Resume() { t.main.Resume() }
