package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile bounds a configuration file. A hundred thousand routes take some 10 MiB.
const maxFile = 64 << 20

// Load reads and checks a file. The error is Errors when something is wrong with its content.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if info.Size() > maxFile {
		return nil, Errors{{File: path, What: fmt.Sprintf("the file has %d bytes", info.Size()), Want: fmt.Sprintf("expected at most %d", maxFile)}}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse checks data; name is the file name in messages. The error is always Errors.
func Parse(name string, data []byte) (*Config, error) {
	root, err := parseYAML(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{file: name, root: root, anchors: map[string]ast.Node{}, misspelt: map[ast.Node]bool{}}
	c := new(Config)
	if d.document(c) {
		d.check(c)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return c, nil
}

// syntaxError is what the YAML parser returns for a file that it cannot read.
type syntaxError interface {
	error
	GetToken() *token.Token
	GetMessage() string
}

// parseYAML returns the only document of a file.
func parseYAML(name string, data []byte) (root ast.Node, err error) {
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
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if _, comment := doc.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		if root != nil {
			line, column := position(doc.Body)
			return nil, Errors{{File: name, Line: line, Column: column, What: "a second document in the file", Want: "expected one"}}
		}
		root = doc.Body
	}
	if root == nil {
		return nil, Errors{{File: name, Line: 1, Column: 1, What: "the file is empty", Want: "expected listeners and routes"}}
	}
	return root, nil
}
