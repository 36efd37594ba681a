package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxFile bounds a configuration file. A hundred thousand routes take some 10 MiB.
const maxFile = 64 << 20

// Load reads and checks a file and what it includes. The error is Errors when something is wrong with the content.
func Load(path string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c, _, err := read(path, text, false)
	return c, err
}

func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the configuration: %w", err)
	}
	if info.Size() > maxFile {
		return "", tooLarge(path, info.Size())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	var b strings.Builder
	b.Grow(int(info.Size())) // the text of a large file is then not copied
	if _, err := io.Copy(&b, io.LimitReader(f, maxFile+1)); err != nil {
		return "", fmt.Errorf("cannot read the configuration: %w", err)
	}
	if b.Len() > maxFile {
		return "", tooLarge(path, int64(b.Len()))
	}
	return b.String(), nil
}

func tooLarge(path string, size int64) error {
	return Errors{{File: path, What: fmt.Sprintf("the file has %d bytes", size), Want: fmt.Sprintf("expected at most %d", maxFile)}}
}

// Parse checks data and the files it includes; name is the file name in messages, and where relative paths start. The error is always Errors.
func Parse(name string, data []byte) (*Config, error) { return parse(name, data, false) }

// ParseLiteral is Parse for what YAML has written, which has been checked, with what its references stand for: here they stay what they are, which is seldom an
// address or the name of a cluster, so only the form is checked. Nothing is included, and no file is read.
func ParseLiteral(name string, data []byte) (*Config, error) { return parse(name, data, true) }

func parse(name string, data []byte, literal bool) (*Config, error) {
	c, _, err := read(name, string(data), literal)
	return c, err
}

// read is parse for a text. starts are where the routes begin that the fast reader has found: bytes from the start of the text, of the line of each.
func read(name, data string, literal bool) (c *Config, starts []int, err error) {
	d := &decoder{files: []string{name}, misspelt: map[*node]bool{}, literal: literal, looked: Files{Names: []string{name}}}
	if d.root, starts, err = readYAML(name, 0, data); err != nil {
		if e := (Errors)(nil); errors.As(err, &e) {
			e[0].looked = &d.looked
		}
		return nil, nil, err
	}
	if !literal {
		d.includeAll()
	}
	c = new(Config)
	if len(d.problems) == 0 && d.document(c) {
		if d.check(c); literal {
			d.problems = nil
		}
	}
	if len(d.problems) > 0 {
		d.hide()
		list := d.problems.sorted()
		list[0].looked = &d.looked
		return nil, nil, list
	}
	c.refs, c.files, c.literal = d.refs, d.looked, literal
	return c, starts, nil
}
