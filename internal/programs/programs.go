// Package programs builds this module's programs for the tests that run them: as `make build` does, without the race detector, whatever the tests were built with.
//
// It may import the standard library only. What is compiled with other flags is another compilation of the standard library and of everything else; with
// the same ones, all tests and `make build` share the build cache, and a test waits for the linker only.
package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build writes the named programs (cmd/NAME) into dir, which exists. It must be called in a directory of the module.
func Build(dir string, names ...string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", dir + string(filepath.Separator)}
	for _, n := range names {
		args = append(args, "github.com/blitz-gateway/blitz/cmd/"+n)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w: %s", names, err, out)
	}
	return nil
}
