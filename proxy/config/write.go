package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// YAML writes a configuration as a file that reads as the same one, with every default filled in. What is empty, and empty by default,
// is left out. Strings that came from a reference are written as that reference, so that no secret leaves the process.
func YAML(c *Config) []byte {
	w := writer{refs: c.refs, literal: c.literal}
	w.structure(reflect.ValueOf(c).Elem(), reflect.ValueOf(Config{}), "")
	return w.b
}

// hidden stands for a secret that the file itself holds.
const hidden = `"(secret)"`

// Reference is the reference that a string of c came from, by the address of its field; "" when it stands in the file itself.
func (c *Config) Reference(field any) string { return c.refs[field] }

type writer struct {
	b    []byte
	refs map[any]string
	// literal: references stand in the values themselves.
	literal bool
	// named: of files only their names are compared.
	named bool
}

// hides tells whether the value of a field is not to be shown: a secret that stands in the file itself.
func (w *writer) hides(f *field, v reflect.Value) bool {
	return f.secret && w.refs[v.Addr().Interface()] == "" && !(w.literal && strings.Contains(v.String(), "${"))
}

func (w *writer) put(parts ...string) {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
}

// scalarText is the notation of a single value.
func (w *writer) scalarText(v reflect.Value) string {
	if ref, ok := w.refs[v.Addr().Interface()]; ok && v.Kind() == reflect.String {
		return quote(ref)
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(err) // the notations of this package cannot fail
		}
		if _, number := strconv.ParseInt(string(text), 10, 64); number == nil {
			return string(text)
		}
		return quote(string(text))
	}
	if v.Kind() == reflect.String {
		return quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// quote puts a string in quotes where it could be taken for something else.
func quote(s string) string {
	simple := s != ""
	for i := range len(s) {
		c := s[i]
		simple = simple && (letter(c) || c == '/' || c == '_' || i > 0 && (digit(c) || c == '-' || c == '.' || c == ' ' && i < len(s)-1) || c == '*' && i > 0)
	}
	if simple && !mistakable(s) {
		return s
	}
	if n := number(s + " "); s != "" && digit(s[0]) && n != integer && number(s) == plain && !strings.ContainsAny(s, " ,:#{}[]'\"") {
		return s
	}
	return strconv.Quote(s)
}

// zero tells whether v is left out: it is empty, and nothing else would be there without it.
func zero(v, standard reflect.Value) bool {
	return v.IsZero() && standard.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 && standard.Len() == 0
}

// structure writes the keys of a struct and tells whether there were any. standard is what it is without any.
func (w *writer) structure(v, standard reflect.Value, indent string) (wrote bool) {
	s := reflect.New(v.Type()).Elem()
	s.Set(standard)
	SetDefaults(s.Addr().Interface())
	standard = s
	t := typeOf(v.Type())
	for i := range t.fields {
		f := &t.fields[i]
		x := v.Field(i)
		if m, ok := v.Addr().Interface().(*Match); ok && f.key == "path" && m.PathRegex != "" {
			continue
		}
		if f.key == "" || f.key == "include" || zero(x, standard.Field(i)) {
			continue
		}
		wrote = true
		if w.hides(f, x) {
			w.put(indent, f.key, ": ", hidden, "\n")
			continue
		}
		w.put(indent, f.key, ":")
		w.value(x, standard.Field(i), indent+"  ")
	}
	return wrote
}

// value writes what stands behind "key:".
func (w *writer) value(v, standard reflect.Value, indent string) {
	t := typeOf(v.Type())
	switch {
	case v.Kind() == reflect.Slice && v.Len() == 0 && !t.scalar:
		w.put(" []\n")
	case t.headers:
		w.put("\n")
		for i := range v.Len() {
			h := v.Index(i)
			w.put(indent, strconv.Quote(h.Field(0).String()), ": ", w.scalarText(h.Field(1)), "\n")
		}
	case t.scalar:
		w.put(" ", w.scalarText(v), "\n")
	case v.Kind() == reflect.Pointer && v.IsNil():
		w.put(" null\n")
	case v.Kind() == reflect.Pointer:
		w.value(v.Elem(), reflect.Zero(v.Type().Elem()), indent)
	case v.Kind() == reflect.Struct:
		w.put("\n")
		if !w.structure(v, standard, indent) {
			w.b = append(w.b[:len(w.b)-1], " {}\n"...)
		}
	case v.Kind() == reflect.Slice:
		w.put("\n")
		for i := range v.Len() {
			w.item(v.Index(i), indent)
		}
	default:
		w.put(" ", w.scalarText(v), "\n")
	}
}

func (w *writer) item(v reflect.Value, indent string) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		w.put(indent, "- ", w.scalarText(v), "\n")
		return
	}
	mark := len(w.b)
	if !w.structure(v, reflect.Zero(v.Type()), indent+"  ") {
		w.put(indent, "- {}\n")
		return
	}
	w.b[mark+len(indent)] = '-' // the first key stands behind the dash
}
