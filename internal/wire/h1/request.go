package h1

import (
	"encoding/binary"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// maxMethod is the size of the longest method let through. The longest registered one has 17 bytes.
const maxMethod = 32

// The last eight bytes of a request line and the first of a status line, as little-endian numbers.
const (
	http10 = 'H' | 'T'<<8 | 'T'<<16 | 'P'<<24 | '/'<<32 | '1'<<40 | '.'<<48 | '0'<<56
	http11 = http10 | '1'<<56
)

// ParseRequest reads the head of a request from the beginning of b (RFC 9112 sections 2 to 6). It returns the size of
// the head when it is complete, 0 when more bytes are needed; bad input is refused as soon as it is seen. On success
// r is overwritten, with slices into b; its field list keeps its capacity. After an error or an incomplete head the
// content of r means nothing.
//
// One empty line before the request line is skipped and counted. lim may be nil for the defaults; see wire.Limits.
func ParseRequest(b []byte, r *wire.Request, lim *wire.Limits) (int, *wire.Error) {
	lim = effective(lim)
	whole := len(b)
	if whole > lim.HeadBytes {
		b = b[:lim.HeadBytes]
	}
	n, err := parseRequest(b, r, lim)
	if n == 0 && err == nil && whole >= lim.HeadBytes {
		return 0, ErrHeadLarge
	}
	return n, err
}

// effective replaces missing limits by the defaults.
func effective(lim *wire.Limits) *wire.Limits {
	if lim == nil || lim.HeadBytes == 0 {
		return &wire.DefaultLimits
	}
	return lim
}

func parseRequest(b []byte, r *wire.Request, lim *wire.Limits) (int, *wire.Error) {
	i := 0
	if len(b) > 0 && b[0] == '\r' {
		if len(b) == 1 {
			return 0, nil
		}
		if b[1] != '\n' {
			return 0, ErrBareCR
		}
		i = 2
	}
	i, err := requestLine(b, i, r, lim)
	if i == 0 {
		return 0, err
	}
	if err := parseTarget(r); err != nil {
		return 0, err
	}
	s := section{request: true, allowUnderscore: lim.AllowUnderscore, length: -1}
	fields, n, err := s.parse(b, i, r.Fields[:0], lim.Fields)
	r.Fields = fields
	if n == 0 {
		return 0, err
	}
	if err := finishRequest(r, &s); err != nil {
		return 0, err
	}
	return n, nil
}

// requestLine reads method, target and version (RFC 9112 section 3) from b[i:] and returns the position behind the
// line, 0 when it is incomplete or refused.
func requestLine(b []byte, i int, r *wire.Request, lim *wire.Limits) (int, *wire.Error) {
	begin := i
	for i < len(b) && wire.Class[b[i]]&wire.ClassToken != 0 {
		i++
	}
	if i-begin > maxMethod {
		return 0, ErrMethodLong
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] != ' ' || i == begin {
		if b[i] == '\n' {
			return 0, ErrBareLF
		}
		return 0, ErrMethod
	}
	r.MethodName = b[begin:i:i]
	i++
	target := i
	i = targetEnd(b, i)
	if i-begin > lim.LineBytes {
		return 0, ErrLineLong
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] != ' ' || i == target {
		if b[i] == '\r' || b[i] == '\n' {
			return 0, ErrVersion // HTTP/0.9, or something without a version
		}
		return 0, ErrTarget
	}
	r.Target = b[target:i:i]
	r.Method = wire.LookupMethod(r.MethodName)
	i++
	if i+10 > len(b) {
		return 0, versionPrefix(b[i:])
	}
	if i+8-begin > lim.LineBytes {
		return 0, ErrLineLong
	}
	switch binary.LittleEndian.Uint64(b[i:]) {
	case http11:
		r.Minor = 1
	case http10:
		r.Minor = 0
	default:
		return 0, badVersion(b[i:])
	}
	if b[i+8] != '\r' || b[i+9] != '\n' {
		return 0, badLineEnd(b[i+8:])
	}
	return i + 10, nil
}

// versionPrefix checks what there is of an incomplete version and CRLF.
func versionPrefix(b []byte) *wire.Error {
	const shape = "HTTP/"
	for i, c := range b {
		switch {
		case i < len(shape):
			if c != shape[i] {
				return ErrVersion
			}
		case i < 8:
			// The rest of the version is short; it is judged when it is whole.
		case c != '\r':
			return badLineEnd(b[i:])
		}
	}
	if len(b) >= 8 {
		if v := binary.LittleEndian.Uint64(b); v != http11 && v != http10 {
			return badVersion(b)
		}
	}
	return nil
}

// badVersion tells a version that we do not speak from something that is not a version (RFC 9112 section 2.3).
func badVersion(b []byte) *wire.Error {
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	if string(b[:5]) == "HTTP/" && digit(b[5]) && b[6] == '.' && digit(b[7]) {
		return ErrVersionUnsupported
	}
	return ErrVersion
}

// badLineEnd says why b, which should begin with CRLF, does not.
func badLineEnd(b []byte) *wire.Error {
	switch b[0] {
	case '\n':
		return ErrBareLF
	case '\r':
		return ErrBareCR
	}
	return ErrVersion
}

// finishRequest decides on host, framing and connection once all fields are known.
func finishRequest(r *wire.Request, s *section) *wire.Error {
	if err := resolveHost(r, s.host); err != nil {
		return err
	}
	r.Body, r.Length = wire.BodyNone, -1
	switch {
	case s.chunked:
		// RFC 9112 section 6.1: both together is an attempt to smuggle until proven otherwise.
		if s.length >= 0 {
			return ErrLengthAndCoding
		}
		if r.Minor == 0 {
			return ErrCodingVersion
		}
		r.Body = wire.BodyChunked
	case s.length >= 0:
		r.Body, r.Length = wire.BodyLength, s.length
	}
	if r.Method == wire.MethodTrace || r.Method == wire.MethodConnect {
		if s.chunked || s.length > 0 {
			return ErrBodyForbidden // RFC 9110 sections 9.3.6 and 9.3.8
		}
		r.Body, r.Length = wire.BodyNone, -1
	}
	r.Expect100 = s.expect100 && r.Minor >= 1 // RFC 9110 section 10.1.1
	finishConnection(&r.Head, s)
	return nil
}

// finishConnection applies what the Connection options say.
func finishConnection(h *wire.Head, s *section) {
	h.KeepAlive = s.connection.persists(h.Minor)
	h.Upgrade = nil
	// RFC 9110 section 7.8: no upgrade in HTTP/1.0. Two fields would be one list, which is nothing we could hand on
	// as one slice; the recipient may ignore it.
	if s.connection.upgrade && s.upgrades == 1 && h.Minor >= 1 {
		h.Upgrade = s.upgrade
	}
	if s.connection.nominations > 0 {
		markNominated(h.Fields)
	}
}
