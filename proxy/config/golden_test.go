package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the expected half of the golden files")

const dashes = "----------\n"

// Each file under testdata is a configuration, a line of dashes, and what comes of it: the errors, or the configuration with every
// default filled in. Files whose name starts with bad_ must fail, others must not.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	good, bad := 0, 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		wantBad := strings.HasPrefix(name, "bad_")
		if wantBad {
			bad++
		} else {
			good++
		}
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			input, want, found := strings.Cut(string(raw), dashes)
			require.True(t, found, "no line of dashes")
			c, err := Parse("blitz.yaml", []byte(input))
			var got string
			if err != nil {
				got = err.Error() + "\n"
			} else {
				got = string(YAML(c))
				again, err := ParseLiteral("blitz.yaml", []byte(got))
				require.NoError(t, err, got)
				require.Equal(t, got, string(YAML(again)), "what is written reads as the same")
			}
			require.Equal(t, wantBad, err != nil, got)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(input+dashes+got), 0o644))
				return
			}
			require.Equal(t, want, got)
		})
	}
	require.GreaterOrEqual(t, bad, 40)
	require.GreaterOrEqual(t, good, 15)
}
