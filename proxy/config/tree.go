package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// position is where a value starts. A mapping or a list starts with its first entry.
func position(n ast.Node) (line, column int) {
	switch v := n.(type) {
	case *ast.MappingNode:
		if v.IsFlowStyle || len(v.Values) == 0 {
			break
		}
		return position(v.Values[0].Key)
	case *ast.LiteralNode:
		n = literalStart{v}
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}

// literalStart is the '|' or '>' of a block scalar.
type literalStart struct{ *ast.LiteralNode }

func (l literalStart) GetToken() *token.Token { return l.Start }

// resolve follows anchors and aliases to the value itself. An alias without an anchor, or within its own, comes back unchanged.
func (d *decoder) resolve(n ast.Node) ast.Node {
	from := n
	for range 32 {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.anchors[v.Name.String()] = v.Value
			n = v.Value
		case *ast.AliasNode:
			to, ok := d.anchors[v.Value.String()]
			if !ok {
				return from
			}
			n = to
		case *ast.MappingValueNode:
			// The parser leaves a mapping with one entry bare in some places.
			return ast.Mapping(v.Start, false, v)
		default:
			return n
		}
	}
	return from
}

// child returns the value of a key in a mapping, or the mapping when there is none.
func child(n ast.Node, key string) ast.Node {
	if m, ok := n.(*ast.MappingNode); ok {
		for _, e := range m.Values {
			if k, ok := keyText(e.Key); ok && k == key {
				return e.Value
			}
		}
	}
	return n
}

// has tells whether a mapping has a key.
func has(m *ast.MappingNode, key string) bool { return child(m, key) != ast.Node(m) }

// at finds the value at a path of keys (string) and list positions (int), or the nearest value around it that the file
// has. It runs only when there is a problem to show, so that a good file pays nothing for positions.
func (d *decoder) at(path ...any) ast.Node {
	n := d.root
	for _, step := range path {
		inner := d.resolve(n)
		switch step := step.(type) {
		case string:
			next := child(inner, step)
			if next == inner {
				return n
			}
			n = next
		case int:
			seq, ok := inner.(*ast.SequenceNode)
			if !ok || step >= len(seq.Values) {
				return n
			}
			n = seq.Values[step]
		}
	}
	return n
}

// report notes a problem of the value at path.
func (d *decoder) report(what, want string, path ...any) { d.problem(d.at(path...), what, want) }

// text is the value of a string. Numbers and words such as true are not strings until they are quoted.
func text(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	}
	return "", false
}

// literal is the text of a string or number as it stands in the file.
func literal(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.IntegerNode:
		return v.Token.Value, true
	case *ast.FloatNode:
		return v.Token.Value, true
	}
	return text(n)
}

// keyText is the text of a key.
func keyText(k ast.MapKeyNode) (string, bool) {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value, true
	}
	return k.String(), false
}

// describe says what a value is, for "found …".
func describe(n ast.Node) string {
	switch v := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return v.Token.Value
	case *ast.StringNode:
		return fmt.Sprintf("%q", shorten(v.Value))
	case *ast.LiteralNode:
		return "a block of text"
	case *ast.TagNode:
		return "the tag " + v.Start.Value
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + shorten(v.GetToken().Value)
	}
	return fmt.Sprintf("%q", shorten(n.GetToken().Value))
}

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// atLeastOne says what a required value must have.
func atLeastOne(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "at least one entry"
	}
	return "a string"
}

// fieldByKey finds the field of a struct type by its YAML key.
func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keys lists the YAML keys of a struct type that this version supports.
func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("later") != "true" {
			out = append(out, f.Tag.Get("yaml"))
		}
	}
	return out
}

func firstKeys(t reflect.Type) []string {
	k := keys(t)
	return k[:min(3, len(k))]
}
