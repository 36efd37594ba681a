package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// entry is one field of a dynamic table. Its name and value stand one behind the other in the ring of bytes, from pos
// on; they may wrap around its end.
type entry struct {
	pos         uint32
	hash        uint32 // encoder: of name and value
	name, value uint16 // sizes in bytes
	id          wire.FieldID
	bad         uint8 // decoder: what HTTP/2 forbids in it
}

// table is a dynamic table (RFC 7541 section 2.3.2): a ring of entries over a ring of bytes. Both have sizes that are
// powers of two, and double as long as the table's own limit leaves room. Entries are numbered by insertion; next is
// the number of the one to come, so the newest is next-1 and the oldest next-count.
type table struct {
	buf   []byte
	slots []entry
	tail  uint32 // where the next entry's bytes go, not yet reduced to the ring
	next  uint32
	count uint32
	size  int // as RFC 7541 section 4.1 counts it
	max   int
}

// at returns the entry with this number, which must be in the table.
func (t *table) at(number uint32) *entry { return &t.slots[number&uint32(len(t.slots)-1)] }

// holds tells whether the entry with this number is still in the table.
func (t *table) holds(number uint32) bool { return t.next-1-number < t.count }

// read copies n bytes from position pos of the ring to dst.
func (t *table) read(dst []byte, pos uint32) {
	from := pos & uint32(len(t.buf)-1)
	if n := copy(dst, t.buf[from:]); n < len(dst) {
		copy(dst[n:], t.buf)
	}
}

func (t *table) write(src []byte, pos uint32) {
	to := pos & uint32(len(t.buf)-1)
	if n := copy(t.buf[to:], src); n < len(src) {
		copy(t.buf, src[n:])
	}
}

// equal compares the ring from position pos on with b.
func (t *table) equal(b []byte, pos uint32) bool {
	from := int(pos & uint32(len(t.buf)-1))
	if from+len(b) <= len(t.buf) {
		return string(t.buf[from:from+len(b)]) == string(b)
	}
	n := len(t.buf) - from
	return string(t.buf[from:]) == string(b[:n]) && string(t.buf[:len(b)-n]) == string(b[n:])
}

// setMax changes the limit and evicts what no longer fits (RFC 7541 section 4.3).
func (t *table) setMax(n int) {
	t.max = n
	t.evict(n)
}

// evict drops the oldest entries until no more than size is used.
func (t *table) evict(size int) {
	for t.size > size {
		e := t.at(t.next - t.count)
		t.size -= int(e.name) + int(e.value) + EntryOverhead
		t.count--
	}
}

// insert adds a field as the newest (RFC 7541 section 4.4). One larger than the table empties it; then nil is
// returned. name and value must not be slices of the ring.
func (t *table) insert(name, value []byte) *entry {
	n := len(name) + len(value)
	if n+EntryOverhead > t.max {
		t.evict(0)
		return nil
	}
	t.evict(t.max - n - EntryOverhead)
	if used := t.size - EntryOverhead*int(t.count); used+n > len(t.buf) {
		t.growBytes(used + n)
	}
	if int(t.count) == len(t.slots) {
		t.growSlots()
	}
	e := t.at(t.next)
	*e = entry{pos: t.tail, name: uint16(len(name)), value: uint16(len(value))}
	t.write(name, t.tail)
	t.write(value, t.tail+uint32(len(name)))
	t.tail += uint32(n)
	t.next++
	t.count++
	t.size += n + EntryOverhead
	return e
}

// growBytes makes room for n bytes in all and lines the entries up again from position 0.
func (t *table) growBytes(n int) {
	size := max(minTableBuffer, len(t.buf))
	for size < n {
		size *= 2
	}
	old := *t
	t.buf = make([]byte, size)
	t.tail = 0
	for number := t.next - t.count; number != t.next; number++ {
		e := t.at(number)
		n := uint32(e.name) + uint32(e.value)
		old.read(t.buf[t.tail:t.tail+n], e.pos)
		e.pos = t.tail
		t.tail += n
	}
}

func (t *table) growSlots() {
	old := *t
	t.slots = make([]entry, max(minTableSlots, 2*len(t.slots)))
	for number := t.next - t.count; number != t.next; number++ {
		*t.at(number) = *old.at(number)
	}
}
