package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// Fields encoded by the functions of this file refer to the static table only and insert nothing, so they mean the same
// on every connection: the head of an answer that never changes is encoded once and then copied. Such a block still
// stands behind what Encoder.Begin appends.

// AppendStatelessStatus appends :status.
func AppendStatelessStatus(dst []byte, status int) []byte {
	var e Encoder // no table: nothing is found and nothing fits
	return e.AppendStatus(dst, status)
}

// AppendStateless appends a field; name may have upper-case letters.
func AppendStateless(dst, name, value []byte) []byte {
	id := wire.LookupField(name)
	r := &rules[id]
	if id == wire.FieldOther {
		name = lowered(string(name))
	} else {
		name = r.name
	}
	if len(value) == 0 && r.static && r.treat < secret {
		return append(dst, 0x80|r.index)
	}
	pattern := byte(0)
	if r.treat >= secret {
		pattern = 0x10
	}
	if r.index != 0 {
		dst = appendInteger(dst, pattern, 0x0f, uint32(r.index))
	} else {
		dst = appendText(append(dst, pattern), name)
	}
	return appendText(dst, value)
}
