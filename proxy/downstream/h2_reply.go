package downstream

import (
	"bytes"
	"unsafe"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/respond"
)

// HTTP2 is what the HTTP/2 connections of one listener share.
type HTTP2 struct {
	Config h2.Config
	// replies are encoded heads of answers from configuration, found by the address of their text.
	replies [64]reply
}

// reply is an encoded head. It holds until the Date changes.
type reply struct {
	status int
	unix   int64
	head   []byte // what was encoded
	block  []byte
}

// NewHTTP2 makes the shared part of a listener's HTTP/2 connections. limits.Message is that of the listener's other version.
func NewHTTP2(limits h2.Limits) *HTTP2 {
	return &HTTP2{Config: h2.Config{ExtendedConnect: true, Limits: limits, Fault: refused}}
}

// block returns the encoded head of a reply made from configuration.
func (p *HTTP2) block(e *Env, status int, head, server []byte) []byte {
	slot := uintptr(0)
	if len(head) > 0 {
		at := uintptr(unsafe.Pointer(unsafe.SliceData(head)))
		slot = (at>>4 ^ at>>10) % uintptr(len(p.replies))
	}
	r := &p.replies[slot]
	now := e.Loop.Wall()
	if r.status == status && r.unix == now.Unix() && bytes.Equal(r.head, head) {
		return r.block
	}
	r.status, r.unix, r.head = status, now.Unix(), append(r.head[:0], head...)
	b := hpack.AppendStatelessStatus(r.block[:0], status)
	if len(server) > 0 {
		b = hpack.AppendStateless(b, nameServer, server)
	}
	b = hpack.AppendStateless(b, nameDate, e.Date.Value(now))
	for len(head) > 0 {
		line := head
		if i := bytes.Index(head, crlf); i >= 0 {
			line, head = head[:i], head[i+2:]
		} else {
			head = nil
		}
		if name, value, ok := bytes.Cut(line, colon); ok {
			b = hpack.AppendStateless(b, name, bytes.TrimLeft(value, " \t"))
		}
	}
	r.block = b
	return b
}

var colon = []byte(":")

// Reply implements exchange.Downstream.
func (st *h2Stream) Reply(status int, head, body []byte) {
	h := st.h
	if st.s == nil {
		return
	}
	e := h.c.env
	st.Status = status
	block := h.c.lst.HTTP2.block(e, status, head, h.c.lst.ServerName)
	if !h.reserve(len(block) + 64) {
		return
	}
	e.Count.LocalReplies++
	st.headSent, st.finished = true, true
	h.codec.WriteBlock(st.s, block, false)
	if st.isHead {
		body = nil
	}
	st.BytesOut += int64(len(body))
	st.all(body)
}

// all writes body, which does not change until the exchange is over, and the end of the response.
func (st *h2Stream) all(body []byte) {
	h := st.h
	h.touch()
	if len(body) > 0 && len(body) <= maxWrite && h.waiting == 0 && len(body) <= h.codec.Writable(st.s) && h.pending() < outHigh {
		if !h.reserve(len(body) + frameRoom) {
			return
		}
		st.respDone = true
		h.codec.WriteData(st.s, body, true)
		st.settle()
		return
	}
	if len(body) > 0 {
		st.fixed = body
		st.queue()
		return
	}
	st.respDone = true
	h.codec.WriteData(st.s, nil, true)
	st.settle()
}

// Fail implements exchange.Downstream.
func (st *h2Stream) Fail(f *exchange.Failure) {
	h := st.h
	e := h.c.env
	if st.over {
		return
	}
	st.Flags |= f.Flags
	e.Count.Failed(f)
	st.Code = f.Code
	if st.Detail == "" {
		st.Detail = f.Detail
	}
	switch {
	case st.s == nil:
		st.finish()
		return
	case st.headSent && st.Tunnel:
		st.reset(h2.ConnectError) // RFC 9113 section 8.5
		return
	case st.headSent:
		st.reset(h2.InternalError) // so that the client does not take it for whole
		return
	}
	st.Status = f.Status
	if !h.reserve(respond.FailureSize(f, st.Allow)) {
		return
	}
	st.headSent, st.finished = true, true
	e.Count.LocalReplies++
	if st.GRPC {
		st.failGRPC(f)
		return
	}
	e.text = respond.AppendFailureText(e.text[:0], f)
	c := &h.codec
	c.BeginResponse(st.s, f.Status)
	if server := h.c.lst.ServerName; len(server) > 0 {
		c.AddField(wire.FieldServer, nameServer, server)
	}
	c.AddField(wire.FieldDate, nameDate, e.Date.Value(e.Loop.Wall()))
	var digits [20]byte
	if f.RetryAfter > 0 {
		c.AddField(wire.FieldRetryAfter, nameRetry, h1.AppendUint(digits[:0], uint64(f.RetryAfter)))
	}
	if f.Status == 405 {
		c.AddField(wire.FieldOther, nameAllow, st.Allow)
	}
	c.AddField(wire.FieldContentType, nameType, valueText)
	c.AddField(wire.FieldContentLength, nameLength, h1.AppendUint(digits[:0], uint64(len(e.text))))
	c.EndHead(st.s, false)
	h.touch()
	if st.isHead {
		st.last(nil)
		return
	}
	st.BytesOut += int64(len(e.text))
	if n := st.write(e.text); n < len(e.text) && st.s != nil {
		if !st.q.Append(e.text[n:]) {
			h.broke()
			return
		}
		st.queue()
		return
	}
	if st.s != nil {
		st.last(nil)
	}
}

// failGRPC tells a gRPC client of a failure: HTTP status 200, the gRPC status in the head, which is also the end (Trailers-Only).
func (st *h2Stream) failGRPC(f *exchange.Failure) {
	h := st.h
	e := h.c.env
	st.Status = 200
	c := &h.codec
	c.BeginResponse(st.s, 200)
	c.AddField(wire.FieldContentType, nameType, valueGRPC)
	c.AddField(wire.FieldDate, nameDate, e.Date.Value(e.Loop.Wall()))
	var digits [20]byte
	c.AddField(wire.FieldOther, nameGRPCStatus, h1.AppendUint(digits[:0], uint64(f.GRPCStatus())))
	e.text = f.AppendGRPCMessage(e.text[:0])
	c.AddField(wire.FieldOther, nameGRPCMessage, e.text)
	st.respDone = true
	c.EndHead(st.s, true)
	h.touch()
	st.settle()
}

var (
	valueGRPC       = []byte("application/grpc")
	nameGRPCStatus  = []byte("grpc-status")
	nameGRPCMessage = []byte("grpc-message")
)
