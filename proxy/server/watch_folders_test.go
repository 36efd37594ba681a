package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A folder that is replaced whole, or one above it, is watched again: what changes in the new one is seen, and what changes in it later as well.
func TestFoldersThatAreReplacedAreWatchedAgain(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, folder, fresh string){
		"renamed": func(t *testing.T, folder, fresh string) {
			require.NoError(t, os.Rename(folder, folder+".old"))
			require.NoError(t, os.Rename(fresh, folder))
		},
		"removed": func(t *testing.T, folder, fresh string) {
			require.NoError(t, os.RemoveAll(folder))
			require.NoError(t, os.CopyFS(folder, os.DirFS(fresh)))
		},
	} {
		for what, folder := range map[string]string{"itself": "a/b/words", "parent": "a/b", "grandparent": "a"} {
			t.Run(name+" "+what, func(t *testing.T) {
				s := setup{routes: "  - {match: {path: /word}, respond: {body: \"${file:a/b/words/word}\"}}\n"}
				g := gate(t, "epoll", setup{})
				dir := t.TempDir()
				words := filepath.Join(dir, "a/b/words")
				write := func(folder, word string) {
					require.NoError(t, os.MkdirAll(folder, 0o700))
					require.NoError(t, os.WriteFile(filepath.Join(folder, "word"), []byte(word), 0o600))
				}
				file := filepath.Join(dir, "blitz.yaml")
				require.NoError(t, os.WriteFile(file, []byte(s.yaml("epoll", g.logPath)), 0o600))
				write(words, "first")
				r := NewReloader(g.s, file)
				defer r.Close()
				require.NoError(t, r.Reload(t.Context()))
				require.NoError(t, r.Watch())
				c := g.dial()
				serves := func(word string) {
					t.Helper()
					eventually(t, word+" is served", func() bool { return c.ask(get("/word")).Text == word })
				}
				serves("first")
				for _, round := range []string{"one", "two"} {
					fresh := filepath.Join(t.TempDir(), "fresh")
					below, err := filepath.Rel(folder, "a/b/words")
					require.NoError(t, err)
					write(filepath.Join(fresh, below), "replaced "+round)
					replace(t, filepath.Join(dir, folder), fresh)
					serves("replaced " + round)
					write(words, "changed "+round)
					serves("changed " + round)
					require.NoError(t, os.RemoveAll(filepath.Join(dir, folder+".old")))
				}
			})
		}
	}
}

// The watch of a folder is not lost because another name of it is: a link beside it, say.
func TestFoldersUnderTwoNamesAreWatched(t *testing.T) {
	s := setup{routes: "  - {match: {path: /word}, respond: {body: \"${file:words/word}\"}}\n  - {match: {path: /link}, respond: {body: \"${file:link/word}\"}}\n"}
	g := gate(t, "epoll", setup{})
	dir := t.TempDir()
	write := func(folder, word string) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, folder, "word"), []byte(word), 0o600))
	}
	link := func(to string) {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, "new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "link")))
	}
	write("words", "one")
	write("other", "other")
	link("words")
	file := filepath.Join(dir, "blitz.yaml")
	require.NoError(t, os.WriteFile(file, []byte(s.yaml("epoll", g.logPath)), 0o600))
	r := NewReloader(g.s, file)
	defer r.Close()
	require.NoError(t, r.Reload(t.Context()))
	require.NoError(t, r.Watch())
	c := g.dial()
	serve := func(word, linked string) {
		t.Helper()
		eventually(t, word+" and "+linked+" are served", func() bool { return c.ask(get("/word")).Text == word && c.ask(get("/link")).Text == linked })
	}
	serve("one", "one")
	link("other")
	serve("one", "other")
	write("words", "two")
	serve("two", "other")
	write("other", "three")
	serve("two", "three")
	require.NoError(t, os.Remove(filepath.Join(dir, "link")))
	write("words", "four")
	write("link", "five")
	serve("four", "five")
}
