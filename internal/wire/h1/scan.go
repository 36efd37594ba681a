package h1

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/blitz-gateway/blitz/internal/wire"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// valueEnd returns the index of the first byte at or after i that cannot be part of a field value: a control
// character other than tab. It returns len(b) when there is none. It looks at eight bytes at a time within a register;
// AVX2 was measured and gains on long values only, while the call costs more than it saves on the short ones of most
// heads.
func valueEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		// The top bit of a byte is set where the byte is below 0x20 or equal to 0x7f (which the exclusive or turns
		// into zero). A borrow may also set it in bytes above one of these, so that only the lowest mark counts.
		del := x ^ 0x7f*ones
		marks := ((x-0x20*ones)&^x | (del-ones)&^del) & highs
		if marks == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(marks) >> 3
		if b[i] != '\t' {
			return i
		}
		i++
	}
	for i < len(b) && wire.Class[b[i]]&wire.ClassValue != 0 {
		i++
	}
	return i
}

// targetEnd returns the index of the first byte at or after i that cannot be part of a request target, or len(b).
func targetEnd(b []byte, i int) int {
	for i < len(b) && wire.Class[b[i]]&wire.ClassTarget != 0 {
		i++
	}
	return i
}

// HeadEnd returns the index behind the first empty line of b, or -1 when there is none yet. from is the length that b
// had at the last call, or 0: a client that sends its head byte by byte costs one look at each byte. Call
// ParseRequest first, which refuses bad beginnings at once; when it reports an incomplete head, call HeadEnd on every
// new read, and ParseRequest again when it has found an end, or when b has reached Limits.HeadBytes. A line that ends
// in LF alone counts as an end too, for ParseRequest to refuse.
func HeadEnd(b []byte, from int) int {
	i := max(from-3, 0)
	for i < len(b) {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return -1
		}
		i += j + 1
		if i < len(b) && b[i] == '\n' {
			return i + 1
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
	return -1
}
