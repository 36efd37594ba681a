package hpack

import (
	"math/bits"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// Encoder turns the fields of one connection into header blocks. Call Init before use, and Begin before the first field
// of every block. All Append methods append to dst and return it; they check nothing, so names and values must come
// from a parser of this module, from validated configuration or from constants.
type Encoder struct {
	t     table
	index []uint32 // hash → number of an entry, two places for each hash; memory follows with the first insertion
	seen  []uint32 // hashes that came lately and were not inserted

	own    int // the largest table that we want
	lowest int // of the sizes chosen since the last block
	update bool
	lower  []byte // scratch for a name in lower case
}

const (
	indexSlots = 128
	seenSlots  = 64
)

// Init makes the encoder ready for a new connection, keeping its memory. own is the largest dynamic table in bytes that
// we want to keep, whatever the peer allows; 0 turns the dynamic table off.
func (e *Encoder) Init(own int) {
	e.t.evict(0)
	clear(e.index)
	clear(e.seen)
	e.t.next = 1 // 0 means an empty place of the index
	e.own = min(own, MaxTableBytes)
	e.t.max, e.update = DefaultTableBytes, false
	if e.own < DefaultTableBytes {
		e.resize(e.own)
	}
}

// Allow takes in the peer's SETTINGS_HEADER_TABLE_SIZE. The next block begins with the size update that RFC 7541
// section 4.2 asks for.
func (e *Encoder) Allow(n uint32) {
	if size := int(min(n, uint32(e.own))); size != e.t.max {
		e.resize(size)
	}
}

func (e *Encoder) resize(size int) {
	if !e.update || size < e.lowest {
		e.lowest = size
	}
	e.update = true
	e.t.setMax(size)
}

// Begin begins a block. It appends nothing unless the size of the table has changed.
func (e *Encoder) Begin(dst []byte) []byte {
	if !e.update {
		return dst
	}
	e.update = false
	if e.lowest < e.t.max {
		dst = appendInteger(dst, 0x20, 0x1f, uint32(e.lowest))
	}
	return appendInteger(dst, 0x20, 0x1f, uint32(e.t.max))
}

// AppendField appends a header or trailer field. id must be what wire.LookupField says of name, which may have
// upper-case letters: names go out in lower case (RFC 9113 section 8.2).
func (e *Encoder) AppendField(dst []byte, id wire.FieldID, name, value []byte) []byte {
	if id == wire.FieldOther {
		return e.other(dst, name, value)
	}
	return e.known(dst, kind(id), value)
}

// AppendMethod appends :method.
func (e *Encoder) AppendMethod(dst []byte, method wire.Method, name []byte) []byte {
	switch method {
	case wire.MethodGet:
		return append(dst, 0x80|staticGet)
	case wire.MethodPost:
		return append(dst, 0x80|staticPost)
	}
	return e.known(dst, kindMethod, name)
}

// AppendScheme appends :scheme.
func (e *Encoder) AppendScheme(dst, scheme []byte) []byte {
	switch string(scheme) {
	case "https":
		return append(dst, 0x80|staticHTTPS)
	case "http":
		return append(dst, 0x80|staticHTTP)
	}
	return e.known(dst, kindScheme, scheme)
}

// AppendPath appends :path.
func (e *Encoder) AppendPath(dst, path []byte) []byte {
	if len(path) == 1 && path[0] == '/' {
		return append(dst, 0x80|staticPathRoot)
	}
	return e.known(dst, kindPath, path)
}

// AppendAuthority appends :authority.
func (e *Encoder) AppendAuthority(dst, authority []byte) []byte {
	return e.known(dst, kindAuthority, authority)
}

// AppendProtocol appends :protocol (RFC 8441).
func (e *Encoder) AppendProtocol(dst, protocol []byte) []byte {
	return e.known(dst, kindProtocol, protocol)
}

// AppendStatus appends :status. A status that does not have three digits is a mistake of the caller and becomes 500.
func (e *Encoder) AppendStatus(dst []byte, status int) []byte {
	if i := staticStatusIndex(status); i != 0 {
		return append(dst, 0x80|i)
	}
	if uint(status-100) > 899 {
		return append(dst, 0x80|(staticStatus+6))
	}
	text := [3]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)}
	return e.known(dst, kindStatus, text[:])
}

func staticStatusIndex(status int) byte {
	switch status {
	case 200:
		return staticStatus
	case 204:
		return staticStatus + 1
	case 206:
		return staticStatus + 2
	case 304:
		return staticStatus + 3
	case 400:
		return staticStatus + 4
	case 404:
		return staticStatus + 5
	case 500:
		return staticStatus + 6
	}
	return 0
}

// known appends a field whose name has a rule.
func (e *Encoder) known(dst []byte, k kind, value []byte) []byte {
	r := &rules[k]
	if len(value) == 0 && r.static && r.treat < secret {
		return append(dst, 0x80|r.index)
	}
	if k == kind(wire.FieldAcceptEncoding) && string(value) == staticText[staticGzip][1] {
		return append(dst, 0x80|staticGzip)
	}
	return e.field(dst, r, r.name, value, hashBytes(r.seed, value))
}

// other appends a field whose name is not well known.
func (e *Encoder) other(dst, name, value []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			name = e.toLower(name)
			break
		}
	}
	r := &rules[wire.FieldOther]
	return e.field(dst, r, name, value, hashBytes(hashBytes(r.seed, name), value))
}

func (e *Encoder) toLower(name []byte) []byte {
	e.lower = append(e.lower[:0], name...)
	for i, c := range e.lower {
		if 'A' <= c && c <= 'Z' {
			e.lower[i] = c | 0x20
		}
	}
	return e.lower
}

func (e *Encoder) field(dst []byte, r *rule, name, value []byte, hash uint32) []byte {
	pattern, mask := byte(0x00), byte(0x0f)
	switch {
	case r.treat == credential || r.treat == secret && len(value) < shortSecret:
		pattern = 0x10
	case r.treat >= plain:
	default:
		if number, ok := e.find(name, value, hash); ok {
			return appendInteger(dst, 0x80, 0x7f, firstDynamic+e.t.next-1-number)
		}
		// An entry that would push out half of the table is not worth it.
		if size := len(name) + len(value) + EntryOverhead; size <= e.t.max/2 && (r.treat == onFirst || e.again(hash)) {
			pattern, mask = 0x40, 0x3f
			e.insert(name, value, hash)
		}
	}
	if r.index != 0 {
		dst = appendInteger(dst, pattern, mask, uint32(r.index))
	} else {
		dst = appendText(append(dst, pattern), name)
	}
	return appendText(dst, value)
}

// appendText appends a string literal, Huffman-coded when that is shorter.
func appendText(dst, s []byte) []byte {
	if n := huffmanSize(s); n < len(s) {
		return appendHuffman(appendInteger(dst, 0x80, 0x7f, uint32(n)), s, n)
	}
	return append(appendInteger(dst, 0, 0x7f, uint32(len(s))), s...)
}

// find looks for an entry with this name and value.
func (e *Encoder) find(name, value []byte, hash uint32) (number uint32, ok bool) {
	if len(e.index) == 0 {
		return 0, false
	}
	for _, slot := range [2]uint32{hash % indexSlots, hash >> 16 % indexSlots} {
		number = e.index[slot]
		if number == 0 || !e.t.holds(number) {
			continue
		}
		en := e.t.at(number)
		if en.hash == hash && int(en.name) == len(name) && int(en.value) == len(value) && e.t.equal(name, en.pos) &&
			e.t.equal(value, en.pos+uint32(en.name)) {
			return number, true
		}
	}
	return 0, false
}

// again tells whether this field came lately, and remembers it.
func (e *Encoder) again(hash uint32) bool {
	if len(e.seen) == 0 {
		e.seen = make([]uint32, seenSlots)
	}
	p := &e.seen[hash>>8%seenSlots]
	if *p == hash {
		return true
	}
	*p = hash
	return false
}

func (e *Encoder) insert(name, value []byte, hash uint32) {
	en := e.t.insert(name, value)
	if en == nil {
		return
	}
	en.hash = hash
	if len(e.index) == 0 {
		e.index = make([]uint32, indexSlots)
	}
	// Of its two places the field takes the one whose entry is gone or older.
	number := e.t.next - 1
	a, b := &e.index[hash%indexSlots], &e.index[hash>>16%indexSlots]
	if number-*b > number-*a {
		a = b
	}
	*a = number
}

// hashBytes continues the hash h with b. It only has to spread honest values: a collision costs a comparison.
func hashBytes(h uint32, b []byte) uint32 {
	const k = 0x9e3779b97f4a7c15
	x := uint64(h) ^ uint64(len(b))<<32
	for len(b) >= 8 {
		x = mix(x^load64(b), k)
		b = b[8:]
	}
	var last uint64
	for i, c := range b {
		last |= uint64(c) << (8 * uint(i))
	}
	x = mix(x^last, k)
	if y := uint32(x ^ x>>32); y != 0 {
		return y
	}
	return 1 // 0 means an empty place in seen
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func load64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
