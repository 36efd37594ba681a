package h1

import "github.com/blitz-gateway/blitz/internal/wire"

// Body decodes the body of one message: it tells payload from framing and finds the end. The zero value is an empty
// body. A Body is reused by calling Init again; its trailer list keeps its capacity.
type Body struct {
	kind     wire.BodyKind
	response bool
	done     bool
	state    chunkState
	// left counts the bytes that are still to come: of the body for BodyLength, of the chunk for BodyChunked.
	left int64
	// digits and line count what has been read of the current chunk-size line.
	digits, line int
	lim          wire.Limits
	trailers     []wire.Field
}

// Init prepares d for the body of a request. kind and length are those of the head; length counts for BodyLength
// only. lim may be nil for the defaults; it is copied.
func (d *Body) Init(kind wire.BodyKind, length int64, lim *wire.Limits) {
	d.kind, d.response, d.left = kind, false, 0
	d.state, d.digits, d.line = chunkSize, 0, 0
	d.lim = *effective(lim)
	d.trailers = d.trailers[:0]
	if kind == wire.BodyLength {
		d.left = max(length, 0)
	}
	d.done = kind == wire.BodyNone || kind == wire.BodyLength && d.left == 0
}

// InitResponse prepares d for the body of a response: errors will have the status 502.
func (d *Body) InitResponse(kind wire.BodyKind, length int64, lim *wire.Limits) {
	d.Init(kind, length, lim)
	d.response = true
}

// Next consumes n bytes from the beginning of b; data, a slice of b that may be empty, is the payload among them. The
// caller goes on with b[n:] until Done, or until n is 0: then more bytes are needed, and what is left of b (nothing,
// or the beginning of a trailer section, at most Limits.TrailerBytes) has to be presented again in front of them.
// After an error the connection cannot be used further.
func (d *Body) Next(b []byte) (data []byte, n int, err *wire.Error) {
	if d.done || len(b) == 0 {
		return nil, 0, nil
	}
	switch d.kind {
	case wire.BodyLength:
		if int64(len(b)) > d.left {
			b = b[:d.left]
		}
		d.left -= int64(len(b))
		d.done = d.left == 0
		return b, len(b), nil
	case wire.BodyUntilClose:
		return b, len(b), nil
	}
	data, n, err = d.nextChunked(b)
	if err != nil && d.response {
		err = err.Upstream()
	}
	return data, n, err
}

// Done tells whether the end of the body was reached. A body that lasts until the connection closes is never done.
func (d *Body) Done() bool { return d.done }

// Remaining is the number of bytes still to come of a body of known length, and -1 for the other kinds unless they
// are done.
func (d *Body) Remaining() int64 {
	if d.done || d.kind == wire.BodyLength {
		return d.left
	}
	return -1
}

// Trailers are the trailer fields of a chunked body that is done. They are slices of the b that Next was last called
// with, and Hop is set on those that must not be forwarded.
func (d *Body) Trailers() []wire.Field { return d.trailers }

// AtEOF says what the end of the connection means now: nil when the body is complete, otherwise the error of a
// truncated message (RFC 9112 section 8).
func (d *Body) AtEOF() *wire.Error {
	if d.done || d.kind == wire.BodyUntilClose {
		return nil
	}
	if d.response {
		return ErrBodyShort.Upstream()
	}
	return ErrBodyShort
}
