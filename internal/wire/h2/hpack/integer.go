package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// readInteger reads an integer whose first byte is b[i], of which the lowest bits given by mask belong to it (RFC 7541
// section 5.1), and returns it with the position behind it.
func readInteger(b []byte, i int, mask byte) (v uint32, next int, err *wire.Error) {
	v = uint32(b[i] & mask)
	i++
	if v < uint32(mask) {
		return v, i, nil
	}
	for shift := 0; ; shift += 7 {
		if i == len(b) {
			return 0, i, ErrTruncated
		}
		c := b[i]
		i++
		if shift > 21 {
			return 0, i, ErrInteger
		}
		v += uint32(c&0x7f) << shift
		if v > maxInteger {
			return 0, i, ErrInteger
		}
		if c < 0x80 {
			return v, i, nil
		}
	}
}

// appendInteger appends v behind the pattern in the upper bits of first; mask has the bits that v may use in that
// byte.
func appendInteger(dst []byte, first, mask byte, v uint32) []byte {
	if v < uint32(mask) {
		return append(dst, first|byte(v))
	}
	dst = append(dst, first|mask)
	v -= uint32(mask)
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}
