package config

import "strings"

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

// reserved tells whether a word is, or looks like, something other than a string.
func reserved(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "null", "inf", "nan":
		return true
	}
	return false
}

// mistakable tells whether other readers of YAML, of version 1.1, take a word for something other than a string.
func mistakable(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "no", "on", "off", "y", "n":
		return true
	}
	return reserved(s)
}

// plain makes the node of a scalar without quotes. Whatever is not clearly a string, a plain number, true or false is left to the library.
func (sc *scanner) plain(t string, flow bool) *node {
	c := t[0]
	switch {
	case letter(c):
		if len(t) < 6 && reserved(t) {
			if t == "true" || t == "false" {
				return sc.scalar(boolean, t)
			}
			return sc.fail()
		}
	case c == '/', c == '_', c == '^', c == '$', c >= 0x80:
	case c == ':' && !flow && len(t) > 1 && digit(t[1]):
	case digit(c):
		switch number(t) {
		case integer:
			return sc.scalar(integer, t)
		case float:
			return sc.scalar(float, t)
		case plain:
		default:
			return sc.fail()
		}
	default:
		return sc.fail()
	}
	odd := "\"'&!|>`#@%" // these make the library look twice
	if flow {
		odd = "\"'&!|>`#@%\\?"
	}
	if strings.ContainsAny(t, odd) {
		return sc.fail()
	}
	return sc.scalar(plain, t)
}

func (sc *scanner) scalar(k kind, t string) *node {
	n := sc.node(k, sc.pos)
	n.text = t
	return n
}

// number classifies a text that starts with a digit: integer, plain for a string such as 5s or 127.0.0.1:80, strange when it may be another
// notation of a number.
func number(t string) kind {
	digits, dots, dashes := 0, 0, 0
	for i := range len(t) {
		switch {
		case digit(t[i]):
			digits++
		case t[i] == '.':
			dots++
		case t[i] == '-':
			dashes++
		}
	}
	switch last := t[len(t)-1]; {
	case digits == len(t):
		if len(t) > 1 && t[0] == '0' || len(t) > 18 {
			return strange
		}
		return integer
	case len(t) > 1 && t[0] == '0' && strings.IndexByte("xXoObB", t[1]) >= 0:
		return strange // 0x10, 0o17, 0b1
	case strings.IndexByte(t, '_') >= 0:
		return strange
	case dots == 1 && digits+1 == len(t) && digit(last) && len(t) < 16 && (t[0] != '0' || t[1] == '.'):
		return float
	case dots >= 2, dashes == 1 && digits+1 == len(t) && digit(last), (last == 's' || last == 'm' || last == 'h' || last == 'B') && digits+dots < len(t):
		return plain
	}
	return strange
}

// quoted reads a string in quotes that ends on the same line.
func (sc *scanner) quoted() *node {
	q := sc.s[sc.pos]
	n := sc.node(plain, sc.pos)
	from := sc.pos + 1
	i := from
	escaped := false
	for ; ; i++ {
		if i >= sc.end {
			return sc.fail()
		}
		c := sc.s[i]
		if c == q {
			if q == '\'' && i+1 < sc.end && sc.s[i+1] == q {
				escaped = true
				i++
				continue
			}
			break
		}
		if c == '\\' && q == '"' {
			escaped = true
			if i++; i >= sc.end {
				return sc.fail()
			}
		}
	}
	n.text = sc.s[from:i]
	sc.pos = i + 1
	if !escaped {
		return n
	}
	if q == '\'' {
		n.text = strings.ReplaceAll(n.text, "''", "'")
		return n
	}
	var ok bool
	if n.text, ok = unescape(n.text); !ok {
		return sc.fail()
	}
	return n
}

// unescape knows the escapes that people use.
func unescape(s string) (string, bool) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '"', '\\':
			b.WriteByte(s[i])
		default:
			return "", false
		}
	}
	return b.String(), true
}

// literal reads a | block that belongs to a key indented as far as indent, and goes to the line behind it.
func (sc *scanner) literal(indent int) *node {
	if sc.s[sc.pos:sc.end] != "|" {
		return sc.fail()
	}
	n := sc.node(block, sc.pos)
	var b strings.Builder
	depth, blank := -1, 0
	for {
		from := sc.after
		if from >= len(sc.s) {
			break
		}
		end := len(sc.s)
		if i := strings.IndexByte(sc.s[from:], '\n'); i >= 0 {
			end = from + i
		}
		text := sc.s[from:end]
		spaces := len(text) - len(strings.TrimLeft(text, " "))
		if spaces == len(text) {
			if spaces > 0 || depth < 0 {
				return sc.fail()
			}
			blank++
			sc.skipLine(end)
			continue
		}
		if depth < 0 {
			depth = spaces
		}
		if spaces < depth {
			if spaces > indent {
				return sc.fail()
			}
			break
		}
		if depth <= indent {
			return sc.fail()
		}
		for ; blank > 0; blank-- {
			b.WriteByte('\n')
		}
		if text[len(text)-1] == ' ' {
			return sc.fail()
		}
		b.WriteString(text[depth:])
		b.WriteByte('\n')
		if end == len(sc.s) {
			return sc.fail() // no newline at the end of the file
		}
		sc.skipLine(end)
	}
	if depth < 0 {
		return sc.fail()
	}
	n.text = b.String()
	sc.next()
	if sc.indent > indent && !sc.done {
		return sc.fail()
	}
	return n
}

func (sc *scanner) skipLine(end int) {
	sc.line++
	sc.after = min(end+1, len(sc.s))
}
