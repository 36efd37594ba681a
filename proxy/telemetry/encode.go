package telemetry

import (
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// cutMark ends a value that was cut.
const cutMark = "…"

// stamp writes times as 2006-01-02T15:04:05.000000Z and keeps the part up to the second.
type stamp struct {
	sec    int64
	prefix []byte
}

func (s *stamp) append(dst []byte, t time.Time) []byte {
	if sec := t.Unix(); sec != s.sec || s.prefix == nil {
		s.sec = sec
		s.prefix = t.UTC().AppendFormat(s.prefix[:0], "2006-01-02T15:04:05.")
	}
	dst = append(dst, s.prefix...)
	us := uint32(t.Nanosecond() / 1000)
	var d [6]byte
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = byte('0' + us%10)
		us /= 10
	}
	dst = append(dst, d[:]...)
	return append(dst, 'Z')
}

// text is what escapers take: bytes from the network or names of ours.
type text interface{ ~string | ~[]byte }

// appendJSON appends the inside of a JSON string (RFC 8259 section 7) for s, at most about limit bytes and a mark. Bytes that are not UTF-8 become
// U+FFFD, one for each byte, as encoding/json does.
func appendJSON[T text](dst []byte, s T, limit int) []byte {
	end := len(dst) + limit
	for i := 0; i < len(s); {
		if len(dst) >= end-6 {
			return append(dst, cutMark...)
		}
		if c := s[i]; c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c < 0x20:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := decodeRune(s, i)
		if r == utf8.RuneError {
			dst = append(dst, "\ufffd"...)
		} else {
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}

// decodeRune is utf8.DecodeRune at s[i:] without converting s.
func decodeRune[T text](s T, i int) (rune, int) {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s[i:])
	return utf8.DecodeRune(b[:n])
}

// appendQuoted appends s between double quotes for a text line: control bytes, quotes, backslashes and what is not UTF-8 become \xNN.
func appendQuoted[T text](dst []byte, s T, limit int) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s, limit)
	return append(dst, '"')
}

func appendEscaped[T text](dst []byte, s T, limit int) []byte {
	end := len(dst) + limit
	for i := 0; i < len(s); {
		if len(dst) >= end-4 {
			return append(dst, cutMark...)
		}
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f || c == '"' || c == '\\' {
				dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := decodeRune(s, i)
		// C1 controls steer terminals as well.
		if r == utf8.RuneError && n == 1 || r < 0xa0 {
			for _, c := range []byte(s[i : i+n]) {
				dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			}
		} else {
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}

func appendMicros(dst []byte, ns int64) []byte { return strconv.AppendInt(dst, ns/1000, 10) }
