package worker

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// echo answers a request with its own body: the smallest possible upstream, which streams with back-pressure like any other.
type echo struct {
	x    *exchange.Exchange
	resp wire.Response
	next *echo
	w    *Worker
}

var (
	nameType   = []byte("content-type")
	typeBinary = []byte("application/octet-stream")
)

func (w *Worker) echo(x *exchange.Exchange, r *wire.Request) {
	e := w.freeEcho
	if e == nil {
		e = &echo{w: w}
	} else {
		w.freeEcho = e.next
	}
	e.x, x.Up = x, e
	typ := r.Get(wire.FieldContentType)
	if typ == nil {
		typ = typeBinary
	}
	resp := &e.resp
	resp.Status, resp.KeepAlive, resp.Minor = 200, true, 1
	resp.Fields = append(resp.Fields[:0], wire.Field{Name: nameType, Value: typ, ID: wire.FieldContentType})
	resp.Body, resp.Length = r.Body, r.Length
	if r.Body == wire.BodyNone {
		resp.Body, resp.Length = wire.BodyLength, 0
	}
	x.Down.Continue()
	if x.Up != e {
		return
	}
	x.Down.Head(resp)
}

func (e *echo) free() {
	e.x = nil
	e.next = e.w.freeEcho
	e.w.freeEcho = e
}

// Body implements exchange.Upstream.
func (e *echo) Body(p []byte) bool { return e.x.Down.Body(p) }

// BodyBuffer implements exchange.Upstream.
func (e *echo) BodyBuffer(buf []byte, n int) bool { return e.x.Down.BodyBuffer(buf, n) }

// Finish implements exchange.Upstream.
func (e *echo) Finish(trailers []wire.Field) {
	x := e.x
	x.Up = nil
	e.free()
	x.Down.Finish(trailers)
}

// Abort implements exchange.Upstream.
func (e *echo) Abort() {
	e.x.Up = nil
	e.free()
}

// Resume implements exchange.Upstream: the client reads again, so more of its body is welcome.
func (e *echo) Resume() { e.x.Down.Resume() }

// Flush implements exchange.Upstream.
func (e *echo) Flush() {}
