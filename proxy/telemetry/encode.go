package telemetry

import (
	"math/bits"
	"strconv"
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

// plain is the length of the front of s that every format takes as it is: printable ASCII but for quotes and backslashes. Most values are nothing else.
func plain[T text](s T) int {
	const ones = 0x0101010101010101
	i := 0
	for ; i+8 <= len(s); i += 8 { // eight bytes at once
		b := s[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		quotes, backslashes := w^('"'*ones), w^('\\'*ones)
		// The high bit of a byte is set where it is beyond ASCII, below a space, a quote, a backslash or DEL. A borrow or carry may set it in a byte above one
		// of those, too: only the lowest counts.
		if bad := (w | (w - ' '*ones) | (quotes - ones) | (backslashes - ones) | (w + ones)) & (0x80 * ones); bad != 0 {
			return i + bits.TrailingZeros64(bad)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			break
		}
	}
	return i
}

// appendJSON appends the inside of a JSON string (RFC 8259 section 7) for s, at most about limit bytes and a mark. Bytes that are not UTF-8 become
// U+FFFD, one for each byte, as encoding/json does.
func appendJSON[T text](dst []byte, s T, limit int) []byte {
	end := len(dst) + limit
	i := min(plain(s), limit-6)
	for dst = append(dst, s[:i]...); i < len(s); {
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
	i := min(plain(s), limit-4)
	for dst = append(dst, s[:i]...); i < len(s); {
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
