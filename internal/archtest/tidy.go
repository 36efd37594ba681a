package archtest

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// MaxLines is the hard limit for a Go file. LongFiles lists files that are longer than that and how long they may be: the figures only ever go
// down.
const MaxLines = 600

// LongFiles is the ratchet of MaxLines.
var LongFiles = map[string]int{}

// skipped are folders without sources of ours.
var skipped = []string{".git", "bin", "tmp", ".bench", "results", "testdata", "node_modules"}

// Sources are the files that are looked at, by path from the root.
type Sources map[string][]byte

// ReadSources reads the text files of a tree.
func ReadSources(root fs.FS) (Sources, error) {
	s := Sources{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		switch path.Ext(p) {
		case ".go", ".md", ".yaml", ".yml", ".sh", ".tmpl", ".mod":
		default:
			if p != "Makefile" && path.Dir(p) != ".ci" {
				return nil
			}
		}
		b, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		s[p] = b
		return nil
	})
	return s, err
}

var (
	// The words are taken apart so that this file does not contain them.
	leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	// A path that exists on one machine only.
	machinePath = regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(root|home|work|Users)/[A-Za-z0-9_.]`)
	// t.Skip says why; SkipNow cannot.
	bareSkip = regexp.MustCompile(`\.(SkipNow\(|Skipf?\(\s*(""|` + "``" + `)?\s*\))`)
)

// Tidy returns what is wrong with the sources as sentences, sorted.
func Tidy(s Sources) []string {
	var bad []string
	report := func(file string, line int, format string, args ...any) {
		at := file
		if line > 0 {
			at = fmt.Sprintf("%s:%d", file, line)
		}
		bad = append(bad, at+": "+fmt.Sprintf(format, args...))
	}
	documented := map[string]bool{}
	for file, text := range s {
		goFile := strings.HasSuffix(file, ".go")
		n := 0
		for line := range bytes.Lines(text) {
			n++
			if w := leftover.Find(line); w != nil {
				report(file, n, "%s: finish it, or write it down as an issue", w)
			}
			if machinePath.Match(line) {
				report(file, n, "a path of one machine: %s", bytes.TrimSpace(line))
			}
			if goFile && bareSkip.Match(line) {
				report(file, n, "a skipped test says why")
			}
		}
		if !goFile {
			continue
		}
		limit := max(MaxLines, LongFiles[file])
		if n > limit {
			report(file, 0, "%d lines, at most %d: which of its jobs can have a file of its own?", n, limit)
		}
		if was, long := LongFiles[file]; long && n <= MaxLines {
			report(file, 0, "only %d lines now: remove it from LongFiles (%d)", n, was)
		}
		dir := path.Dir(file)
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		documented[dir] = documented[dir] || hasPackageComment(file, text)
	}
	for dir, ok := range documented {
		if !ok {
			report(dir, 0, "no package comment: what is it for, what may it import, what flows through it?")
		}
	}
	for file := range LongFiles {
		if _, ok := s[file]; !ok {
			report(file, 0, "is in LongFiles but not in the tree")
		}
	}
	slices.Sort(bad)
	return bad
}

// hasPackageComment tells whether a file documents its package with more than a few words. A file that does not parse counts as one
// that does not: the compiler says the rest.
func hasPackageComment(file string, text []byte) bool {
	f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.PackageClauseOnly|parser.ParseComments)
	return err == nil && f.Doc != nil && len(strings.Fields(f.Doc.Text())) >= 5
}
