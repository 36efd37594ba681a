package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// A request to endpoints that choose their protocol is kept as for HTTP/2. On a connection that speaks HTTP/1.1 it is encoded as it is
// sent, into a buffer of the connection: what is kept stays as it is, so another attempt may go to an endpoint that has chosen otherwise.

// Stages of encoding: what comes next.
const (
	stageHead uint8 = iota
	stageBody
	stageDone // nothing but the bytes of a tunnel
)

const (
	// headExtra is how much longer than its kept form a head may get; records take more than the punctuation of fields.
	headExtra = 256
	// chunkExtra is the most that the framing of a chunk takes.
	chunkExtra = 24
)

// appendKeptHead renders a kept head for HTTP/1.1: what appendHead makes of the request.
func appendKeptHead(dst []byte, k *keptHead, x *exchange.Exchange, chunked bool) []byte {
	if x.Extended {
		dst = append(dst, methodGet...)
	} else {
		dst = append(dst, k.methodName...)
	}
	dst = append(dst, ' ')
	if k.flags&keptConnect != 0 {
		dst = append(dst, k.authority...)
	} else {
		dst = append(dst, k.path...)
	}
	dst = append(dst, requestSuffix...)
	dst = h1.AppendField(dst, nameHost, k.authority)
	for b := k.fields; len(b) > 0; {
		var name, value []byte
		_, name, value, b = nextRecord(b)
		dst = h1.AppendField(dst, name, value)
	}
	if chunked {
		dst = append(dst, fieldChunked...)
	}
	if len(k.protocol) > 0 {
		dst = h1.AppendField(dst, nameConn, valueUpgrade)
		dst = h1.AppendField(dst, nameUpgrade, k.protocol)
		if x.Extended && wire.EqualFold(k.protocol, webSocket) && k.get(wire.FieldSecWebSocketKey) == nil {
			dst = appendNonce(dst)
		}
	}
	return append(dst, '\r', '\n')
}

// whole tells whether nothing of q is left to be sent.
func (c *Conn) whole(q *Request) bool {
	return q.finished && q.q.Len() == 0 && (!q.kept || c.stage == stageDone || q.x.Tunnel)
}

// sendKept encodes as much of q as there is and fits a buffer, and sends it.
func (c *Conn) sendKept(q *Request) {
	if q.q.Len() == 0 && (c.stage == stageDone || !q.finished) {
		return
	}
	p := c.env().Pool
	buf := p.SmallBuffer()
	if buf != nil && q.q.Len()+headExtra > cap(buf) {
		if large := p.LargeBuffer(); large != nil || c.stage == stageHead && q.headLen+headExtra > cap(buf) {
			p.Put(buf)
			buf = large
		}
	}
	if buf == nil {
		q.fail(exchange.ErrOverload)
		return
	}
	b, ok := c.encode(q, buf[:0])
	switch {
	case !ok:
		p.Put(buf)
		q.fail(exchange.ErrOverload)
	case len(b) == 0: // the last byte left before the end was known
		p.Put(buf)
		if c.whole(q) {
			q.sent()
		}
	default:
		c.out = buf
		c.sending = true
		c.l.Send(c.id, b)
		if q.x.BodyKind != wire.BodyNone && !q.answered {
			q.arm(waitBody, q.idle)
		}
	}
}

// encode appends what comes next of q, within the capacity of b. False: a head or trailers are larger than that.
func (c *Conn) encode(q *Request, b []byte) ([]byte, bool) {
	if c.stage == stageHead {
		if q.headLen+headExtra > cap(b) {
			return nil, false
		}
		k := parseKept(q.q.Next()[:q.headLen])
		c.chunked = !q.empty && k.flags&keptConnect == 0 && k.get(wire.FieldContentLength) == nil
		b = appendKeptHead(b, &k, q.x, c.chunked)
		q.q.Sent(q.headLen)
		c.stage = stageBody
	}
	for left := q.bodyLeft(); left > 0; left = q.bodyLeft() {
		piece := q.q.Next()
		n := min(len(piece), left, cap(b)-len(b)-chunkExtra)
		if n <= 0 {
			return b, true
		}
		if c.chunked && !q.x.Tunnel {
			b = h1.AppendChunkHeader(b, n)
			b = append(append(b, piece[:n]...), crlf...)
		} else {
			b = append(b, piece[:n]...)
		}
		q.q.Sent(n)
	}
	if !q.finished || c.stage == stageDone {
		return b, true
	}
	n := q.trailers
	if c.chunked {
		if len(b)+n+len("0\r\n\r\n") > cap(b) {
			return b, len(b) > 0
		}
		b = append(b, '0', '\r', '\n')
		if n > 0 {
			for rest := q.q.Next()[:n]; len(rest) > 0; {
				var name, value []byte
				_, name, value, rest = nextRecord(rest)
				b = h1.AppendField(b, name, value)
			}
		}
		b = append(b, '\r', '\n')
	}
	if n > 0 {
		q.q.Sent(n)
	}
	c.stage = stageDone
	return b, true
}
