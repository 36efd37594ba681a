package config

import (
	"fmt"
	"os"
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
	root, err := readYAML(name, 0, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{files: []string{name}, root: root, misspelt: map[*node]bool{}}
	c := new(Config)
	if d.document(c) {
		d.check(c)
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return c, nil
}
