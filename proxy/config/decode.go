package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills structs from a syntax tree. Unlike a decoder that stops at the first error it notes the problem and goes on,
// so that one run shows everything.
type decoder struct {
	file     string
	root     ast.Node
	anchors  map[string]ast.Node
	problems Errors
	// misspelt are the mappings with a key that was probably meant to be another one: what is then missing in them is no news.
	misspelt map[ast.Node]bool
	// visits counts values decoded through aliases, against files that unfold without end.
	visits, inAlias int
}

// maxAliasVisits bounds how much aliases may unfold to.
const maxAliasVisits = 1 << 20

// document decodes the whole file and tells whether its outermost form was right.
func (d *decoder) document(c *Config) bool {
	if _, ok := d.resolve(d.root).(*ast.MappingNode); !ok {
		d.typeError(d.root, "a mapping with keys such as listeners and routes")
		return false
	}
	d.value(d.root, reflect.ValueOf(c).Elem(), nil)
	return true
}

func (d *decoder) problem(n ast.Node, what, want string) {
	line, column := position(n)
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Column: column, What: what, Want: want})
}

func (d *decoder) typeError(n ast.Node, want string) {
	d.problem(n, "found "+describe(d.resolve(n)), "expected "+want)
}

// value decodes n into v. f is the field it is for, nil for list items and the document.
func (d *decoder) value(n ast.Node, v reflect.Value, f *reflect.StructField) {
	if d.inAlias > 0 {
		if d.visits++; d.visits > maxAliasVisits {
			if d.visits == maxAliasVisits+1 {
				d.problem(n, "aliases in this file unfold to too many values", "")
			}
			return
		}
	}
	if alias, ok := n.(*ast.AliasNode); ok {
		if d.inAlias > 32 || d.resolve(n) == ast.Node(alias) {
			d.problem(n, fmt.Sprintf("alias *%s refers to nothing, or to itself", alias.Value.String()), "expected an anchor earlier in the file")
			return
		}
		d.inAlias++
		defer func() { d.inAlias-- }()
	}
	n = d.resolve(n)
	if s, ok := v.Addr().Interface().(scalar); ok {
		d.scalar(n, v, f, s)
		return
	}
	if h, ok := v.Addr().Interface().(*Headers); ok {
		d.headers(n, h)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), f)
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.typeError(n, "a list")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
		for i, item := range seq.Values {
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
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.typeError(n, "true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.Int:
		number, ok := n.(*ast.IntegerNode)
		var value int64
		var err error
		if ok {
			value, err = strconv.ParseInt(number.Token.Value, 10, 64)
		}
		// The comparison refuses 010, which is eight to some readers and ten to others.
		if !ok || err != nil || strconv.FormatInt(value, 10) != number.Token.Value {
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
func (d *decoder) scalar(n ast.Node, v reflect.Value, f *reflect.StructField, s scalar) {
	raw, ok := literal(n)
	err := s.parse(raw)
	if !ok || err != nil {
		d.problem(n, "found "+describe(n), "expected "+err.Error())
		return
	}
	d.bounds(n, v, f)
}

// structure decodes a mapping into a struct, starting from its defaults.
func (d *decoder) structure(n ast.Node, v reflect.Value) {
	SetDefaults(v.Addr().Interface())
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.typeError(n, "a mapping with keys such as "+strings.Join(firstKeys(v.Type()), ", "))
		return
	}
	// given are the keys of the mapping; true for those whose value was right.
	given := map[string]bool{}
	for _, e := range m.Values {
		key, isText := keyText(e.Key)
		f, known := fieldByKey(v.Type(), key)
		_, twice := given[key]
		switch {
		case !known || !isText:
			nearest, want := didYouMean(key, keys(v.Type()))
			d.problem(e.Key, fmt.Sprintf("unknown key %q", shorten(key)), want)
			if nearest != "" && !has(m, nearest) {
				given[nearest] = false
				d.misspelt[m] = true
			}
			continue
		case twice && given[key]:
			d.problem(e.Key, fmt.Sprintf("key %q is given twice", key), "expected it once")
			continue
		case f.Tag.Get("later") == "true":
			d.problem(e.Key, fmt.Sprintf("%q is not supported by this version yet", key), "remove it")
			continue
		}
		before := len(d.problems)
		d.value(e.Value, v.FieldByIndex(f.Index), &f)
		given[key] = len(d.problems) == before
	}
	d.required(m, v, given)
}

// required reports the keys that are missing, and values that are empty where something must be.
func (d *decoder) required(m *ast.MappingNode, v reflect.Value, given map[string]bool) {
	var missing []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("required") != "true" {
			continue
		}
		key := f.Tag.Get("yaml")
		right, ok := given[key]
		switch {
		case !ok:
			missing = append(missing, fmt.Sprintf("%q", key))
		case right && v.Field(i).Len() == 0:
			d.problem(child(m, key), fmt.Sprintf("%q is empty", key), "expected "+atLeastOne(f.Type))
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		d.problem(m, "key "+missing[0]+" is missing", "expected it here")
	default:
		d.problem(m, "keys "+strings.Join(missing, ", ")+" are missing", "expected them here")
	}
}

// headers decodes a mapping from names to values, in order.
func (d *decoder) headers(n ast.Node, h *Headers) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.typeError(n, "a mapping from field names to values")
		return
	}
	for _, e := range m.Values {
		name, ok := keyText(e.Key)
		value, isText := text(d.resolve(e.Value))
		switch {
		case !ok:
			d.problem(e.Key, "found "+describe(e.Key)+" as a key", "expected the name of a field")
		case !isText:
			d.typeError(e.Value, "a string")
		default:
			*h = append(*h, Header{Name: name, Value: value})
		}
	}
}

// word checks a string against the words that its field accepts.
func (d *decoder) word(n ast.Node, s string, f *reflect.StructField) bool {
	if f == nil {
		return true
	}
	enum, ok := f.Tag.Lookup("enum")
	if !ok {
		return true
	}
	words := strings.Split(enum, ",")
	for _, w := range words {
		if s == w {
			return true
		}
	}
	for w := range strings.SplitSeq(f.Tag.Get("later"), ",") {
		if s == w {
			d.problem(n, fmt.Sprintf("%s %q is not supported by this version yet", f.Tag.Get("yaml"), s), oneOf(words))
			return false
		}
	}
	_, want := didYouMean(s, words)
	d.problem(n, fmt.Sprintf("unknown %s %q", f.Tag.Get("yaml"), shorten(s)), want)
	return false
}

// bounds checks a number against the min and max tags of its field, which are in the notation of the field itself.
func (d *decoder) bounds(n ast.Node, v reflect.Value, f *reflect.StructField) {
	if f == nil || !v.CanInt() {
		return
	}
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	if low != "" && v.Int() < tagValue(v.Type(), low) {
		d.problem(n, fmt.Sprintf("%v is too small", v.Interface()), "expected at least "+low)
	}
	if high != "" && v.Int() > tagValue(v.Type(), high) {
		d.problem(n, fmt.Sprintf("%v is too large", v.Interface()), "expected at most "+high)
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
