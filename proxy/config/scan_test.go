package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// show writes a tree with every position, so that two can be compared.
func show(b *strings.Builder, n *node, depth int) {
	if depth > 40 || n == nil {
		return
	}
	fmt.Fprintf(b, "%*s%d %d:%d %q\n", depth, "", n.kind, n.line, n.col, n.text)
	for i := range n.entries {
		e := &n.entries[i]
		fmt.Fprintf(b, "%*s%q %v %d:%d\n", depth, "", e.key, e.isKey, e.line, e.col)
		show(b, e.value, depth+1)
	}
	for _, item := range n.items {
		show(b, item, depth+1)
	}
}

func shown(n *node) string {
	var b strings.Builder
	show(&b, n, 0)
	return b.String()
}

// corpus is every file of ours that looks like a configuration.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"testdata/*.txt", "../../examples/*.yaml", "default.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, f := range files {
			raw, err := os.ReadFile(f)
			require.NoError(t, err)
			out[f], _, _ = strings.Cut(string(raw), dashes)
		}
	}
	return out
}

func sameAsLibrary(t *testing.T, name, text string) bool {
	t.Helper()
	fast := scan(text, 0)
	if fast == nil {
		return false
	}
	slow, err := readByLibrary(name, 0, []byte(text))
	require.NoError(t, err, "%s:\n%s", name, text)
	require.Equal(t, shown(slow), shown(fast), "%s:\n%s", name, text)
	return true
}

// Whatever scan reads is what the library reads, values and positions, also when the file ends anywhere.
func TestScanIsTheLibrary(t *testing.T) {
	read := 0
	for name, text := range corpus(t) {
		if sameAsLibrary(t, name, text) {
			read++
		}
		if len(text) > 400 {
			continue
		}
		for i := range text {
			sameAsLibrary(t, name, text[:i])
		}
	}
	require.Greater(t, read, 40)
	for _, text := range scanCases {
		require.True(t, sameAsLibrary(t, "case", text), "scan should read this:\n%s", text)
	}
}

// Every example is read by scan: what people are likely to write must not need the slow way.
func TestScanReadsTheExamples(t *testing.T) {
	for name, text := range corpus(t) {
		if strings.HasSuffix(name, ".yaml") {
			require.NotNil(t, scan(text, 0), name)
		}
	}
}

var scanCases = []string{
	"a: b\n",
	"a: {}\nb: []\n",
	"a:\n- b\n- c\n",
	"a:\n  - b: 1\n    c: 2\n  - b: 3\nd: e\n",
	"a: {b: c, d: [e, 'f', \"g\"], h: {i: 1}}\n",
	"a: ':8080'\nb: :8080\nc: 127.0.0.1:80\nd: 5s\ne: 16KiB\nf: 1.5ms\ng: 0\nh: 12\n",
	"a: b # c\n# d\n  # e\nf: \"# g\" # h\n",
	"a: |\n  b\n\n   c # d\n  e\nf: g\n",
	"a: é\n",
	"a: {b: é, c: d}\n",
	"a: 'it''s'\nb: \"x\\n\\t\\\"\\\\\"\n",
	"a: /v1/*\nb: [GET, POST]\nc: '*'\nd: http://x.example/y?z=1\n",
	"a: true\nb: false\nX-A: b\n",
	"a: 0.1\nb: [1.25, 10.0]\n",
	"on: off\nYes: [no, y, N]\n",
	"a: 0us\nb: 0s\nc: 0.5s\n",
	"a: ^/v[0-9]+/x$\nb: ^/a\\.b$\n",
	"a: ${B}\nb: \"${C:-d}\"\n",
}

func FuzzScan(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	for _, text := range scanCases {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsLibrary(t, "fuzz", text) })
}

// The same for files with small changes at random places. What differs most often in YAML is what a character means next to another one.
func TestScanIsTheLibraryAfterSmallChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for _, text := range corpus(t) {
		if len(text) < 600 {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	texts = append(texts, scanCases...)
	alphabet := []string{" ", "  ", "\n", ":", ": ", "- ", "-", "#", " #", "'", "\"", "{", "}", "[", "]", ",", ", ", "0", "1", ".", "a", "e", "x", "_", "/", "*", "&", "!", "|", "|\n", "~", "\\", "$", "%", "é", "+", "?", "true", "null", "<<"}
	read := 0
	for range 6000 {
		text := texts[rnd.IntN(len(texts))]
		for range 1 + rnd.IntN(3) {
			at := rnd.IntN(len(text) + 1)
			switch piece := alphabet[rnd.IntN(len(alphabet))]; rnd.IntN(3) {
			case 0:
				text = text[:at] + piece + text[at:]
			case 1:
				text = text[:at] + piece + text[min(at+len(piece), len(text)):]
			default:
				text = text[:at] + text[min(at+1+rnd.IntN(3), len(text)):]
			}
		}
		if sameAsLibrary(t, "changed", text) {
			read++
		}
	}
	require.Greater(t, read, 800)
}
