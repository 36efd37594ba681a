package client

import (
	"bytes"
	"errors"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
)

var errSwitching = errors.New("101 Switching Protocols was not asked for")

// verdict is what a reader needs to know of a parsed head.
type verdict struct {
	status    int
	kind      wire.BodyKind
	length    int64
	keepAlive bool
}

// parser parses heads for all connections of a thread. Most responses of a load run begin with the very head of the one before,
// and a head means the same whenever it has the same bytes: then comparing replaces parsing.
type parser struct {
	resp   wire.Response
	last   []byte // the last head, whole
	method wire.Method
	result verdict
}

// head parses the head at the beginning of b. n is its size, 0 when more bytes are needed.
func (p *parser) head(b []byte, method wire.Method) (v verdict, n int, err *wire.Error) {
	if n = len(p.last); n > 0 && method == p.method && bytes.HasPrefix(b, p.last) {
		return p.result, n, nil
	}
	n, err = h1.ParseResponse(b, &p.resp, method, nil)
	if n == 0 || err != nil {
		return v, 0, err
	}
	r := &p.resp
	v = verdict{r.Status, r.Body, r.Length, r.KeepAlive}
	p.last, p.method, p.result = append(p.last[:0], b[:n]...), method, v
	return v, n, nil
}

// reader finds the end of one response.
type reader struct {
	verdict
	headDone bool
	// partial holds bytes that the codec wants to see again: the beginning of a head, or of a trailer section. Both
	// are bounded by wire.Limits.
	partial []byte
	left    int64   // of a body of known length
	chunks  h1.Body // of a chunked body
	// received are all bytes of the response, body those of its body without framing.
	received, body int64
}

func (r *reader) reset() {
	r.headDone, r.partial = false, r.partial[:0]
	r.received, r.body = 0, 0
}

// endsWithConnection tells whether the head said that the body lasts until the connection closes.
func (r *reader) endsWithConnection() bool { return r.headDone && r.kind == wire.BodyUntilClose }

// feed takes received bytes. done tells that the response is whole; rest is what came after it. p is not kept.
func (r *reader) feed(ps *parser, p []byte, method wire.Method) (rest []byte, done bool, err error) {
	for {
		if !r.headDone {
			if p, err = r.readHead(ps, p, method); err != nil || !r.headDone {
				return nil, false, err
			}
		}
		switch r.kind {
		case wire.BodyNone:
			return p, true, nil
		case wire.BodyLength:
			n := min(int64(len(p)), r.left)
			r.left -= n
			r.body += n
			r.received += n
			return p[n:], r.left == 0, nil
		case wire.BodyUntilClose:
			r.body += int64(len(p))
			r.received += int64(len(p))
			return nil, false, nil
		default:
			return r.readChunks(p)
		}
	}
}

// readHead takes bytes of the head, interim responses (RFC 9110 section 15.2) included, and returns those behind it.
func (r *reader) readHead(ps *parser, p []byte, method wire.Method) ([]byte, error) {
	for {
		b := p
		if len(r.partial) > 0 {
			r.partial = append(r.partial, p...)
			b = r.partial
		}
		v, n, err := ps.head(b, method)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if len(r.partial) == 0 {
				r.partial = append(r.partial, p...)
			}
			return nil, nil
		}
		p = p[len(p)-(len(b)-n):]
		r.partial = r.partial[:0]
		r.received += int64(n)
		if v.status == 101 {
			return nil, errSwitching
		}
		if v.status >= 200 {
			r.verdict, r.headDone = v, true
			r.left = v.length
			if v.kind == wire.BodyChunked {
				r.chunks.InitResponse(v.kind, 0, nil)
			}
			return p, nil
		}
		if len(p) == 0 {
			return nil, nil
		}
	}
}

func (r *reader) readChunks(p []byte) (rest []byte, done bool, err error) {
	b := p
	if len(r.partial) > 0 {
		r.partial = append(r.partial, p...)
		b = r.partial
	}
	for {
		data, n, werr := r.chunks.Next(b)
		if werr != nil {
			return nil, false, werr
		}
		b = b[n:]
		r.body += int64(len(data))
		r.received += int64(n)
		if r.chunks.Done() {
			r.partial = r.partial[:0]
			return p[len(p)-len(b):], true, nil
		}
		if n == 0 {
			// b may lie in partial; append copies downwards safely.
			r.partial = append(r.partial[:0], b...)
			return nil, false, nil
		}
	}
}
