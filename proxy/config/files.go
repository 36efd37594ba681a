package config

import (
	"errors"
	"slices"
)

// Files are what a configuration was made from. When one of them changes, or another one matches a pattern, reading it again may give something else.
type Files struct {
	// Names of the file itself, of those that it includes, and of those that values and answers come from.
	Names []string
	// Patterns of included files.
	Patterns []string
}

func (f *Files) add(name string) {
	if !slices.Contains(f.Names, name) {
		f.Names = append(f.Names, name)
	}
}

// Files are those of c, without those that only a snapshot reads: certificates, keys and lists of endpoints.
func (c *Config) Files() Files { return c.files }

// FilesOf are the files that were looked at before err came out of Load or LoadAfter.
func FilesOf(err error) Files {
	var list Errors
	if errors.As(err, &list) {
		for i := range list {
			if list[i].looked != nil {
				return *list[i].looked
			}
		}
	}
	return Files{}
}
