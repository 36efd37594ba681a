package programs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The flags are those of `make build`, or the build cache would hold everything twice.
func TestProgramsAreBuiltAsReleased(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Build(dir, "blitz"))
	out, err := exec.Command("go", "version", "-m", filepath.Join(dir, "blitz")).Output()
	require.NoError(t, err)
	for _, setting := range []string{"-trimpath=true", "CGO_ENABLED=0"} {
		assert.Contains(t, string(out), "build\t"+setting)
	}
	assert.NotContains(t, string(out), "vcs.revision")
	assert.NotContains(t, string(out), "-race=true")

	makefile, err := exec.Command("make", "-C", "../..", "-n", "build").Output()
	if err != nil {
		t.Skip("no make here")
	}
	assert.Contains(t, strings.Join(strings.Fields(string(makefile)), " "), "CGO_ENABLED=0 go build -trimpath -buildvcs=false")

	assert.ErrorContains(t, Build(dir, "nothing"), "build [nothing]")
}
