package downstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/respond"
)

// Informational implements exchange.Downstream.
func (st *h2Stream) Informational(r *wire.Response) {
	if st.s == nil || st.headSent {
		return
	}
	if r.Status == 100 {
		if !st.Expect100 {
			return
		}
		st.Expect100 = false
	}
	if st.h.reserve(respond.HeadSize(r)) {
		st.h.codec.WriteResponse(st.s, r.Status, r.Fields, false)
		st.h.touch()
	}
}

// Continue implements exchange.Downstream: it asks the client for the body it holds back.
func (st *h2Stream) Continue() {
	if st.Expect100 && !st.headSent && st.s != nil && st.h.reserve(64) {
		st.Expect100 = false
		st.h.codec.WriteResponse(st.s, 100, nil, false)
		st.h.touch()
	}
}

var (
	nameDate    = []byte("date")
	nameLength  = []byte("content-length")
	nameServer  = []byte("server")
	nameType    = []byte("content-type")
	nameAllow   = []byte("allow")
	nameRetry   = []byte("retry-after")
	valueText   = []byte("text/plain; charset=utf-8")
	detailIgnor = "upgrade_ignored"
)

// Head implements exchange.Downstream.
func (st *h2Stream) Head(r *wire.Response) {
	h := st.h
	x := &st.Exchange
	if st.s == nil {
		return
	}
	status := r.Status
	switch {
	case x.Tunnel:
		status = max(status, 200) // 101 has no place in HTTP/2 (RFC 8441 section 5)
	case x.Extended && status < 300:
		// It would open the tunnel, but the endpoint has answered a plain GET.
		x.Detail = detailIgnor
		st.refuse(exchange.ErrProtocol)
		return
	}
	x.EditResponse(r)
	x.Status = status
	e := h.c.env
	if !h.reserve(respond.HeadSize(r)) {
		return
	}
	st.headSent = true
	c := &h.codec
	c.BeginResponse(st.s, status)
	dated := false
	for i := range r.Fields {
		f := &r.Fields[i]
		switch {
		case f.Hop, f.ID == wire.FieldContentLength, x.Extended && f.ID == wire.FieldSecWebSocketAccept:
			continue
		case f.ID == wire.FieldDate:
			dated = true
		}
		c.AddField(f.ID, f.Name, f.Value)
	}
	if !dated { // RFC 9110 section 6.6.1
		c.AddField(wire.FieldDate, nameDate, e.Date.Value(e.Loop.Wall()))
	}
	if !x.Tunnel && (r.Body == wire.BodyLength || r.Body == wire.BodyNone && r.Length >= 0 && status != 204) {
		var digits [20]byte
		c.AddField(wire.FieldContentLength, nameLength, h1.AppendUint(digits[:0], uint64(r.Length)))
	}
	// A response without a body ends with its head; in gRPC that is what tells a Trailers-Only response from a broken one. The stream may
	// be gone then, which Finish expects.
	c.EndHead(st.s, r.Body == wire.BodyNone && !x.Tunnel)
	h.touch()
	if x.Tunnel {
		st.openTunnel()
	}
}

// openTunnel lets through what the client sent ahead of the answer.
func (st *h2Stream) openTunnel() {
	x := &st.Exchange
	ok := true
	for b := st.early.Next(); b != nil && x.Up != nil; b = st.early.Next() {
		ok = x.Up.Body(b)
		if st.over {
			return
		}
		st.early.Sent(len(b))
	}
	if x.Up == nil {
		return
	}
	st.h.mark(st)
	if ok {
		st.consume()
	} else {
		st.paused = true
	}
	if st.reqDone && !st.over && x.Up != nil {
		x.Up.Finish(nil)
	}
	st.h.touch()
}

// Body implements exchange.Downstream.
func (st *h2Stream) Body(p []byte) bool {
	if st.isHead || st.s == nil {
		return true
	}
	h := st.h
	st.BytesOut += int64(len(p))
	if h.waiting == 0 && h.pending() < outHigh {
		p = p[st.write(p):]
	}
	h.touch()
	if len(p) == 0 || st.s == nil {
		return true
	}
	if !st.q.Append(p) {
		h.broke()
		return true
	}
	st.queue()
	if st.q.Len() <= streamHigh {
		return true
	}
	if !st.srcPaused {
		st.srcPaused = true
		st.writeRate.start(h.c.env.Loop.Now())
	}
	return false
}

// queue makes the stream wait for its windows and its turn.
func (st *h2Stream) queue() {
	if st.h.codec.Writable(st.s) == 0 && !st.waits {
		st.h.c.env.Count.H2WindowStalls++
	}
	st.wait(true)
	st.h.codec.Schedule(st.s)
}

// write writes as much of p as the windows allow, and returns how much that was.
func (st *h2Stream) write(p []byte) (n int) {
	h := st.h
	for n < len(p) {
		k := min(len(p)-n, h.codec.Writable(st.s))
		if k == 0 {
			return n
		}
		k = min(k, maxWrite)
		if !h.reserve(k + frameRoom) {
			return len(p) // all is over
		}
		h.codec.WriteData(st.s, p[n:n+k], false)
		n += k
	}
	return n
}

// maxWrite is the most that is written of one stream at a time; frameRoom the room for frame headers around it, whose number follows from the
// smallest frame size that a peer can ask for.
const (
	maxWrite  = 32 << 10
	frameRoom = (maxWrite/h2.MinFrameBytes + 1) * h2.HeaderBytes
)

// BodyBuffer implements exchange.Downstream.
func (st *h2Stream) BodyBuffer(buf []byte, n int) bool {
	pool := st.q.Pool
	ok := st.Body(buf[:n])
	pool.Put(buf)
	return ok
}

// Finish implements exchange.Downstream.
func (st *h2Stream) Finish(trailers []wire.Field) {
	if st.s == nil {
		st.finish()
		return
	}
	st.finished = true
	if st.waits {
		st.keep(trailers)
		return
	}
	st.last(trailers)
}

// keep copies trailers for later.
func (st *h2Stream) keep(trailers []wire.Field) {
	for _, f := range trailers {
		if f.Hop {
			continue
		}
		at := len(st.text)
		st.text = append(append(st.text, f.Name...), f.Value...)
		b := st.text[at:]
		st.trailers = append(st.trailers, wire.Field{Name: b[:len(f.Name):len(f.Name)], Value: b[len(f.Name):], ID: f.ID})
	}
}

// last writes the end of the response.
func (st *h2Stream) last(trailers []wire.Field) {
	h := st.h
	n, some := 64, false
	for i := range trailers {
		if f := &trailers[i]; !f.Hop {
			some = true
			n += len(f.Name) + len(f.Value) + 16
		}
	}
	if !h.reserve(n) {
		return
	}
	st.respDone = true
	if some && !st.isHead {
		h.codec.WriteTrailers(st.s, trailers)
	} else {
		h.codec.WriteData(st.s, nil, true)
	}
	h.touch()
	st.settle()
}

// pump writes what waits, in the order of priorities, as long as the socket keeps up.
func (h *h2Conn) pump() {
	for h.waiting > 0 && h.pending() < outHigh && !h.broken {
		s := h.codec.Next()
		if s == nil {
			return
		}
		h.turn(s.User.(*h2Stream))
	}
}

// turn writes one piece of a stream whose turn it is.
func (h *h2Conn) turn(st *h2Stream) {
	b := st.q.Next()
	left := st.q.Len()
	fixed := b == nil
	if fixed {
		b, left = st.fixed, len(st.fixed)
	}
	b = b[:min(len(b), h2.MinFrameBytes, h.codec.Writable(st.s))]
	if !h.reserve(len(b) + frameRoom) {
		return
	}
	now := h.c.env.Loop.Now()
	st.lastOut = now
	if len(b) == left && st.finished && len(st.trailers) == 0 {
		st.respDone = true
		h.codec.WriteData(st.s, b, true)
		st.settle()
		return
	}
	h.codec.WriteData(st.s, b, false)
	st.writeRate.add(len(b))
	if fixed {
		st.fixed = st.fixed[len(b):]
	} else {
		st.q.Sent(len(b))
	}
	if len(b) < left {
		if h.codec.Writable(st.s) == 0 {
			h.c.env.Count.H2WindowStalls++
		}
		h.codec.Schedule(st.s)
	} else {
		st.wait(false)
		if st.finished {
			st.last(st.trailers)
			return
		}
	}
	if st.srcPaused && st.q.Len() <= streamLow {
		st.srcPaused = false
		if up := st.Up; up != nil {
			h.mark(st)
			up.Resume()
			h.touch()
		}
	}
}
