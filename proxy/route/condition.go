package route

import (
	"bytes"
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// Conditions are what a rule asks of a request besides host, path and method. All of them must hold. They are immutable once a table
// was built from them.
type Conditions struct {
	Headers, Query []Value
	// Sources are networks of clients; none: any client.
	Sources []netip.Prefix
}

// Value is a condition on the value of a field or a query parameter.
type Value struct {
	Name string
	// Kind says what Text is; Regex belongs to MatchRegex.
	Kind  MatchKind
	Text  string
	Regex *regexp.Regexp

	id   wire.FieldID
	name []byte
}

// MatchKind is how a value is compared.
type MatchKind uint8

// Ways to compare a value.
const (
	Present MatchKind = iota
	Absent
	Exact
	Prefix
	MatchRegex
)

// NewValue makes a condition. For MatchRegex, text is an expression that has to match the whole value; the error is about it.
func NewValue(name string, kind MatchKind, text string) (Value, error) {
	v := Value{Name: name, Kind: kind, Text: text, id: wire.LookupField([]byte(name)), name: []byte(name)}
	var err error
	if kind == MatchRegex {
		v.Regex, err = WholeRegex(text)
	}
	return v, err
}

// WholeRegex compiles an expression that has to match the whole of a text.
func WholeRegex(expr string) (*regexp.Regexp, error) { return regexp.Compile(`^(?:` + expr + `)$`) }

// String is the condition in short.
func (v *Value) String() string {
	switch v.Kind {
	case Absent:
		return "no " + v.Name
	case Exact:
		return v.Name + " = " + v.Text
	case Prefix:
		return v.Name + " = " + v.Text + "…"
	case MatchRegex:
		return v.Name + " ~ " + v.Text
	}
	return v.Name
}

func (c *Conditions) hold(r *Request) bool {
	for i := range c.Headers {
		if !c.Headers[i].inFields(r.Fields) {
			return false
		}
	}
	for i := range c.Query {
		if !c.Query[i].inQuery(r.Query) {
			return false
		}
	}
	return len(c.Sources) == 0 || c.fromSource(r.Source)
}

func (c *Conditions) fromSource(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range c.Sources {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// inFields tells whether the condition holds for header fields. Of several fields with the name, one is enough.
func (v *Value) inFields(fields []wire.Field) bool {
	for i := range fields {
		f := &fields[i]
		if f.ID != v.id || v.id == wire.FieldOther && !wire.EqualFold(f.Name, v.name) {
			continue
		}
		switch v.Kind {
		case Absent:
			return false
		case Present:
			return true
		case Exact:
			if string(f.Value) == v.Text {
				return true
			}
		case Prefix:
			if len(f.Value) >= len(v.Text) && string(f.Value[:len(v.Text)]) == v.Text {
				return true
			}
		case MatchRegex:
			if v.Regex.Match(f.Value) {
				return true
			}
		}
	}
	return v.Kind == Absent
}

// inQuery tells whether the condition holds for a query, name=value pairs with & between them.
func (v *Value) inQuery(query []byte) bool {
	for len(query) > 0 {
		pair := query
		if i := bytes.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = nil
		}
		name, value := pair, []byte(nil)
		if i := bytes.IndexByte(pair, '='); i >= 0 {
			name, value = pair[:i], pair[i+1:]
		}
		if !decodedEqual(name, v.Name, true) {
			continue
		}
		switch v.Kind {
		case Absent:
			return false
		case Present:
			return true
		case Exact:
			if decodedEqual(value, v.Text, true) {
				return true
			}
		case Prefix:
			if decodedEqual(value, v.Text, false) {
				return true
			}
		case MatchRegex:
			if bytes.ContainsAny(value, "%+") {
				value = decode(value)
			}
			if v.Regex.Match(value) {
				return true
			}
		}
	}
	return v.Kind == Absent
}

// decodedByte is the first byte of a percent-encoded text, in which + is a space, and how much of the text it takes.
func decodedByte(s []byte) (byte, int) {
	switch {
	case s[0] == '+':
		return ' ', 1
	case s[0] == '%' && len(s) > 2 && wire.Class[s[1]]&wire.Class[s[2]]&wire.ClassHex != 0:
		return wire.HexValue(s[1])<<4 | wire.HexValue(s[2]), 3
	}
	return s[0], 1
}

// decodedEqual compares an encoded text with a plain one, or tells whether it begins with it.
func decodedEqual(enc []byte, plain string, whole bool) bool {
	for i := range len(plain) {
		if len(enc) == 0 {
			return false
		}
		c, n := decodedByte(enc)
		if c != plain[i] {
			return false
		}
		enc = enc[n:]
	}
	return !whole || len(enc) == 0
}

func decode(enc []byte) []byte {
	out := make([]byte, 0, len(enc))
	for len(enc) > 0 {
		c, n := decodedByte(enc)
		out, enc = append(out, c), enc[n:]
	}
	return out
}

// same tells whether two rules ask for the same.
func (c *Conditions) same(o *Conditions) bool {
	if c == nil || o == nil {
		return c == o
	}
	equal := func(fold bool) func(a, b Value) bool {
		return func(a, b Value) bool {
			return a.Kind == b.Kind && a.Text == b.Text && (a.Name == b.Name || fold && strings.EqualFold(a.Name, b.Name))
		}
	}
	return slices.EqualFunc(c.Headers, o.Headers, equal(true)) && slices.EqualFunc(c.Query, o.Query, equal(false)) && slices.Equal(c.Sources, o.Sources)
}

// compareConditions orders by how much is asked: negative when a asks for more, and in which part.
func compareConditions(a, b *Conditions) (int, Part) {
	if a == nil {
		a = &Conditions{}
	}
	if b == nil {
		b = &Conditions{}
	}
	if c := cmp.Compare(len(b.Headers), len(a.Headers)); c != 0 {
		return c, Headers
	}
	if c := cmp.Compare(len(b.Query), len(a.Query)); c != 0 {
		return c, Query
	}
	return cmp.Compare(min(len(b.Sources), 1), min(len(a.Sources), 1)), Source
}

// Unmet says which condition does not hold for a request: the part and the condition, Same when all hold.
func (c *Conditions) Unmet(r *Request) (Part, string) {
	if c == nil {
		return Same, ""
	}
	for i := range c.Headers {
		if !c.Headers[i].inFields(r.Fields) {
			return Headers, c.Headers[i].String()
		}
	}
	for i := range c.Query {
		if !c.Query[i].inQuery(r.Query) {
			return Query, c.Query[i].String()
		}
	}
	if len(c.Sources) > 0 && !c.fromSource(r.Source) {
		var all []string
		for _, p := range c.Sources {
			all = append(all, p.String())
		}
		return Source, strings.Join(all, " or ")
	}
	return Same, ""
}
