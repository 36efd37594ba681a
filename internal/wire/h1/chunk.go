package h1

import "github.com/blitz-gateway/blitz/internal/wire"

// chunkState is where in a chunked body (RFC 9112 section 7.1) the decoder stands. Everything up to the trailer
// section is decoded byte by byte, so that nothing of it has to be kept by the caller.
type chunkState uint8

const (
	chunkSize     chunkState = iota // digits of a chunk size
	chunkExtName                    // behind ';'
	chunkExtMore                    // in the name of an extension, which has at least one byte
	chunkExtValue                   // behind '='
	chunkExtToken                   // in a value that is a token, which has at least one byte
	chunkExtQuote                   // in a quoted string
	chunkExtPair                    // behind a backslash in a quoted string
	chunkExtEnd                     // behind a quoted string
	chunkSizeLF                     // behind the CR of the size line
	chunkData                       // in the data
	chunkDataCR                     // behind the data
	chunkDataLF                     // behind the CR that follows the data
	chunkTrailers                   // behind the last chunk
)

const (
	maxChunk       = 1 << 62
	maxChunkDigits = 16
)

// nextChunked consumes framing and at most one run of payload.
func (d *Body) nextChunked(b []byte) (data []byte, n int, err *wire.Error) {
	for n < len(b) {
		switch d.state {
		case chunkData:
			data = b[n:]
			if int64(len(data)) >= d.left {
				data = data[:d.left:d.left]
				d.state = chunkDataCR
			}
			d.left -= int64(len(data))
			return data, n + len(data), nil
		case chunkDataCR:
			if b[n] != '\r' {
				return nil, n, ErrChunkEnd
			}
			d.state = chunkDataLF
			n++
		case chunkDataLF:
			if b[n] != '\n' {
				return nil, n, ErrChunkEnd
			}
			d.state, d.digits, d.line = chunkSize, 0, 0
			n++
		case chunkTrailers:
			used, err := d.readTrailers(b[n:])
			return nil, n + used, err
		default:
			used, err := d.sizeLine(b[n:])
			n += used
			if err != nil {
				return nil, n, err
			}
		}
	}
	return nil, n, nil
}

// sizeLine consumes what b holds of a chunk-size line. A chunk of size 0 is the last one.
func (d *Body) sizeLine(b []byte) (int, *wire.Error) {
	for i, c := range b {
		class := wire.Class[c]
		if d.state == chunkSizeLF {
			if c != '\n' {
				return i, ErrBareCR
			}
			d.state = chunkData
			if d.left == 0 {
				d.state = chunkTrailers
			}
			return i + 1, nil
		}
		if d.state == chunkSize && class&wire.ClassHex != 0 {
			if d.left > maxChunk>>4 || d.digits == maxChunkDigits {
				return i, ErrChunkLarge
			}
			d.left = d.left<<4 | int64(wire.HexValue(c))
			d.digits++
			if d.left > maxChunk {
				return i, ErrChunkLarge
			}
		} else if err := d.extension(c, class); err != nil {
			return i, err
		}
		if d.line++; d.line > d.lim.ChunkLineBytes && d.state != chunkSizeLF {
			return i, ErrChunkLine
		}
	}
	return len(b), nil
}

// extension takes one byte of a chunk-size line that is not a digit of the size: extensions (RFC 9112 section 7.1.1)
// or the CR. White space, which the grammar tolerates as "bad white space", is refused.
func (d *Body) extension(c, class uint8) *wire.Error {
	token := class&wire.ClassToken != 0
	between := false // at a place where an extension, or the line, may end
	switch d.state {
	case chunkSize:
		if d.digits == 0 || c != ';' && c != '\r' {
			if c == '\n' {
				return ErrBareLF
			}
			return ErrChunkSize
		}
		between = true
	case chunkExtName:
		if !token {
			return ErrChunkExtension
		}
		d.state = chunkExtMore
	case chunkExtMore:
		if c == '=' {
			d.state = chunkExtValue
			return nil
		}
		between = !token
	case chunkExtValue:
		switch {
		case c == '"':
			d.state = chunkExtQuote
		case token:
			d.state = chunkExtToken
		default:
			return ErrChunkExtension
		}
	case chunkExtToken:
		between = !token
	case chunkExtQuote:
		switch {
		case c == '"':
			d.state = chunkExtEnd
		case c == '\\':
			d.state = chunkExtPair
		case class&wire.ClassValue == 0:
			return ErrChunkExtension
		}
	case chunkExtPair:
		if class&wire.ClassValue == 0 {
			return ErrChunkExtension
		}
		d.state = chunkExtQuote
	case chunkExtEnd:
		between = true
	}
	if !between {
		return nil
	}
	switch c {
	case ';':
		d.state = chunkExtName
	case '\r':
		d.state = chunkSizeLF
	case '\n':
		return ErrBareLF
	default:
		return ErrChunkExtension
	}
	return nil
}

// readTrailers consumes the trailer section (RFC 9112 section 7.1.2) when b holds all of it, otherwise nothing.
func (d *Body) readTrailers(b []byte) (int, *wire.Error) {
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		d.done = true
		return 2, nil
	}
	whole := len(b)
	if whole > d.lim.TrailerBytes {
		b = b[:d.lim.TrailerBytes]
	}
	s := section{request: !d.response, trailer: true, allowUnderscore: d.lim.AllowUnderscore, length: -1}
	fields, n, err := s.parse(b, 0, d.trailers[:0], d.lim.Fields)
	d.trailers = fields
	switch {
	case err != nil:
		d.trailers = fields[:0]
		return 0, err
	case n == 0:
		d.trailers = fields[:0]
		if whole >= d.lim.TrailerBytes {
			return 0, ErrTrailersLarge
		}
		return 0, nil
	}
	d.done = true
	return n, nil
}
