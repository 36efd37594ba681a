package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// comments of the structs: "Listener" → comment of the type, "Listener.Address" → comment of the field.
type comments map[string]string

func readComments(dir string) (comments, error) {
	c := comments{}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "config.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			s, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			c[t.Name.Name] = oneLine(g.Doc.Text())
			for _, field := range s.Fields.List {
				if field.Doc == nil {
					return nil, fmt.Errorf("%s.%s has no comment", t.Name.Name, field.Names[0].Name)
				}
				c[t.Name.Name+"."+field.Names[0].Name] = oneLine(field.Doc.Text())
			}
		}
	}
	return c, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// typeText is the comment of a type as prose about the thing: "Listener is one address …" becomes "One address …".
func (c comments) typeText(name string) string {
	text := strings.TrimPrefix(c[name], name+" ")
	text = strings.TrimPrefix(text, "is ")
	return strings.ToUpper(text[:1]) + text[1:]
}
