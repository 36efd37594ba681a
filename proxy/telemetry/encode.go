package telemetry

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// cutMark ends a value that was cut.
const cutMark = "…"

// stamp writes times as 2006-01-02T15:04:05.000000Z, and keeps the last one: requests that end in one turn of the loop have the same time, those of one
// second differ in the fraction only.
type stamp struct {
	us, sec  int64 // of text, since 1970
	text     []byte
	fraction []byte // its six digits, within text; nil: there is no text yet
}

func (s *stamp) append(dst []byte, t time.Time) []byte {
	if us := t.UnixMicro(); us != s.us || s.fraction == nil {
		s.us = us
		s.render(t)
	}
	return append(dst, s.text...)
}

func (s *stamp) render(t time.Time) {
	if sec := t.Unix(); sec != s.sec || s.fraction == nil {
		s.sec = sec
		s.text = t.UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05.000000Z")
		s.fraction = s.text[len(s.text)-len("000000Z"):][:6]
	}
	us := uint32(t.Nanosecond() / 1000)
	for i := len(s.fraction) - 1; i >= 0; i-- {
		s.fraction[i] = byte('0' + us%10)
		us /= 10
	}
}

// text is what escapers take: bytes from the network or names of ours.
type text interface{ ~string | ~[]byte }

const everyByte = 0x0101010101010101

// special has the high bit of the first byte of w set, and none below, that not every format takes as it is; 0: there is none. Printable ASCII but for quotes and
// backslashes is taken.
func special(w uint64) uint64 {
	quotes, backslashes := w^('"'*everyByte), w^('\\'*everyByte)
	// The high bit of a byte is set where it is beyond ASCII, below a space, a quote, a backslash or DEL. A borrow or carry may set it in a byte above one
	// of those, too: only the lowest counts.
	return (w | (w - ' '*everyByte) | (quotes - everyByte) | (backslashes - everyByte) | (w + everyByte)) & (0x80 * everyByte)
}

// appendPlain appends the front of s that every format takes as it is, and returns its length. Most values are nothing else. Eight bytes at once are looked at and
// written on the way; what proves not to be plain is behind the end.
func appendPlain[T text](dst []byte, s T) (_ []byte, n int) {
	at := len(dst)
	if cap(dst)-at < len(s)+8 {
		dst = slices.Grow(dst, len(s)+8)
	}
	room := dst[at:cap(dst)]
	for n+8 <= len(s) {
		w := eight(s, n)
		binary.LittleEndian.PutUint64(room[n:], w)
		if bad := special(w); bad != 0 {
			n += bits.TrailingZeros64(bad) / 8
			return dst[:at+n], n
		}
		n += 8
	}
	rest := len(s) - n
	switch {
	case rest == 0:
		return dst[:at+n], n
	case n > 0: // the last eight, of which the first are known
		n = len(s) - 8
		w := eight(s, n)
		binary.LittleEndian.PutUint64(room[n:], w)
		if bad := special(w); bad != 0 {
			n += bits.TrailingZeros64(bad) / 8
			return dst[:at+n], n
		}
		return dst[:at+len(s)], len(s)
	}
	var w uint64
	for i := rest - 1; i >= 0; i-- {
		w = w<<8 | uint64(s[i])
	}
	binary.LittleEndian.PutUint64(room, w)
	n = rest
	if bad := special(w | ' '*everyByte<<(8*rest)); bad != 0 {
		n = bits.TrailingZeros64(bad) / 8
	}
	return dst[:at+n], n
}

// eight are the bytes of s from i, the first in the lowest byte.
func eight[T text](s T, i int) uint64 {
	b := s[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// appendJSON appends the inside of a JSON string (RFC 8259 section 7) for s, at most about limit bytes and a mark. Bytes that are not UTF-8 become
// U+FFFD, one for each byte, as encoding/json does.
func appendJSON[T text](dst []byte, s T, limit int) []byte {
	end := len(dst) + limit
	dst, i := appendPlain(dst, s[:min(len(s), limit-6)])
	if i == len(s) {
		return dst
	}
	return escapeJSON(dst, s, i, end)
}

// escapeJSON appends s[i:], up to about end bytes in dst.
func escapeJSON[T text](dst []byte, s T, i, end int) []byte {
	for i < len(s) {
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
	dst, i := appendPlain(dst, s[:min(len(s), limit-4)])
	for i < len(s) {
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
