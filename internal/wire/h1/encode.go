package h1

import (
	"math/bits"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// The encoders append to dst and return it, like append. They check nothing: names, values and targets must come from
// a parser of this module, from configuration that was validated, or from constants.

// LastChunk ends a chunked body without trailers. With trailers, write its first three bytes, the fields and an empty
// line.
const LastChunk = "0\r\n\r\n"

// CRLF ends lines; the empty line ends a head.
const CRLF = "\r\n"

// AppendRequestLine appends method and target with the version HTTP/1.1.
func AppendRequestLine(dst, method, target []byte) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendStatusLine appends the status line with the version HTTP/1.1. A nil reason stands for the registered one. A
// status that does not have three digits is a mistake of the caller and becomes 500.
func AppendStatusLine(dst []byte, status int, reason []byte) []byte {
	if uint(status) >= 1000 || status < 100 {
		status, reason = 500, nil
	}
	if reason == nil && status < len(statusLines) && statusLines[status] != "" {
		return append(dst, statusLines[status]...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	dst = append(dst, reason...)
	return append(dst, CRLF...)
}

// statusLines are the whole lines of the registered codes, slices of one string.
var statusLines = buildStatusLines()

func buildStatusLines() (lines [600]string) {
	var end [len(lines)]int
	var text []byte
	for status := range lines {
		if reason := wire.StatusText(status); reason != "" {
			text = append(text, "HTTP/1.1 "...)
			text = AppendUint(text, uint64(status))
			text = append(text, ' ')
			text = append(text, reason...)
			text = append(text, CRLF...)
		}
		end[status] = len(text)
	}
	all, begin := string(text), 0
	for status := range lines {
		lines[status] = all[begin:end[status]]
		begin = end[status]
	}
	return lines
}

// AppendField appends one field line.
func AppendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, CRLF...)
}

// AppendChunkHeader appends the size line of a chunk. The size must be positive: 0 would end the body.
func AppendChunkHeader(dst []byte, size int) []byte {
	return append(AppendHex(dst, uint64(size)), CRLF...)
}

// AppendUint appends v in decimal.
func AppendUint(dst []byte, v uint64) []byte {
	if v < 10 {
		return append(dst, byte('0'+v))
	}
	var buf [20]byte
	i := len(buf)
	for v >= 10 {
		i--
		buf[i] = byte('0' + v%10)
		v /= 10
	}
	i--
	buf[i] = byte('0' + v)
	return append(dst, buf[i:]...)
}

// AppendHex appends v in lower-case hexadecimal without leading zeros.
func AppendHex(dst []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := (bits.Len64(v|1) - 1) &^ 3; shift >= 0; shift -= 4 {
		dst = append(dst, digits[v>>shift&15])
	}
	return dst
}
