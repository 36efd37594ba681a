package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const afterHead = `listeners:
  - {name: edge, address: 127.0.0.1:0}
clusters:
  - {name: up, endpoints: [{address: 127.0.0.1:9}]}
  - {name: other, endpoints: [{address: 127.0.0.1:8}]}
routes:
`

// manyRoutes are the lines of a list of n routes, of each kind of notation.
func manyRoutes(n int) []string {
	var out []string
	for i := range n {
		switch i % 4 {
		case 0:
			out = append(out, fmt.Sprintf("  - {match: {path: /a%d/*}, cluster: up}\n", i))
		case 1:
			out = append(out, fmt.Sprintf("  - match: {host: h%d.example.com}\n    # why\n    respond:\n      body: |\n        - {match: x}\n\n        routes:\n", i))
		case 2:
			out = append(out, fmt.Sprintf("  - name: n%d\n    match: {path: \"/n%d\", methods: [GET]}\n    cluster: other\n\n", i, i))
		default:
			out = append(out, fmt.Sprintf("  - {match: {path: '/b%d/{id}'}, respond: {body: b}} # end\n", i))
		}
	}
	return out
}

// bare is a configuration without what says how it was read.
func bare(c *Config) *Config {
	d := *c
	d.source, d.refs, d.files = nil, nil, Files{}
	return &d
}

// Whatever changes: what is read after another configuration is what is read alone, and so are the errors.
func TestParseAfterIsParse(t *testing.T) {
	lines := manyRoutes(200)
	text := func(head string, lines []string, tail string) string { return head + strings.Join(lines, "") + tail }
	change := func(at int, to ...string) []string { return slices.Replace(slices.Clone(lines), at, at+1, to...) }
	const tail = "drain_idle: 2s\n"
	base := text(afterHead, lines, tail)
	fresh := "  - {match: {path: /fresh}, respond: {body: new}}\n"
	cases := map[string]struct {
		text string
		fast bool // changed routes alone are read
	}{
		"nothing":                {base, true},
		"first":                  {text(afterHead, change(0, fresh), tail), true},
		"middle":                 {text(afterHead, change(101, fresh), tail), true},
		"last":                   {text(afterHead, change(199, fresh), tail), true},
		"inserted":               {text(afterHead, change(50, lines[50], fresh), tail), true},
		"appended":               {text(afterHead, append(slices.Clone(lines), fresh), tail), true},
		"put before all":         {text(afterHead, append([]string{fresh}, lines...), tail), true},
		"removed":                {text(afterHead, change(70), tail), true},
		"last removed":           {text(afterHead, lines[:199], tail), true},
		"first removed":          {text(afterHead, lines[1:], tail), true},
		"many removed":           {text(afterHead, append(slices.Clone(lines[:40]), lines[90:]...), tail), true},
		"line added to a route":  {text(afterHead, change(102, lines[102][:len(lines[102])-1]+"    max_body: 1KiB\n"), tail), true},
		"line added to the last": {text(afterHead, append(slices.Clone(lines), "    max_body: 1KiB\n"), tail), false},
		"tail":                   {text(afterHead, lines, "drain_idle: 3s\n"), true},
		"head":                   {text("drain_delay: 1s\n"+afterHead, lines, tail), true},
		"head, comment before":   {text("# routes:\ndrain_delay: 1s\n"+afterHead+"  # the first\n", lines, tail), true},
		"head and tail":          {text("drain_delay: 1s\n"+afterHead, lines, "drain_idle: 3s\n"), true},
		"head and a route":       {text("drain_delay: 1s\n"+afterHead, change(101, fresh), tail), true},
		"cluster and its route":  {text(strings.Replace(afterHead, "routes:", "  - {name: third, endpoints: [{address: 127.0.0.1:7}]}\nroutes:", 1), change(101, "  - {match: {path: /q}, cluster: third}\n"), tail), true},
		"cluster changed":        {text(strings.Replace(afterHead, "127.0.0.1:8}", "127.0.0.1:7}", 1), lines, tail), true},
		"routes twice":           {text("routes:\n"+fresh+afterHead, lines, tail), false},
		"head swallows":          {text(strings.Replace(afterHead, "routes:", "include: |\n  x\n  routes:", 1), lines, tail), false},
		"head left open":         {text("drain_delay: \"1s\n"+afterHead, lines, tail), false},
		"head in braces":         {text("admin: {\n"+afterHead, lines, tail), false},
		"comment behind the key": {text(strings.Replace(afterHead, "routes:", "routes: # all", 1), lines, tail), true},
		"first and last":         {text(afterHead, append(append([]string{fresh}, lines[1:199]...), strings.Replace(fresh, "/fresh", "/last", 1)), tail), false},

		"cluster gone":            {text(strings.Replace(afterHead, "name: other", "name: else", 1), lines, tail), false},
		"list ended":              {text(afterHead, change(100, "admin:\n"), tail), false},
		"list becomes another":    {text(afterHead, change(100, "listeners:\n"), tail), false},
		"list begins again":       {text(afterHead, change(100, "routes:\n"), tail), false},
		"block swallows":          {text(afterHead, change(100, "  - match: {path: /q}\n    respond:\n      body: |\n        x\n"), tail), true},
		"quote left open":         {text(afterHead, change(100, "  - {match: {path: \"/q}\n"), tail), false},
		"same path":               {text(afterHead, change(100, "  - {match: {path: /a0/*}, cluster: up}\n"), tail), false},
		"same path, other method": {text(afterHead, change(100, "  - {match: {path: /n2, methods: [PUT]}, cluster: up}\n"), tail), false},
		"same name":               {text(afterHead, change(100, "  - {name: n2, match: {path: /q}, cluster: up}\n"), tail), false},
		"unknown cluster":         {text(afterHead, change(100, "  - {match: {path: /q}, cluster: upp}\n"), tail), false},
		"moved":                   {text(afterHead, append(slices.Clone(lines[1:]), lines[0]), tail), false},
		"reference":               {text(afterHead, change(100, "  - {match: {path: /q}, respond: {body: \"${PATH}\"}}\n"), tail), false},
		"indented otherwise":      {text(afterHead, change(100, " - {match: {path: /q}, cluster: up}\n"), tail), false},
		"include":                 {text(afterHead, lines, tail+"include: [none*.yaml]\n"), false},
		"file ends early":         {base[:len(base)/2], false},
		"no line end":             {strings.TrimSuffix(base, "\n"), true},
		"empty":                   {"", false},
		"other YAML":              {text("---\n"+afterHead, lines, tail), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			prev, err := ParseAfter("a.yaml", []byte(base), nil)
			require.NoError(t, err)
			require.NotNil(t, prev.source)
			want, wantErr := Parse("a.yaml", []byte(c.text))
			got, err := ParseAfter("a.yaml", []byte(c.text), prev)
			require.Equal(t, wantErr, err)
			if err != nil {
				return
			}
			assert.Equal(t, bare(want), bare(got))
			head, tail := got.Unchanged(prev)
			assert.Equal(t, c.fast, head+tail > 0, "%d and %d routes are taken over", head, tail)
		})
	}
}

// Random cuts and copies, one after another: the outcome never differs from that of reading everything.
func TestParseAfterRandomChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := afterHead + strings.Join(manyRoutes(100), "") + "drain_idle: 2s\n"
	var prev *Config
	fast := 0
	for range 160 {
		lines := strings.SplitAfter(text, "\n")
		next := text
		switch r.IntN(12) {
		case 0: // a line goes
			at := r.IntN(len(lines))
			next = strings.Join(slices.Delete(lines, at, at+1), "")
		case 1: // a line comes twice
			at, to := r.IntN(len(lines)), r.IntN(len(lines))
			next = strings.Join(slices.Insert(lines, to, lines[at]), "")
		case 2: // a byte is another
			at := r.IntN(len(text))
			next = text[:at] + string("a -:{}\n/x#"[r.IntN(10)]) + text[at+1:]
		case 3: // a piece goes
			at := r.IntN(len(text))
			next = text[:at] + text[min(len(text), at+r.IntN(40)):]
		default: // a new route
			to := r.IntN(len(lines))
			next = strings.Join(slices.Insert(lines, to, fmt.Sprintf("  - {match: {path: /r%d}, cluster: up}\n", r.IntN(100000))), "")
		}
		want, wantErr := Parse("a.yaml", []byte(next))
		got, err := ParseAfter("a.yaml", []byte(next), prev)
		require.Equal(t, wantErr, err, next)
		if err != nil {
			continue
		}
		require.Equal(t, bare(want), bare(got), next)
		if head, tail := got.Unchanged(prev); head+tail > 0 {
			fast++
		}
		text, prev = next, got
		if len(got.Routes) < 70 {
			text, prev = afterHead+strings.Join(manyRoutes(100), ""), nil
		}
	}
	assert.Greater(t, fast, 20)
}

// A file that a route answers with is read again, though the text of the route is the same.
func TestParseAfterReadsFilesAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "body.txt")
	text := afterHead + strings.Join(manyRoutes(100), "") + "  - {match: {path: /file}, respond: {file: body.txt}}\n"
	var prev *Config
	for _, body := range []string{"one", "two"} {
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
		c, err := ParseAfter(filepath.Join(dir, "a.yaml"), []byte(text), prev)
		require.NoError(t, err)
		assert.Equal(t, body, string(c.Routes[100].Respond.Content()))
		prev = c
		text = strings.Replace(text, "/a0/", "/z0/", 1)
	}
}
