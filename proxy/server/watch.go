package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// watchQuiet is how long files must be left alone before they are read: editors and copying programs write in several steps. watchAtMost is when they
// are read although they are not.
const (
	watchQuiet  = 20 * time.Millisecond
	watchAtMost = 500 * time.Millisecond
)

// fileClock is how far the times of files may lag behind: the kernel takes them from a clock that ticks a few hundred times a second.
const fileClock = 20 * time.Millisecond

// Watch has the file read again whenever it, or a file that the configuration is made of, changes: included ones, those of references, of answers, of certificates
// and keys. It may be written in place, replaced by another one, or reached through a link that now points elsewhere, as
// Kubernetes does it (the file is a link into ..data, and ..data a link that is exchanged). Folders are watched, since a watch on a file
// stays with the file that is replaced; folders may be replaced as well. After a failure the files of the configuration that was refused are watched, too. It lasts
// until Close.
func (r *Reloader) Watch() error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	v := &watcher{folders: newFolders(w), r: r}
	v.seen = v.look(v.files())
	go v.run()
	return nil
}

// watcher looks after the files of a Reloader.
type watcher struct {
	folders folders
	r       *Reloader
	seen    map[string]mark
}

func (v *watcher) run() {
	defer v.folders.close()
	var first time.Time
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	stir := func() {
		if first.IsZero() {
			first = time.Now()
		}
		quiet.Reset(min(watchQuiet, max(watchAtMost-time.Since(first), 0)))
	}
	patrol := time.NewTicker(watchPatrol)
	defer patrol.Stop()
	for {
		select {
		case <-v.r.stop:
			return
		case e, ok := <-v.folders.w.Events:
			if !ok {
				return
			}
			v.folders.note(e)
			stir()
		case <-patrol.C:
			if v.folders.replaced() {
				stir()
			}
		case err, ok := <-v.folders.w.Errors:
			if !ok {
				return
			}
			slog.Warn("watching the configuration", "error", err)
			stir() // events may be lost: look
		case <-v.r.loaded:
			was := v.folders.w
			v.adopt()
			if v.folders.w != was { // what it had to tell is lost
				stir()
			}
		case <-quiet.C:
			first = time.Time{}
			now := v.look(v.files())
			if changed(v.seen, now) {
				v.r.Trigger("a file has changed")
			}
			v.seen = now
		}
	}
}

// files are those of the configuration in force, and of the one that was refused since.
func (v *watcher) files() snapshot.Files {
	f := v.r.s.snap.Load().Sources()
	refused := v.r.refused.Load()
	names := append([]string{v.r.file}, f.Names...)
	patterns := slices.Clone(f.Patterns)
	if refused != nil {
		names, patterns = append(names, refused.Names...), append(patterns, refused.Patterns...)
	}
	return snapshot.Files{Names: names, Patterns: patterns}
}

// adopt takes the files of a configuration that was just loaded, or refused. One that was not watched while it was read, and has been written since, is read again.
func (v *watcher) adopt() {
	now := v.look(v.files())
	began := time.Unix(0, v.r.began.Load()).Add(-fileClock)
	for name, m := range now {
		if _, known := v.seen[name]; !known && m.time.After(began) {
			v.r.Trigger("a file has changed")
			break
		}
	}
	for name, m := range v.seen { // what has changed and was not acted on yet still is to be
		if _, still := now[name]; still {
			now[name] = m
		}
	}
	v.seen = now
}

// look watches the folders of files and tells what the files are like.
func (v *watcher) look(files snapshot.Files) map[string]mark {
	v.folders.renew()
	out := make(map[string]mark, len(files.Names))
	for _, pattern := range files.Patterns {
		v.folders.add(filepath.Dir(pattern)) // a file may come
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, name := range matches {
			v.follow(name)
			out[name] = fingerprint(name)
		}
	}
	for _, name := range files.Names {
		if _, twice := out[name]; !twice {
			v.follow(name)
			out[name] = fingerprint(name)
		}
	}
	return out
}

func changed(before, now map[string]mark) bool {
	if len(before) != len(now) {
		return true
	}
	for name, m := range now {
		if was, ok := before[name]; !ok || !was.same(&m) {
			return true
		}
	}
	return false
}

// follow watches the folders of file and of everything that it links to.
func (v *watcher) follow(file string) {
	for range 40 { // as many links as the kernel follows (path_resolution(7))
		dir := filepath.Dir(file)
		v.folders.add(dir)
		target, err := os.Readlink(file)
		if err != nil {
			// A folder on the way may be a link, too: its parent sees the exchange.
			if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
				v.folders.add(filepath.Dir(dir))
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
	info os.FileInfo // nil: there is none
	time time.Time
}

func (m *mark) same(o *mark) bool {
	if m.info == nil || o.info == nil {
		return m.info == nil && o.info == nil
	}
	return m.real == o.real && os.SameFile(m.info, o.info) && m.info.Size() == o.info.Size() && m.time.Equal(o.time)
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
	return mark{real, info, info.ModTime()}
}
