package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watchQuiet is how long files must be left alone before they are read: editors and copying programs write in several steps. watchAtMost is when they
// are read although they are not.
const (
	watchQuiet  = 20 * time.Millisecond
	watchAtMost = 500 * time.Millisecond
)

// Watch has the file read again whenever it changes: written in place, replaced by another one, or reached through a link that now points elsewhere, as
// Kubernetes does it (the file is a link into ..data, and ..data a link that is exchanged). Folders are watched, since a watch on a file
// stays with the file that is replaced. It lasts until Close.
func (r *Reloader) Watch() error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	watched := map[string]bool{}
	follow(w, watched, r.file)
	seen := fingerprint(r.file)
	go func() {
		defer w.Close()
		var first time.Time
		quiet := time.NewTimer(time.Hour)
		quiet.Stop()
		for {
			select {
			case <-r.stop:
				return
			case _, ok := <-w.Events:
				if !ok {
					return
				}
				if first.IsZero() {
					first = time.Now()
				}
				quiet.Reset(min(watchQuiet, max(watchAtMost-time.Since(first), 0)))
			case err, ok := <-w.Errors:
				if !ok {
					return
				}
				slog.Warn("watching the configuration", "error", err)
				quiet.Reset(watchQuiet) // events may be lost: look
			case <-quiet.C:
				first = time.Time{}
				follow(w, watched, r.file)
				if now := fingerprint(r.file); now != seen {
					seen = now
					r.Trigger("the file has changed")
				}
			}
		}
	}()
	return nil
}

// follow watches the folders of file and of everything that it links to.
func follow(w *fsnotify.Watcher, watched map[string]bool, file string) {
	for range 40 { // as many links as the kernel follows (path_resolution(7))
		dir := filepath.Dir(file)
		if !watched[dir] {
			if err := w.Add(dir); err != nil {
				slog.Warn("the folder of the configuration is not watched", "folder", dir, "error", err)
			}
			watched[dir] = true
		}
		target, err := os.Readlink(file)
		if err != nil {
			// A folder on the way may be a link, too: its parent sees the exchange.
			if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
				file = filepath.Join(real, filepath.Base(file))
				continue
			}
			return
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		file = target
	}
}

// mark is what tells one content of a file from another without reading it.
type mark struct {
	real string
	size int64
	time time.Time
}

func fingerprint(file string) mark {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return mark{}
	}
	info, err := os.Stat(real)
	if err != nil {
		return mark{}
	}
	return mark{real, info.Size(), info.ModTime()}
}
