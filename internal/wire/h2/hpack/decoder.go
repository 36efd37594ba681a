package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// Decoder turns the header blocks of one connection into fields. Call Init before use.
type Decoder struct {
	t       table
	allowed int // SETTINGS_HEADER_TABLE_SIZE that the peer knows of
	// maxBytes and maxFields limit a list.
	maxBytes, maxFields int
	mustUpdate          bool
}

// Init makes the decoder ready for a new connection, keeping its memory. maxBytes limits the size of a list as RFC 9113
// section 6.5.2 counts it, maxFields the number of its fields, pseudo-headers included. The table begins with its
// default size; see Allow.
func (d *Decoder) Init(maxBytes, maxFields int) {
	d.t.evict(0)
	d.t.max, d.allowed = DefaultTableBytes, DefaultTableBytes
	d.maxBytes, d.maxFields, d.mustUpdate = maxBytes, maxFields, false
}

// Allow sets the largest table that the peer's encoder may use: our SETTINGS_HEADER_TABLE_SIZE, once it is
// acknowledged. When that is less than what is in use, the next block must begin with a size update (RFC 7541 section
// 4.2). n may be at most MaxTableBytes.
func (d *Decoder) Allow(n int) {
	d.allowed = min(n, MaxTableBytes)
	d.mustUpdate = d.allowed < d.t.max
}

// Decode decodes a whole block into l. After an error, which is one of this package's, the table is out of step with
// the peer and the connection must end. See List for whose memory the fields are.
func (d *Decoder) Decode(block []byte, l *List) *wire.Error {
	l.reset()
	i, err := d.sizeUpdates(block)
	if err != nil {
		return err
	}
	for i < len(block) {
		c := block[i]
		switch {
		case c >= 0x80: // section 6.1: indexed
			index := uint32(c & 0x7f)
			i++
			if index == 0x7f {
				if index, i, err = readInteger(block, i-1, 0x7f); err != nil {
					return err
				}
			}
			if index <= staticEntries {
				if index == 0 {
					return ErrIndex
				}
				f := &staticFields[index]
				if d.fits(l, len(f.Name)+len(f.Value)) {
					*l.add() = *f
				}
				continue
			}
			e := d.entry(index)
			if e == nil {
				return ErrIndex
			}
			d.emitEntry(l, e)
		case c >= 0x40: // section 6.2.1: literal, to be inserted
			i, err = d.literal(block, i, 0x3f, true, l)
		case c >= 0x20:
			return ErrSizeUpdate
		default: // sections 6.2.2 and 6.2.3: literal, not inserted
			i, err = d.literal(block, i, 0x0f, false, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sizeUpdates reads the table size updates that may begin a block (RFC 7541 sections 4.2 and 6.3).
func (d *Decoder) sizeUpdates(block []byte) (i int, err *wire.Error) {
	for n := 0; i < len(block) && block[i]&0xe0 == 0x20; n++ {
		var size uint32
		if size, i, err = readInteger(block, i, 0x1f); err != nil {
			return i, err
		}
		if int(size) > d.allowed || n == maxSizeUpdates {
			return i, ErrSizeUpdate
		}
		d.t.setMax(int(size))
		d.mustUpdate = false
	}
	if d.mustUpdate {
		return i, ErrNoSizeUpdate
	}
	return i, nil
}

// entry finds the entry of the dynamic table with this index, or nil.
func (d *Decoder) entry(index uint32) *entry {
	back := index - firstDynamic
	if back >= d.t.count {
		return nil
	}
	return d.t.at(d.t.next - 1 - back)
}

// fits counts a field of n bytes and tells whether it can be handed out.
func (d *Decoder) fits(l *List, n int) bool {
	if l.Large {
		return false
	}
	l.Bytes += n + EntryOverhead
	if l.Bytes > d.maxBytes || len(l.Fields) == d.maxFields {
		l.tooLarge()
		return false
	}
	return true
}

// emitEntry hands out an entry of the dynamic table. It is copied, since a later field of the same block may evict it.
func (d *Decoder) emitEntry(l *List, e *entry) {
	n, all := int(e.name), int(e.name)+int(e.value)
	if !d.fits(l, all) {
		return
	}
	b := l.Take(all)
	d.t.read(b, e.pos)
	l.Bad |= e.bad
	f := l.add()
	f.Name, f.Value, f.ID, f.Hop = b[:n:n], b[n:], e.id, false
}

// literal reads a literal field at block[i]; the bits of mask hold the index of its name, or 0.
func (d *Decoder) literal(block []byte, i int, mask byte, insert bool, l *List) (int, *wire.Error) {
	index, i, err := readInteger(block, i, mask)
	if err != nil {
		return i, err
	}
	if l.Large {
		l.buf = l.buf[:0] // nothing points into it any more
	}
	var (
		name []byte
		id   wire.FieldID
		bad  uint8
	)
	switch {
	case index == 0:
		if name, i, err = d.text(block, i, l); err != nil {
			return i, err
		}
		id, bad = wire.LookupField(name), checkName(name)
	case index <= staticEntries:
		name, id = staticFields[index].Name, staticFields[index].ID
	default:
		e := d.entry(index)
		if e == nil {
			return i, ErrIndex
		}
		name = l.Take(int(e.name))
		d.t.read(name, e.pos)
		id, bad = e.id, e.bad&BadName
	}
	value, i, err := d.text(block, i, l)
	if err != nil {
		return i, err
	}
	bad |= checkValue(value)
	if insert {
		if e := d.t.insert(name, value); e != nil {
			e.id, e.bad = id, bad
		}
	}
	if d.fits(l, len(name)+len(value)) {
		l.Bad |= bad
		f := l.add()
		f.Name, f.Value, f.ID, f.Hop = name, value, id, false
	}
	return i, nil
}

// text reads a string literal (RFC 7541 section 5.2): a slice of the block, or of the list's memory when it was
// Huffman-coded.
func (d *Decoder) text(block []byte, i int, l *List) ([]byte, int, *wire.Error) {
	if i == len(block) {
		return nil, i, ErrTruncated
	}
	huffman := block[i]&0x80 != 0
	size, i, err := readInteger(block, i, 0x7f)
	if err != nil {
		return nil, i, err
	}
	if int(size) > len(block)-i {
		return nil, i, ErrTruncated
	}
	end := i + int(size)
	raw := block[i:end:end]
	if !huffman {
		return raw, end, nil
	}
	b := l.Take(huffmanRoom(len(raw)))
	n, ok := decodeHuffman(b, raw)
	if !ok {
		return nil, end, ErrHuffman
	}
	l.giveBack(len(b) - n)
	return b[:n:n], end, nil
}
