package hpack

// A load generator sends the same head again and again. It encodes the head twice: once with fields that the peer is to put
// into its dynamic table, and once with their indices, which hold as long as nothing else is inserted on the connection. The
// functions of this file encode such blocks; they keep no table.

// FirstDynamic is the index of the field that was inserted last (RFC 7541 section 2.3.3).
const FirstDynamic = firstDynamic

// AppendIndexed appends a field of either table by its index.
func AppendIndexed(dst []byte, index int) []byte {
	return appendInteger(dst, 0x80, 0x7f, uint32(index))
}

// AppendInsert appends a literal field that the peer's decoder inserts into its table (RFC 7541 section 6.2.1). name is in lower
// case; pseudo-headers are allowed.
func AppendInsert(dst []byte, name, value string) []byte {
	return appendTemplate(dst, 0x40, 0x3f, name, value)
}

// AppendLiteral appends a field that is not inserted (section 6.2.2). A field that stands in the static table becomes its index.
func AppendLiteral(dst []byte, name, value string) []byte {
	for i := 1; i <= staticEntries; i++ {
		if staticText[i] == [2]string{name, value} {
			return AppendIndexed(dst, i)
		}
	}
	return appendTemplate(dst, 0, 0x0f, name, value)
}

func appendTemplate(dst []byte, pattern, mask byte, name, value string) []byte {
	for i := 1; i <= staticEntries; i++ {
		if staticText[i][0] == name {
			return appendText(appendInteger(dst, pattern, mask, uint32(i)), []byte(value))
		}
	}
	dst = appendText(append(dst, pattern), []byte(name))
	return appendText(dst, []byte(value))
}

// TableSize is the size in bytes of the dynamic table that the encoder uses: the smaller one of its own limit and what the
// peer allows.
func (e *Encoder) TableSize() int { return e.t.max }
