package snapshot

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"

	"github.com/blitz-gateway/blitz/proxy/config"
)

// masked stands in the place of a secret.
const masked = "********"

// Effective is the configuration in force as JSON, which is YAML too: every default filled in, nothing that is empty, and secrets masked.
func (s *Snapshot) Effective() []byte {
	if s.config == nil {
		return []byte("{}\n")
	}
	var b bytes.Buffer
	effective(&b, reflect.ValueOf(s.config).Elem(), s.config)
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return append(b.Bytes(), '\n')
	}
	return append(out.Bytes(), '\n')
}

// RouteText is what route i asks of host, path and method, as operators are shown it: with references in place of what they stand for.
func (s *Snapshot) RouteText(i int) (host, path string, methods []string) {
	m := s.config.Shown(&s.config.Routes[i].Match)
	if m.PathRegex != "" {
		m.Path = "~" + m.PathRegex
	}
	if m.Host == "*" { // any, as without it
		m.Host = ""
	}
	return m.Host, m.Path, m.Methods
}

func effective(b *bytes.Buffer, v reflect.Value, c *config.Config) {
	switch x := v.Interface().(type) {
	case config.Headers:
		for i, h := range x {
			b.WriteByte("{,"[min(i, 1)])
			quoted(b, h.Name)
			b.WriteByte(':')
			if ref := c.Reference(&x[i].Value); ref != "" {
				quoted(b, ref)
			} else {
				quoted(b, h.Value)
			}
		}
		b.WriteByte('}')
		return
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err == nil {
			if json.Valid(text) { // a number
				b.Write(text)
			} else {
				quoted(b, string(text))
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		first := true
		b.WriteByte('{')
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := f.Tag.Get("yaml")
			if key == "" || key == "-" || f.Tag.Get("later") == "true" || empty(v.Field(i)) {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			quoted(b, key)
			b.WriteByte(':')
			if f.Tag.Get("secret") == "true" {
				quoted(b, masked)
			} else {
				effective(b, v.Field(i), c)
			}
		}
		b.WriteByte('}')
	case reflect.Pointer:
		effective(b, v.Elem(), c)
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			effective(b, v.Index(i), c)
		}
		b.WriteByte(']')
	default:
		if v.Kind() == reflect.String {
			if ref := c.Reference(v.Addr().Interface()); ref != "" { // the reference, not what it stands for
				quoted(b, ref)
				return
			}
		}
		text, err := json.Marshal(v.Interface())
		if err != nil {
			text = []byte("null")
		}
		b.Write(text)
	}
}

// empty tells whether a value is left out: numbers never are, since 0 says something.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Bool:
		return !v.Bool()
	case reflect.Struct:
		return v.IsZero()
	}
	return false
}

func quoted(b *bytes.Buffer, s string) {
	text, err := json.Marshal(s)
	if err != nil {
		text = []byte(`""`)
	}
	b.Write(text)
}
