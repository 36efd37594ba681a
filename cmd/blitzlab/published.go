package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/blitz-gateway/blitz/harness/result"
)

// published reads all results below dir. A directory that is not there is a slip of the finger, and not a laboratory that has measured nothing.
func published(dir string) ([]result.Stored, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no results in %s: %w; blitzlab bench writes them, --results says where they are", dir, fs.ErrNotExist)
	}
	return result.ReadAll(dir)
}
