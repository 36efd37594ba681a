package h1

import (
	"bytes"
	"encoding/binary"

	"github.com/blitz-gateway/blitz/internal/wire"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// valueEnd returns the index of the first byte at or after i that cannot be part of a field value: a control character other than
// tab. It returns len(b) when there is none.
func valueEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// A byte below 0x20 borrows into its top bit, unless that was set before; a byte equal to 0x7f becomes zero by the
		// exclusive or. Tabs are suspects too, which the table then clears.
		del := x ^ 0x7f*ones
		if ((x-0x20*ones)&^x|(del-ones)&^del)&highs != 0 {
			for j := i; j < i+8; j++ {
				if wire.Class[b[j]]&wire.ClassValue == 0 {
					return j
				}
			}
		}
	}
	for ; i < len(b); i++ {
		if wire.Class[b[i]]&wire.ClassValue == 0 {
			return i
		}
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

// HeadEnd returns the index behind the first empty line of b, or -1 when there is none yet. from is the length that b had at the last call, or
// 0: a client that sends its head byte by byte costs one look at each byte. Call ParseRequest first, which refuses
// bad beginnings at once; when it reports an incomplete head, call HeadEnd on every new read, and ParseRequest again when it
// has found an end, or when b has reached Limits.HeadBytes. A line that ends in LF alone counts as an end too, for ParseRequest to
// refuse.
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
