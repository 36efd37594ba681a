package config

import (
	"strings"
	"unicode/utf8"
)

// scan reads the part of YAML that configurations are mostly written in, at a hundred times the speed of the library: block mappings and lists,
// mappings and lists in braces on one line, plain and quoted strings on one line, | blocks, comments. It returns nil for a
// file with anything else in it, right or wrong, which the library then reads and judges. What it returns is node by node what
// the library would have returned; a test and a fuzz target hold it to that.
func scan(s string, file uint16) *node {
	root, _ := scanRoutes(s, file)
	return root
}

// scanRoutes is scan, and tells where the lines start on which the items of the outermost key routes begin.
func scanRoutes(s string, file uint16) (root *node, starts []int) {
	if !scannable(s) {
		return nil, nil
	}
	sc := scanner{s: s, file: file}
	sc.next()
	if sc.indent != 0 || sc.done {
		return nil, nil
	}
	root = sc.blockNode(0)
	if sc.bad || !sc.done {
		return nil, nil
	}
	return root, sc.starts
}

// scannable tells whether the bytes of a file are of the kind that scan knows.
func scannable(s string) bool {
	high := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' && c != '\n' || c == 0x7f {
			return false
		}
		high = high || c >= 0x80
	}
	// Next line, line and paragraph separators and byte order marks have a meaning of their own in YAML.
	return !high || utf8.ValidString(s) && !strings.ContainsAny(s, "\u0085\u00a0\u2028\u2029\ufeff")
}

// scanner goes through a file line by line. The current line is the first one that is not empty and not yet read; its content is s[pos:end].
type scanner struct {
	s         string
	file      uint16
	pos, end  int // what is left of the line
	start     int // where the line starts
	indent    int // of the line's content; of a list item in which a mapping starts, the mapping's
	line      int32
	after     int // where the next line starts
	done, bad bool

	noting bool // the next list is that of the routes
	starts []int

	free    []node
	entries []entry // stack of the mappings being read
	items   []*node // the same for lists
	spareE  []entry
	spareI  []*node
}

// Sizes of the pieces in which memory for nodes is taken.
const (
	nodeSlab  = 256
	entrySlab = 256
)

func (sc *scanner) node(k kind, at int) *node {
	if len(sc.free) == 0 {
		sc.free = make([]node, nodeSlab)
	}
	n := &sc.free[0]
	sc.free = sc.free[1:]
	n.kind, n.file, n.line, n.col = k, sc.file, sc.line, sc.column(at)
	return n
}

// column counts characters, as the library does.
func (sc *scanner) column(at int) int32 {
	return int32(utf8.RuneCountInString(sc.s[sc.start:at])) + 1
}

func (sc *scanner) fail() *node {
	sc.bad, sc.done = true, true
	return nil
}

// next goes to the next line with content.
func (sc *scanner) next() {
	for !sc.bad {
		if sc.after >= len(sc.s) {
			sc.done = true
			sc.indent = -1
			return
		}
		sc.start = sc.after
		sc.line++
		if i := strings.IndexByte(sc.s[sc.start:], '\n'); i >= 0 {
			sc.end = sc.start + i
			sc.after = sc.end + 1
		} else {
			sc.end, sc.after = len(sc.s), len(sc.s)
		}
		sc.pos = sc.start
		for sc.pos < sc.end && sc.s[sc.pos] == ' ' {
			sc.pos++
		}
		if sc.pos == sc.end || sc.s[sc.pos] == '#' {
			continue
		}
		if sc.s[sc.end-1] == ' ' { // the library's columns get confused
			sc.fail()
			return
		}
		sc.indent = sc.pos - sc.start
		if sc.indent == 0 && (strings.HasPrefix(sc.s[sc.pos:sc.end], "---") || strings.HasPrefix(sc.s[sc.pos:sc.end], "...") || sc.s[sc.pos] == '%') {
			sc.fail()
		}
		return
	}
}

// blockNode reads the mapping or list that starts on the current line, which is indented as far as indent.
func (sc *scanner) blockNode(indent int) *node {
	if sc.isItem() {
		return sc.blockList(indent)
	}
	return sc.blockMapping(indent)
}

// isItem tells whether the line goes on with the dash of a list.
func (sc *scanner) isItem() bool {
	return sc.s[sc.pos] == '-' && (sc.pos+1 == sc.end || sc.s[sc.pos+1] == ' ')
}

func (sc *scanner) blockMapping(indent int) *node {
	n := sc.node(mapping, sc.pos)
	base := len(sc.entries)
	for !sc.done && sc.indent == indent {
		if sc.isItem() {
			return sc.fail()
		}
		e := entry{isKey: true, file: sc.file, line: sc.line, col: sc.column(sc.pos)}
		var ok bool
		if e.key, ok = sc.key(); !ok {
			return sc.fail()
		}
		sc.noting = indent == 0 && e.key == "routes"
		e.value = sc.value(indent)
		sc.noting = false
		if sc.bad {
			return nil
		}
		sc.entries = append(sc.entries, e)
	}
	if sc.indent > indent {
		return sc.fail()
	}
	n.entries = sc.keepEntries(base)
	return n
}

// keepEntries moves the entries from base on off the stack.
func (sc *scanner) keepEntries(base int) []entry {
	n := len(sc.entries) - base
	if len(sc.spareE) < n {
		sc.spareE = make([]entry, max(entrySlab, n))
	}
	out := sc.spareE[:n:n]
	sc.spareE = sc.spareE[n:]
	copy(out, sc.entries[base:])
	sc.entries = sc.entries[:base]
	return out
}

func (sc *scanner) keepItems(base int) []*node {
	n := len(sc.items) - base
	if len(sc.spareI) < n {
		sc.spareI = make([]*node, max(entrySlab, n))
	}
	out := sc.spareI[:n:n]
	sc.spareI = sc.spareI[n:]
	copy(out, sc.items[base:])
	sc.items = sc.items[:base]
	return out
}

func (sc *scanner) blockList(indent int) *node {
	n := sc.node(sequence, sc.pos)
	base := len(sc.items)
	noting := sc.noting
	sc.noting = false
	for !sc.done && sc.indent == indent && sc.isItem() {
		if noting {
			sc.starts = append(sc.starts, sc.start)
		}
		sc.pos++
		for sc.pos < sc.end && sc.s[sc.pos] == ' ' {
			sc.pos++
		}
		if sc.pos >= sc.end || sc.s[sc.pos] == '#' || sc.isItem() {
			return sc.fail()
		}
		var item *node
		if sc.startsMapping() {
			sc.indent = sc.pos - sc.start
			item = sc.blockMapping(sc.indent)
		} else {
			item = sc.scalarOrFlow(indent)
		}
		if sc.bad {
			return nil
		}
		sc.items = append(sc.items, item)
	}
	if sc.indent > indent {
		return sc.fail()
	}
	n.items = sc.keepItems(base)
	return n
}

// startsMapping tells whether a key follows.
func (sc *scanner) startsMapping() bool {
	at := sc.pos
	_, ok := sc.key()
	sc.pos = at
	return ok
}

// key reads a key and its colon.
func (sc *scanner) key() (string, bool) {
	s, i := sc.s, sc.pos
	if c := s[i]; c != '_' && !letter(c) {
		return "", false
	}
	for i < sc.end && (letter(s[i]) || digit(s[i]) || s[i] == '_' || s[i] == '-' || s[i] == '.') {
		i++
	}
	if i >= sc.end || s[i] != ':' || i+1 < sc.end && s[i+1] != ' ' {
		return "", false
	}
	name := s[sc.pos:i]
	if len(name) < 6 && reserved(name) { // a key that is no string
		return "", false
	}
	sc.pos = i + 1
	for sc.pos < sc.end && s[sc.pos] == ' ' {
		sc.pos++
	}
	return name, true
}

// value reads what follows the colon of a key in a mapping that is indented as far as indent, and goes to the next line.
func (sc *scanner) value(indent int) *node {
	if sc.pos < sc.end && sc.s[sc.pos] != '#' {
		if sc.s[sc.pos] == '|' {
			return sc.literal(indent)
		}
		return sc.scalarOrFlow(indent)
	}
	sc.next()
	switch {
	case sc.done:
		return sc.fail()
	case sc.indent > indent && !sc.isItem() && !sc.startsMapping():
		return sc.fail()
	case sc.indent > indent, sc.indent == indent && sc.isItem():
		return sc.blockNode(sc.indent)
	}
	return sc.fail() // no value: rare, and mostly a mistake
}

// scalarOrFlow reads a value that ends with its line, and goes to the next one.
func (sc *scanner) scalarOrFlow(indent int) *node {
	var n *node
	switch c := sc.s[sc.pos]; c {
	case '{', '[':
		n = sc.flow(0)
	case '"', '\'':
		n = sc.quoted()
	default:
		end := sc.end
		if i := strings.Index(sc.s[sc.pos:sc.end], " #"); i >= 0 {
			end = sc.pos + i
			for sc.s[end-1] == ' ' {
				end--
			}
		}
		t := sc.s[sc.pos:end]
		if strings.Contains(t, ": ") || t[len(t)-1] == ':' {
			return sc.fail()
		}
		n = sc.plain(t, false)
		sc.pos = end
	}
	if sc.bad {
		return nil
	}
	at := sc.pos
	for sc.pos < sc.end && sc.s[sc.pos] == ' ' {
		sc.pos++
	}
	if sc.pos < sc.end && (sc.s[sc.pos] != '#' || sc.pos == at) {
		return sc.fail()
	}
	sc.next()
	if sc.indent > indent && !sc.done { // the value goes on, or the indentation is wrong
		return sc.fail()
	}
	return n
}
