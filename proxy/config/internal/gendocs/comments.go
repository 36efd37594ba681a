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

// readComments reads config.go and config_*.go, where the structs of the configuration stand.
func readComments(dir string) (comments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "config*.go"))
	if err != nil {
		return nil, err
	}
	c := comments{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if err := c.read(f); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c comments) read(f *ast.File) error {
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
					return fmt.Errorf("%s.%s has no comment", t.Name.Name, field.Names[0].Name)
				}
				c[t.Name.Name+"."+field.Names[0].Name] = oneLine(field.Doc.Text())
			}
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// typeText is the comment of a type as prose about the thing: "Listener is one address …" becomes "One address …".
func (c comments) typeText(name string) string {
	text := strings.TrimPrefix(c[name], name+" ")
	text = strings.TrimPrefix(text, "is ")
	return strings.ToUpper(text[:1]) + text[1:]
}
