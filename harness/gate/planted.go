package gate

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// planted holds what makes Blitz worse on purpose, as patches: no such code is in the product.
//
//go:embed planted/*.patch
var planted embed.FS

// BuildPlanted builds what a proof compares, from one revision of the checkout at root: the executable as it is and one for each patch, named after
// their cases in dir ("aa" is the unpatched one).
func BuildPlanted(ctx context.Context, root, revision, dir string, say func(string)) error {
	for _, c := range Cases {
		if c.Loaded {
			continue
		}
		say("building " + c.Name + ": " + c.About)
		var patch []byte
		if c.Patch != "" {
			var err error
			if patch, err = planted.ReadFile("planted/" + c.Patch); err != nil {
				return err
			}
		}
		work := filepath.Join(dir, c.Name+".build")
		if err := os.Mkdir(work, 0o755); err != nil {
			return err
		}
		path, err := lab.BuildPatched(ctx, root, revision, patch, work, "blitz")
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if err := os.Rename(path, filepath.Join(dir, c.Name)); err != nil {
			return err
		}
	}
	return nil
}
