package config

import "strings"

// maxFlow bounds how deep braces may lie in each other.
const maxFlow = 16

// flow reads a mapping or list in braces, which must end on the same line.
func (sc *scanner) flow(depth int) *node {
	if depth > maxFlow {
		return sc.fail()
	}
	open := sc.s[sc.pos]
	n := sc.node(mapping, sc.pos)
	closing := byte('}')
	if open == '[' {
		n.kind, closing = sequence, ']'
	}
	baseE, baseI := len(sc.entries), len(sc.items)
	sc.pos++
	for first := true; ; first = false {
		if !sc.blanks() {
			return sc.fail()
		}
		if first && sc.s[sc.pos] == closing {
			break
		}
		e := entry{isKey: true, file: sc.file, line: sc.line, col: sc.column(sc.pos)}
		if n.kind == mapping {
			var ok bool
			if e.key, ok = sc.key(); !ok {
				return sc.fail()
			}
		}
		v := sc.flowValue(depth, n.kind)
		if sc.bad {
			return nil
		}
		if n.kind == mapping {
			e.value = v
			sc.entries = append(sc.entries, e)
		} else {
			sc.items = append(sc.items, v)
		}
		if !sc.blanks() {
			return sc.fail()
		}
		if sc.s[sc.pos] == closing {
			break
		}
		if sc.s[sc.pos] != ',' {
			return sc.fail()
		}
		sc.pos++
	}
	sc.pos++
	if n.kind == mapping {
		n.entries = sc.keepEntries(baseE)
	} else {
		n.items = sc.keepItems(baseI)
	}
	return n
}

// blanks skips spaces; false at the end of the line.
func (sc *scanner) blanks() bool {
	for sc.pos < sc.end && sc.s[sc.pos] == ' ' {
		sc.pos++
	}
	return sc.pos < sc.end
}

// flowValue reads a value in braces, within a mapping or a list.
func (sc *scanner) flowValue(depth int, in kind) *node {
	if sc.pos >= sc.end {
		return sc.fail()
	}
	switch sc.s[sc.pos] {
	case '{', '[':
		return sc.flow(depth + 1)
	case '"', '\'':
		return sc.quoted()
	}
	i := sc.pos
	for i < sc.end && sc.s[i] != ',' && sc.s[i] != ']' && sc.s[i] != '}' && sc.s[i] != '[' && sc.s[i] != '{' {
		i++
	}
	t := strings.TrimRight(sc.s[sc.pos:i], " ")
	if t == "" || strings.Contains(t, ": ") || strings.Contains(t, " #") || t[len(t)-1] == ':' || in == sequence && strings.Contains(t, ":") {
		return sc.fail() // in a list, the library takes any colon for that of a mapping
	}
	n := sc.plain(t, true)
	sc.pos = i
	return n
}
