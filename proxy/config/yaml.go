package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// syntaxError is what the YAML library returns for a file that it cannot read.
type syntaxError interface {
	error
	GetToken() *token.Token
	GetMessage() string
}

// readYAML returns the only document of a file: by scan, which is fast, if that can read it, otherwise by the YAML library, which reads everything
// and says what is wrong. starts are those of the routes, if scan has read it.
func readYAML(name string, file uint16, data string) (root *node, starts []int, err error) {
	if root, starts = scanRoutes(data, file); root != nil {
		return root, starts, nil
	}
	root, err = readByLibrary(name, file, []byte(data))
	return root, nil, err
}

func readByLibrary(name string, file uint16, data []byte) (root *node, err error) {
	defer func() {
		// The parser is a library fed with a file that people edit: a bug in it must not look like a crash of the gateway.
		if r := recover(); r != nil {
			err = Errors{{File: name, What: fmt.Sprintf("the YAML parser cannot read the file (%v)", r)}}
		}
	}()
	f, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := Problem{File: name, What: "not valid YAML: " + err.Error()}
		var s syntaxError
		if errors.As(err, &s) {
			p.What = "not valid YAML: " + s.GetMessage()
			if t := s.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, max(t.Position.Column, 1)
			}
		}
		return nil, Errors{p}
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if _, comment := doc.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		if body != nil {
			line, column := position(doc.Body)
			return nil, Errors{{File: name, Line: line, Column: column, What: "a second document in the file", Want: "expected one"}}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, Errors{{File: name, Line: 1, Column: 1, What: "the file is empty", Want: "expected listeners and routes"}}
	}
	c := converter{file: file, anchors: map[string]*node{}}
	return c.node(body), nil
}

// converter makes nodes of the library's.
type converter struct {
	file    uint16
	anchors map[string]*node
}

func (c *converter) node(n ast.Node) *node {
	out := new(node)
	c.fill(out, n)
	return out
}

func (c *converter) fill(out *node, n ast.Node) {
	line, column := position(n)
	out.file, out.line, out.col = c.file, int32(line), int32(column)
	switch v := n.(type) {
	case *ast.AnchorNode:
		c.anchors[v.Name.String()] = out // before its value, which may refer to itself: the decoder notices
		c.fill(out, v.Value)
	case *ast.AliasNode:
		out.kind, out.text, out.to = reference, v.Value.String(), c.anchors[v.Value.String()]
	case *ast.MappingValueNode: // the parser leaves a mapping with one entry bare in some places
		out.entries = []entry{c.entry(v)}
		out.line, out.col = out.entries[0].line, out.entries[0].col
	case *ast.MappingNode:
		out.entries = make([]entry, len(v.Values))
		for i, e := range v.Values {
			out.entries[i] = c.entry(e)
		}
	case *ast.SequenceNode:
		out.kind, out.items = sequence, make([]*node, len(v.Values))
		for i, item := range v.Values {
			out.items[i] = c.node(item)
		}
	case *ast.StringNode:
		out.kind, out.text = plain, v.Value
	case *ast.LiteralNode:
		out.kind, out.text = block, v.Value.Value
	case *ast.IntegerNode:
		out.kind, out.text = integer, v.Token.Value
	case *ast.FloatNode:
		out.kind, out.text = float, v.Token.Value
	case *ast.BoolNode:
		out.kind, out.text = boolean, v.Token.Value
	case *ast.NullNode:
		out.kind = null
	case *ast.TagNode:
		out.kind, out.text = tagged, v.Start.Value
	default:
		out.kind = strange
		if t := n.GetToken(); t != nil {
			out.text = t.Value
		}
	}
}

func (c *converter) entry(e *ast.MappingValueNode) entry {
	line, column := position(e.Key)
	out := entry{key: e.Key.String(), file: c.file, line: int32(line), col: int32(column), value: c.node(e.Value)}
	if s, ok := e.Key.(*ast.StringNode); ok {
		out.key, out.isKey = s.Value, true
	}
	return out
}

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
