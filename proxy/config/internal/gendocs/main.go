// Command gendocs writes what is derived from the structs of package config: docs/CONFIG.md from the comments of their fields, and
// docs/config.schema.json, the JSON schema that editors check a configuration with. `go generate ./proxy/config` runs it; a test
// here fails when the files in docs are not what it would write.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(".", filepath.Join("..", "..", "docs")); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

// run reads the source of package config in configDir and writes into docsDir.
func run(configDir, docsDir string) error {
	files, err := generate(configDir)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(docsDir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the files by name.
func generate(configDir string) (map[string][]byte, error) {
	c, err := readComments(configDir)
	if err != nil {
		return nil, err
	}
	schema, err := makeSchema(c)
	if err != nil {
		return nil, err
	}
	reference, err := makeReference(c)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"CONFIG.md": reference, "config.schema.json": schema}, nil
}
