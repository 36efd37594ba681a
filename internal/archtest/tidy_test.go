package archtest

import (
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sources(t *testing.T) Sources {
	t.Helper()
	s, err := ReadSources(os.DirFS(root))
	require.NoError(t, err)
	require.Contains(t, s, "internal/loop/loop.go")
	require.Contains(t, s, "Makefile")
	return s
}

func TestTreeIsTidy(t *testing.T) {
	assert.Empty(t, Tidy(sources(t)))
}

// Every example says in a document what it is an example of.
func TestExamplesAreMentioned(t *testing.T) {
	s := sources(t)
	docs := s.Documents()
	examples := 0
	for file := range s {
		if path.Dir(file) != "examples" || !strings.HasSuffix(file, ".yaml") {
			continue
		}
		examples++
		found := false
		for name, text := range docs {
			found = found || strings.Contains(text, file) || path.Dir(name) == "examples" && strings.Contains(text, path.Base(file))
		}
		assert.True(t, found, "%s is mentioned in no document", file)
	}
	assert.NotZero(t, examples)
}

func TestUntidinessIsFound(t *testing.T) {
	const doc = "// Package a is a package with a comment.\npackage a\n"
	word := "TO" + "DO"
	for _, c := range []struct {
		name, file, text string
		want             string
	}{
		{"fine", "a/a.go", doc, ""},
		{"no comment", "a/a.go", "package a\n", "a: no package comment"},
		{"two words of comment", "a/a.go", "// Package a.\npackage a\n", "a: no package comment"},
		{"comment not attached", "a/a.go", "// Package a is a package with a comment.\n\npackage a\n", "a: no package comment"},
		{"leftover", "a/a.go", doc + "// " + word + ": later\n", "a/a.go:3: " + word},
		{"leftover in make", "Makefile", "# " + word + "\n", "Makefile:1: " + word},
		{"part of a word is fine", "a/a.go", doc + "// " + word + "S\n", ""},
		{"machine path", "a/a.go", doc + `const p = "/ho` + `me/me/x"` + "\n", "a/a.go:3: a path of one machine"},
		{"url path is fine", "a/a.md", "GET example.org/home/x\n", ""},
		{"skip without reason", "a/a_test.go", "package a\n\nfunc f() { t.Sk" + "ip() }\n", "a/a_test.go:3: a skipped test says why"},
		{"skip now", "a/a_test.go", "package a\n\nfunc f() { t.Skip" + "Now() }\n", "a skipped test says why"},
		{"skip with reason", "a/a_test.go", "package a\n\nfunc f() { t.Skip(\"no io_uring here\") }\n", ""},
		{"too long", "a/a.go", doc + strings.Repeat("\n", MaxLines-1), "a/a.go: 601 lines, at most 600"},
		{"just not too long", "a/a.go", doc + strings.Repeat("\n", MaxLines-2), ""},
		{"results are not looked at", "results/x.md", word + "\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ReadSources(fstest.MapFS{c.file: {Data: []byte(c.text)}})
			require.NoError(t, err)
			got := Tidy(s)
			if c.want == "" {
				assert.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			assert.Contains(t, strings.Join(got, "\n"), c.want)
		})
	}
}
