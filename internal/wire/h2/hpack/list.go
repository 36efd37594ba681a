package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// What HTTP/2 forbids in a field (RFC 9113 section 8.2.1).
const (
	// BadName: the name is empty, not a token, or has upper-case letters. A name that begins with ':' is not bad; whether
	// it is a pseudo-header is for the message to say.
	BadName uint8 = 1 << iota
	// BadValue: the value holds a control character, or begins or ends with white space.
	BadValue
)

// List is what a block decodes to. The zero value is ready; its memory is kept from block to block.
type List struct {
	// Fields in the order of the block, pseudo-headers included. Hop is never set.
	Fields []wire.Field
	// Bytes is the size of the list as RFC 9113 section 6.5.2 counts it, up to the first field that was too much.
	Bytes int
	// Bad is the sum of what is forbidden in any of the fields.
	Bad uint8
	// Large: the list exceeded a limit. Fields is empty then.
	Large bool

	buf []byte // what is not in the block stands here; a full buffer is left to the fields that point into it
}

// listBuffer is the first buffer of a list, enough for the fields of a browser's request.
const listBuffer = 4096

func (l *List) reset() {
	l.Fields, l.buf = l.Fields[:0], l.buf[:0]
	l.Bytes, l.Bad, l.Large = 0, 0, false
}

// Take returns n bytes of the list's own memory, which live as long as its fields.
func (l *List) Take(n int) []byte {
	used := len(l.buf)
	if cap(l.buf)-used < n {
		l.buf = make([]byte, 0, max(listBuffer, 2*cap(l.buf), n))
		used = 0
	}
	l.buf = l.buf[:used+n]
	return l.buf[used : used+n : used+n]
}

// giveBack returns the last n bytes of what Take gave.
func (l *List) giveBack(n int) { l.buf = l.buf[:len(l.buf)-n] }

// add makes room for one more field, to be written in place.
func (l *List) add() *wire.Field {
	if n := len(l.Fields); n < cap(l.Fields) {
		l.Fields = l.Fields[:n+1]
	} else {
		l.Fields = append(l.Fields, wire.Field{})
	}
	return &l.Fields[len(l.Fields)-1]
}

// tooLarge gives up on the fields; the rest of the block is decoded for the table's sake only.
func (l *List) tooLarge() {
	l.Large = true
	l.Fields, l.buf = l.Fields[:0], l.buf[:0]
}

func checkName(name []byte) uint8 {
	if len(name) == 0 {
		return BadName
	}
	if name[0] == ':' {
		name = name[1:]
	}
	for _, c := range name {
		if nameClass[c] == 0 {
			return BadName
		}
	}
	return 0
}

// nameClass is 1 for the bytes of a name: those of a token but for upper-case letters.
var nameClass = func() (t [256]uint8) {
	for i := range t {
		if c := byte(i); wire.Class[c]&wire.ClassToken != 0 && (c < 'A' || c > 'Z') {
			t[i] = 1
		}
	}
	return t
}()

func checkValue(value []byte) uint8 {
	n := len(value)
	if n == 0 {
		return 0
	}
	if a, z := value[0], value[n-1]; a == ' ' || a == '\t' || z == ' ' || z == '\t' {
		return BadValue
	}
	for len(value) >= 8 {
		// Eight bytes at a time: is one below 0x20, or 0x7f? A tab is looked at more closely.
		x := load64(value)
		y := x ^ 0x7f7f7f7f7f7f7f7f
		if ((x-0x2020202020202020)&^x|(y-0x0101010101010101)&^y)&0x8080808080808080 != 0 && badBytes(value[:8]) {
			return BadValue
		}
		value = value[8:]
	}
	if badBytes(value) {
		return BadValue
	}
	return 0
}

func badBytes(value []byte) bool {
	for _, c := range value {
		if wire.Class[c]&wire.ClassValue == 0 {
			return true
		}
	}
	return false
}
