package wire

// Classes of bytes, one bit each, so that one table look-up answers any of these questions. Codecs of all versions
// share it.
const (
	// ClassToken: RFC 9110 section 5.6.2, names of fields and methods.
	ClassToken uint8 = 1 << iota
	// ClassValue: what a field value may hold: visible ASCII, space, tab and obs-text (RFC 9110 section 5.5).
	ClassValue
	// ClassTarget: what a request target may hold: visible ASCII without '#', as a fragment is never sent.
	ClassTarget
	// ClassPlain: what a path may hold that needs no look at its neighbours: ClassTarget without '%', '/', '?' and
	// '\'.
	ClassPlain
	// ClassUnreserved: RFC 3986 section 2.3, never in need of percent-encoding.
	ClassUnreserved
	// ClassHex: hexadecimal digits in both cases.
	ClassHex
)

// Class is the table of byte classes.
var Class = buildClass()

func buildClass() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		digit := '0' <= c && c <= '9'
		alpha := 'a' <= c|0x20 && c|0x20 <= 'z'
		visible := 0x21 <= c && c <= 0x7e
		if digit || alpha || has("!#$%&'*+-.^_`|~", c) {
			t[i] |= ClassToken
		}
		if visible || c == ' ' || c == '\t' || c >= 0x80 {
			t[i] |= ClassValue
		}
		if visible && c != '#' {
			t[i] |= ClassTarget
			if !has(`%/?\`, c) {
				t[i] |= ClassPlain
			}
		}
		if digit || alpha || has("-._~", c) {
			t[i] |= ClassUnreserved
		}
		if digit || 'a' <= c|0x20 && c|0x20 <= 'f' {
			t[i] |= ClassHex
		}
	}
	return t
}

func has(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// HexValue is the value of a hexadecimal digit. The result means nothing for another byte.
func HexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
