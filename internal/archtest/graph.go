package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Module is the module's path.
const Module = "github.com/blitz-gateway/blitz"

// Systems are the values of GOOS whose files are looked at; imports of all of them count.
var Systems = []string{"linux", "darwin", "windows"}

// Load reads the import graph of the module at root, test files left out.
func Load(root string) (Graph, error) {
	g := Graph{}
	for _, system := range Systems {
		// -e: packages that exclude a system completely are no error.
		cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w: %s", system, err, stderr.Bytes())
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct {
				ImportPath string
				Imports    []string
			}
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("go list for %s: %w", system, err)
			}
			from := short(p.ImportPath)
			for _, to := range p.Imports {
				if to = short(to); !slices.Contains(g[from], to) {
					g[from] = append(g[from], to)
				}
			}
			if _, ok := g[from]; !ok {
				g[from] = nil
			}
		}
	}
	return g, nil
}

// short writes our own packages as ./folder.
func short(path string) string {
	if rest, ok := strings.CutPrefix(path, Module+"/"); ok {
		return ours + rest
	}
	return path
}
