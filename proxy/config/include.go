package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIncluded bounds how many files a configuration may have.
const maxIncluded = 1000

// inclusion is a file that was read, and the place that asked for it.
type inclusion struct {
	real string
	by   *node
	// open: its own includes are being read, so to include it again makes a circle.
	open bool
}

// includeAll reads the files that the root asks for and joins them with it. The nodes of each know their file, so that every
// message has the right one.
func (d *decoder) includeAll() {
	root := resolve(d.root)
	if root.kind != mapping || !has(root, "include") {
		return
	}
	j := joiner{d: d, root: root, keys: map[string]*node{}}
	for i := range root.entries {
		e := &root.entries[i]
		if _, twice := j.keys[e.key]; !twice {
			j.keys[e.key] = e.place()
		}
	}
	j.files = append(j.files, inclusion{real: realPath(d.files[0]), open: true})
	j.includes(root, d.files[0])
}

type joiner struct {
	d     *decoder
	root  *node
	files []inclusion
	// keys are where each key of the outermost mapping stands.
	keys map[string]*node
}

func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	return path
}

// includes reads what the mapping of one file includes.
func (j *joiner) includes(m *node, from string) {
	list := resolve(child(m, "include"))
	if list.kind != sequence || list == m {
		return // the decoder says what is wrong with it
	}
	for _, item := range list.items {
		n := resolve(item)
		pattern, ok := text(n)
		if !ok {
			j.d.typeError(n, "a path")
			continue
		}
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(from), pattern)
		}
		paths := []string{pattern}
		if strings.ContainsAny(pattern, "*?[") {
			j.d.looked.Patterns = append(j.d.looked.Patterns, pattern)
			var err error
			if paths, err = filepath.Glob(pattern); err != nil {
				j.d.problem(n, fmt.Sprintf("%q is not a pattern", shorten(n.text)), "expected a path, in which * stands for any part of a name")
				continue
			}
			slices.Sort(paths)
		}
		for _, path := range paths {
			j.include(n, path)
		}
	}
}

// include reads one file, asked for at n.
func (j *joiner) include(n *node, path string) {
	d := j.d
	where := func(n *node) string { return fmt.Sprintf("%s:%d:%d", d.files[n.file], n.line, n.col) }
	real := realPath(path)
	for i := range j.files {
		f := &j.files[i]
		switch {
		case f.real != real:
		case f.open:
			d.problem(n, path+" includes itself in the end", "expected no circle")
			return
		default:
			d.problem(n, path+" is included twice", "it is already at "+where(f.by))
			return
		}
	}
	if len(j.files) >= maxIncluded {
		d.problem(n, fmt.Sprintf("more than %d files", maxIncluded), "")
		return
	}
	d.looked.add(path)
	data, err := readFile(path)
	if err != nil {
		if e := (*os.PathError)(nil); errors.As(err, &e) {
			err = fmt.Errorf("cannot read %s: %w", path, e.Err)
		}
		d.problem(n, err.Error(), "expected a readable file; a pattern may match none")
		return
	}
	d.files = append(d.files, path)
	m, _, err := readYAML(path, uint16(len(d.files)-1), data)
	if err != nil {
		var e Errors
		if errors.As(err, &e) {
			for i := range e {
				e[i].file = uint16(len(d.files) - 1)
			}
			d.problems = append(d.problems, e...)
		}
		return
	}
	m = resolve(m)
	if m.kind != mapping {
		d.typeError(m, "a mapping with keys such as listeners and routes")
		return
	}
	at := len(j.files)
	j.files = append(j.files, inclusion{real: real, by: n, open: true})
	j.join(m, where)
	j.includes(m, path)
	j.files[at].open = false
}

// join adds the keys of an included file to the root.
func (j *joiner) join(m *node, where func(*node) string) {
	for i := range m.entries {
		e := &m.entries[i]
		if e.key == "include" {
			continue
		}
		first, twice := j.keys[e.key]
		if !twice {
			j.keys[e.key] = e.place()
			j.root.entries = append(j.root.entries, *e)
			continue
		}
		to, from := resolve(child(j.root, e.key)), resolve(e.value)
		if to.kind == sequence && from.kind == sequence && e.isKey {
			to.items = append(to.items, from.items...)
			continue
		}
		j.d.problem(e.place(), fmt.Sprintf("key %q is given twice", e.key), "it is already at "+where(first))
	}
}
