package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Signed, verified, changed, refused: exit code 1 and the file that is not as it was.
func TestAttestAndVerify(t *testing.T) {
	dir, key := t.TempDir(), filepath.Join(t.TempDir(), "lab.key")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "result.json"), []byte("true"), 0o644))
	run := func(want int, args ...string) string {
		cmd, _, stderr, _ := blitzlab(t, args...)
		assert.Equal(t, want, exit(t, cmd), args)
		return stderr.String()
	}
	assert.Contains(t, run(0, "attest", "--new-key", key), "is the secret key")
	assert.Contains(t, run(2, "attest", "--new-key", key), "exists", "a key is never overwritten")
	assert.Contains(t, run(1, "verify", "--key", key+".pub", dir), "nobody attested")
	assert.Contains(t, run(2, "attest", dir), "no key")
	assert.Contains(t, run(0, "attest", "--key", key, dir), "1 files and 0 binaries")
	assert.Contains(t, run(0, "verify", "--key", key+".pub", dir), "1 files as they were signed")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "result.json"), []byte("false"), 0o644))
	assert.Contains(t, run(1, "verify", "--key", key+".pub", dir), "result.json was changed: 5 bytes, 4 were signed")
	assert.Contains(t, run(2, "verify", dir), "no key")
}
