package server

import (
	"log/slog"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchPatrol is how often it is looked whether the folders are still those that are watched. The kernel does not tell when a folder above one of them is renamed,
// nor when one that is missing comes.
const watchPatrol = time.Second

// folders are what is watched. A watch stays with the folder that had the name when it was made, whatever has the name since, and two names of one folder share a
// watch: so when one of them is no longer what it was, all are watched anew.
type folders struct {
	w *fsnotify.Watcher
	// known is what a folder was like when its watch was made; nil: it is missing, or cannot be watched.
	known map[string]os.FileInfo
	stale bool            // one of them has been removed or renamed
	said  map[string]bool // the log tells already that it is not watched
}

func newFolders(w *fsnotify.Watcher) folders {
	return folders{w: w, known: map[string]os.FileInfo{}, said: map[string]bool{}}
}

func (f *folders) close() { f.w.Close() }

// add watches a folder, unless it is watched already. One that is missing may come to be: replaced tells.
func (f *folders) add(dir string) {
	if f.known[dir] != nil {
		return
	}
	info, err := os.Stat(dir)
	if err == nil {
		err = f.w.Add(dir)
	}
	if err == nil {
		f.known[dir] = info
		delete(f.said, dir)
		return
	}
	f.known[dir] = nil
	if !f.said[dir] {
		f.said[dir] = true
		slog.Warn("a folder of the configuration is not watched; it is tried again each second", "folder", dir, "error", err)
	}
}

// note takes notice of an event: a folder of the same name, even one with the same number, is another one once this one is gone.
func (f *folders) note(e fsnotify.Event) {
	if !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Rename) {
		return
	}
	if _, known := f.known[e.Name]; known {
		f.stale = true
	}
}

// replaced tells whether a folder is another one than the one that is watched, has gone, or has come.
func (f *folders) replaced() bool {
	came := false
	for dir, was := range f.known {
		info, err := os.Stat(dir)
		switch {
		case err != nil && was != nil, err == nil && was != nil && !os.SameFile(was, info):
			f.stale = true
		case err == nil && was == nil:
			came = true
			delete(f.known, dir) // it is added if it is still wanted
		}
	}
	return came || f.stale
}

// renew forgets all folders when one of them is not what it was. Whoever calls it adds those that are wanted, and looks at what is in them after that: what happened
// in between is seen then.
func (f *folders) renew() {
	if !f.replaced() || !f.stale {
		return
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		slog.Warn("watching the configuration: a folder was replaced, and is not watched", "error", err)
		return // stale still: the patrol tries again
	}
	f.w.Close()
	f.w, f.known, f.stale = w, map[string]os.FileInfo{}, false
}
