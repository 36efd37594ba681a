package h1

import (
	"encoding/binary"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// ParseResponse reads the head of a response to a request with the given method from the beginning of b (RFC 9112
// sections 4 to 6). It returns the size of the head, or 0 when more bytes are needed. Interim responses (1xx) are
// returned as responses without a body; so is a 2xx answer to CONNECT, after which the connection is a tunnel. On
// success r is overwritten, with slices into b.
func ParseResponse(b []byte, r *wire.Response, reqMethod wire.Method, lim *wire.Limits) (int, *wire.Error) {
	lim = effective(lim)
	whole := len(b)
	if whole > lim.HeadBytes {
		b = b[:lim.HeadBytes]
	}
	n, err := parseResponse(b, r, reqMethod, lim)
	if n == 0 && err == nil && whole >= lim.HeadBytes {
		err = ErrHeadLarge
	}
	return n, err.Upstream()
}

func parseResponse(b []byte, r *wire.Response, reqMethod wire.Method, lim *wire.Limits) (int, *wire.Error) {
	i, err := statusLine(b, r)
	if i == 0 {
		return 0, err
	}
	s := section{length: -1}
	fields, n, err := s.parse(b, i, r.Fields[:0], lim.Fields)
	r.Fields = fields
	if n == 0 {
		return 0, err
	}
	if err := finishResponse(r, reqMethod, &s); err != nil {
		return 0, err
	}
	return n, nil
}

// statusLine reads version, status and reason. The space before an empty reason may be missing: RFC 9112 section 4
// demands it, many servers leave it out, and nothing can be mistaken by it.
func statusLine(b []byte, r *wire.Response) (int, *wire.Error) {
	const fixed = len("HTTP/1.1 200")
	if len(b) <= fixed {
		return 0, statusPrefix(b)
	}
	switch binary.LittleEndian.Uint64(b) {
	case http11:
		r.Minor = 1
	case http10:
		r.Minor = 0
	default:
		return 0, ErrStatusLine
	}
	c, d, e := b[9]-'0', b[10]-'0', b[11]-'0'
	if b[8] != ' ' || c < 1 || c > 5 || d > 9 || e > 9 {
		return 0, ErrStatusLine
	}
	r.Status = int(c)*100 + int(d)*10 + int(e)
	i := fixed
	begin := i
	if b[i] == ' ' {
		i++
		begin = i
		i = valueEnd(b, i)
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] != '\r' {
		if b[i] == '\n' {
			return 0, ErrBareLF
		}
		return 0, ErrStatusLine
	}
	if i+1 == len(b) {
		return 0, nil
	}
	if b[i+1] != '\n' {
		return 0, ErrBareCR
	}
	r.Reason = b[begin:i:i]
	return i + 2, nil
}

// statusPrefix checks an incomplete status line byte by byte: x stands for a digit, ? for a version digit.
func statusPrefix(b []byte) *wire.Error {
	const shape = "HTTP/1.? xxx"
	for i, c := range b {
		var ok bool
		switch s := shape[i]; s {
		case '?':
			ok = c == '0' || c == '1'
		case 'x':
			ok = '0' <= c && c <= '9'
		default:
			ok = c == s
		}
		if !ok {
			return ErrStatusLine
		}
	}
	return nil
}

// finishResponse decides on framing (RFC 9112 section 6.3) and connection.
func finishResponse(r *wire.Response, reqMethod wire.Method, s *section) *wire.Error {
	if s.chunked {
		if s.length >= 0 {
			return ErrLengthAndCoding
		}
		if r.Minor == 0 {
			return ErrCodingVersion
		}
	}
	r.Body, r.Length = wire.BodyNone, -1
	finishConnection(&r.Head, s)
	switch {
	case r.Status < 200 || r.Status == 204:
		// RFC 9110 section 8.6 and RFC 9112 section 6.1 forbid both fields. A length of 0 is common and harmless, so
		// it is only kept from being forwarded; anything else hints at a body that would be taken for the next
		// response.
		if s.chunked || s.length > 0 {
			return ErrBodyForbidden
		}
		dropLength(r.Fields, s)
	case reqMethod == wire.MethodConnect && r.Status < 300:
		// RFC 9110 section 9.3.6: both fields mean nothing here.
		dropLength(r.Fields, s)
	case reqMethod == wire.MethodHead || r.Status == 304:
		r.Length = s.length
	case s.chunked:
		r.Body = wire.BodyChunked
	case s.length >= 0:
		r.Body, r.Length = wire.BodyLength, s.length
	default:
		r.Body = wire.BodyUntilClose
		r.KeepAlive = false
	}
	return nil
}

// dropLength keeps a Content-Length that means nothing from being forwarded.
func dropLength(fields []wire.Field, s *section) {
	if s.length < 0 {
		return
	}
	for i := range fields {
		if fields[i].ID == wire.FieldContentLength {
			fields[i].Hop = true
		}
	}
}
