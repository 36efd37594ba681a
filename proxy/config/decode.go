package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills structs from nodes. Unlike a decoder that stops at the first error it notes the problem and goes on,
// so that one run shows everything.
type decoder struct {
	files    []string
	root     *node
	problems Errors
	// misspelt are the mappings with a key that was probably meant to be another one: what is then missing in them is no news.
	misspelt map[*node]bool
	// visits counts values decoded through aliases, against files that unfold without end.
	visits, inAlias int
	// literal: references stay what they are. refs and secrets are what was put in, by the place it went to.
	literal bool
	refs    map[any]string
	secrets []secret
	// looked are the files that were looked at.
	looked Files
}

// maxAliasVisits bounds how much aliases may unfold to.
const maxAliasVisits = 1 << 20

// document decodes the whole file and tells whether its outermost form was right.
func (d *decoder) document(c *Config) bool {
	if resolve(d.root).kind != mapping {
		d.typeError(d.root, "a mapping with keys such as listeners and routes")
		return false
	}
	d.value(d.root, reflect.ValueOf(c).Elem(), nil)
	return true
}

func (d *decoder) problem(n *node, what, want string) {
	d.problems = append(d.problems, Problem{File: d.files[n.file], Line: int(n.line), Column: int(n.col), What: what, Want: want, file: n.file})
}

func (d *decoder) typeError(n *node, want string) {
	d.problem(n, "found "+describe(resolve(n)), "expected "+want)
}

// value decodes n into v. f is the field it is for, nil for the document.
func (d *decoder) value(n *node, v reflect.Value, f *field) {
	if d.inAlias > 0 {
		if d.visits++; d.visits > maxAliasVisits {
			if d.visits == maxAliasVisits+1 {
				d.problem(n, "aliases in this file unfold to too many values", "")
			}
			return
		}
	}
	if n.kind == reference {
		if d.inAlias > 32 || resolve(n) == n {
			d.problem(n, fmt.Sprintf("alias *%s refers to nothing, or to itself", n.text), "expected an anchor earlier in the file")
			return
		}
		d.inAlias++
		defer func() { d.inAlias-- }()
		n = resolve(n)
	}
	if n.kind <= block && n.kind >= plain && !d.literal && strings.Contains(n.text, "${") {
		if n = d.expand(n, v.Addr().Interface()); n == nil {
			return
		}
	}
	t := typeOf(v.Type())
	if t.scalar {
		d.scalar(n, v, f)
		return
	}
	switch t.kind {
	case reflect.Struct:
		d.structure(n, v, t)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), f)
	case reflect.Slice:
		if t.headers {
			d.headers(n, v.Addr().Interface().(*Headers))
			return
		}
		if n.kind != sequence {
			d.typeError(n, "a list")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		if v.Type().Elem().Kind() == reflect.Pointer { // side by side all the same
			list := reflect.MakeSlice(reflect.SliceOf(v.Type().Elem().Elem()), len(n.items), len(n.items))
			for i, item := range n.items {
				v.Index(i).Set(list.Index(i).Addr())
				d.value(item, list.Index(i), f)
			}
			return
		}
		for i, item := range n.items {
			d.value(item, v.Index(i), f)
		}
	case reflect.String:
		text, ok := text(n)
		if !ok {
			d.typeError(n, "a string")
			return
		}
		if d.word(n, text, f) {
			v.SetString(text)
		}
	case reflect.Bool:
		if n.kind != boolean {
			d.typeError(n, "true or false")
			return
		}
		v.SetBool(strings.EqualFold(n.text, "true"))
	case reflect.Int:
		var value int64
		var err error
		if n.kind == integer {
			value, err = strconv.ParseInt(n.text, 10, 64)
		}
		// The comparison refuses 010, which is eight to some readers and ten to others.
		if n.kind != integer || err != nil || strconv.FormatInt(value, 10) != n.text {
			d.typeError(n, "a whole number")
			return
		}
		v.SetInt(value)
		d.bounds(n, v, f)
	default:
		panic("config: no decoder for " + v.Type().String()) // a field of a new type; every type is met by a test
	}
}

// scalar decodes a value with a notation of its own: a string, or a number such as 0 or 4.
func (d *decoder) scalar(n *node, v reflect.Value, f *field) {
	raw, ok := literal(n)
	err := v.Addr().Interface().(scalar).parse(raw)
	if !ok || err != nil {
		d.problem(n, "found "+describe(n), "expected "+err.Error())
		return
	}
	d.bounds(n, v, f)
}

// structure decodes a mapping into a struct, starting from its defaults.
func (d *decoder) structure(n *node, v reflect.Value, t *typeInfo) {
	SetDefaults(v.Addr().Interface())
	var standard reflect.Value
	if d.literal {
		standard = reflect.New(v.Type()).Elem()
		standard.Set(v)
	}
	if n.kind != mapping {
		d.typeError(n, "a mapping with keys such as "+strings.Join(t.keys[:min(3, len(t.keys))], ", "))
		return
	}
	// given are the fields whose key the mapping has, right those whose value was right.
	var given, right uint64
	for i := range n.entries {
		e := &n.entries[i]
		at := t.find(e.key)
		if at < 0 || !e.isKey {
			nearest, want := didYouMean(e.key, t.keys)
			d.problem(e.place(), fmt.Sprintf("unknown key %q", shorten(e.key)), want)
			if nearest != "" && !has(n, nearest) {
				given |= 1 << t.find(nearest)
				d.misspelt[n] = true
			}
			continue
		}
		f := &t.fields[at]
		switch {
		case given&right&(1<<at) != 0:
			d.problem(e.place(), fmt.Sprintf("key %q is given twice", e.key), "expected it once")
			continue
		case f.later:
			d.problem(e.place(), fmt.Sprintf("%q is not supported by this version yet", e.key), "remove it")
			continue
		}
		before := len(d.problems)
		d.value(e.value, v.Field(at), f)
		given |= 1 << at
		right &^= 1 << at
		if len(d.problems) == before {
			right |= 1 << at
		}
	}
	if t.required != 0 {
		d.required(n, v, t, given, right)
	}
	if d.literal {
		forget(n, v, standard, t)
	}
}

// forget takes the keys away whose values are the defaults, as if nobody had given them. What YAML writes has all of them, also those that
// may not be given where they mean nothing.
func forget(n *node, v, standard reflect.Value, t *typeInfo) {
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool {
		at := t.find(e.key)
		return at >= 0 && !v.Field(at).IsZero() && reflect.DeepEqual(v.Field(at).Interface(), standard.Field(at).Interface())
	})
}

// required reports the keys that are missing, and values that are empty where something must be.
func (d *decoder) required(n *node, v reflect.Value, t *typeInfo, given, right uint64) {
	var missing []string
	for i := range t.fields {
		f := &t.fields[i]
		switch {
		case t.required&(1<<i) == 0:
		case given&(1<<i) == 0:
			missing = append(missing, fmt.Sprintf("%q", f.key))
		case right&(1<<i) != 0 && v.Field(i).Len() == 0:
			d.problem(child(n, f.key), fmt.Sprintf("%q is empty", f.key), "expected "+atLeastOne(v.Field(i).Type()))
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		d.problem(n, "key "+missing[0]+" is missing", "expected it here")
	default:
		d.problem(n, "keys "+strings.Join(missing, ", ")+" are missing", "expected them here")
	}
}

// headers decodes a mapping from names to values, in order.
func (d *decoder) headers(n *node, h *Headers) {
	if n.kind != mapping {
		d.typeError(n, "a mapping from field names to values")
		return
	}
	*h = make(Headers, 0, len(n.entries))
	for i := range n.entries {
		e := &n.entries[i]
		v := resolve(e.value)
		value, isText := text(v)
		switch {
		case !e.isKey:
			d.problem(e.place(), fmt.Sprintf("found %q as a key", shorten(e.key)), "expected the name of a field")
		case !isText:
			d.typeError(e.value, "a string")
		default:
			*h = append(*h, Header{Name: e.key, Value: value})
			if to := &(*h)[len(*h)-1].Value; !d.literal && strings.Contains(value, "${") {
				if v = d.expand(v, to); v != nil {
					*to = v.text
				}
			}
		}
	}
}

// word checks a string against the words that its field accepts.
func (d *decoder) word(n *node, s string, f *field) bool {
	if f == nil || len(f.enum) == 0 || d.literal && strings.Contains(s, "${") {
		return true
	}
	for _, w := range f.enum {
		if s == w {
			return true
		}
	}
	for _, w := range f.laterWords {
		if s == w {
			d.problem(n, fmt.Sprintf("%s %q is not supported by this version yet", f.key, s), oneOf(f.enum))
			return false
		}
	}
	_, want := didYouMean(s, f.enum)
	d.problem(n, fmt.Sprintf("unknown %s %q", f.key, shorten(s)), want)
	return false
}

// bounds checks a number against the min and max tags of its field, which are in the notation of the field itself.
func (d *decoder) bounds(n *node, v reflect.Value, f *field) {
	if f == nil || !f.bounded || !v.CanInt() {
		return
	}
	if f.minText != "" && v.Int() < f.min {
		d.problem(n, fmt.Sprintf("%v is too small", v.Interface()), "expected at least "+f.minText)
	}
	if f.maxText != "" && v.Int() > f.max {
		d.problem(n, fmt.Sprintf("%v is too large", v.Interface()), "expected at most "+f.maxText)
	}
}

// tagValue parses the value of a min or max tag in the notation of type t.
func tagValue(t reflect.Type, s string) int64 {
	v := reflect.New(t)
	if p, ok := v.Interface().(scalar); ok {
		if p.parse(s) != nil {
			panic("config: bad bound " + s) // our own tag; every tag is parsed by a test
		}
		return v.Elem().Int()
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic("config: bad bound " + s) // as above
	}
	return n
}
