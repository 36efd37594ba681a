package config

import (
	"fmt"
	"os"
)

// maxFile bounds a configuration file. A hundred thousand routes take some 10 MiB.
const maxFile = 64 << 20

// Load reads and checks a file and what it includes. The error is Errors when something is wrong with the content.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

func readFile(path string) ([]byte, error) {
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
	return data, nil
}

// Parse checks data and the files it includes; name is the file name in messages, and where relative paths start. The error is always Errors.
func Parse(name string, data []byte) (*Config, error) { return parse(name, data, false) }

// ParseLiteral is Parse for what YAML has written: references stay what they are, and nothing is included.
func ParseLiteral(name string, data []byte) (*Config, error) { return parse(name, data, true) }

func parse(name string, data []byte, literal bool) (*Config, error) {
	c, _, err := read(name, string(data), literal)
	return c, err
}

// read is parse for a text. starts are where the routes begin that the fast reader has found: bytes from the start of the text, of the line of each.
func read(name, data string, literal bool) (c *Config, starts []int, err error) {
	d := &decoder{files: []string{name}, misspelt: map[*node]bool{}, literal: literal}
	if d.root, starts, err = readYAML(name, 0, data); err != nil {
		return nil, nil, err
	}
	if !literal {
		d.includeAll()
	}
	c = new(Config)
	if len(d.problems) == 0 && d.document(c) {
		d.check(c)
	}
	if len(d.problems) > 0 {
		d.hide()
		return nil, nil, d.problems.sorted()
	}
	c.refs = d.refs
	return c, starts, nil
}
