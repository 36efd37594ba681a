package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Changes is what leads from one configuration to another.
type Changes struct {
	Listeners, Clusters, Routes ItemChanges
	// Settings are changed keys outside of those lists.
	Settings []Change
}

// ItemChanges are those of one list, its items known by their names, each in the order of the newer file, removed ones in that of the older.
type ItemChanges struct {
	Added, Removed []string
	Changed        []ItemChange
	// Kept is how many stay as they are.
	Kept int
}

// ItemChange is an item that is there before and after.
type ItemChange struct {
	Name string
	Keys []Change
}

// Change is one key; Old or New is empty where it is not given.
type Change struct{ Key, Old, New string }

// Any tells whether anything changes.
func (c *Changes) Any() bool {
	return c.Listeners.any() || c.Clusters.any() || c.Routes.any() || len(c.Settings) > 0
}

func (c *ItemChanges) any() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) > 0 }

// Diff compares two configurations as YAML would write them, so that values from references are compared, and shown, as references. What the files of answers
// hold is left out when one of the configurations comes from ParseLiteral, which does not read them.
func Diff(before, after *Config) *Changes {
	named := before.literal || after.literal
	was, is := &writer{refs: before.refs, literal: before.literal, named: named}, &writer{refs: after.refs, literal: after.literal, named: named}
	out := &Changes{
		Listeners: diffItems(was, is, pointers(before.Listeners), pointers(after.Listeners), func(l *Listener) string { return l.Name }),
		Clusters:  diffItems(was, is, pointers(before.Clusters), pointers(after.Clusters), func(c *Cluster) string { return c.Name }),
		Routes:    diffItems(was, is, before.Routes, after.Routes, func(r *Route) string { return r.Name }),
	}
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i, f := range typeOf(b.Type()).fields {
		switch f.key {
		case "", "listeners", "clusters", "routes", "include":
			continue
		}
		out.Settings = append(out.Settings, diffValues(was, is, f.key, b.Field(i), a.Field(i))...)
	}
	return out
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// diffItems compares two lists by name. Of several items with one name, which routes without a name of their own can have, the first goes with the first.
func diffItems[T any](was, is *writer, before, after []*T, name func(*T) string) (out ItemChanges) {
	old := make(map[string][]int, len(before))
	for i := range before {
		n := name(before[i])
		old[n] = append(old[n], i)
	}
	for i := range after {
		n := name(after[i])
		if len(old[n]) == 0 {
			out.Added = append(out.Added, n)
			continue
		}
		j := old[n][0]
		old[n] = old[n][1:]
		x, y := reflect.ValueOf(before[j]).Elem(), reflect.ValueOf(after[i]).Elem()
		if keys := diffValues(was, is, "", x, y); len(keys) > 0 {
			out.Changed = append(out.Changed, ItemChange{n, keys})
		} else {
			out.Kept++
		}
	}
	for i := range before {
		if n := name(before[i]); slices.Contains(old[n], i) {
			out.Removed = append(out.Removed, n)
		}
	}
	return out
}

func diffValues(was, is *writer, key string, before, after reflect.Value) []Change {
	old, now := was.flat(nil, key, before), is.flat(nil, key, after)
	if slices.Equal(old, now) {
		return nil
	}
	values := make(map[string]string, len(old))
	for _, c := range old {
		values[c.Key] = c.Old
	}
	var out []Change
	for _, c := range now {
		was, ok := values[c.Key]
		delete(values, c.Key)
		if !ok || was != c.Old {
			out = append(out, Change{c.Key, was, c.Old})
		}
	}
	for _, c := range old {
		if _, gone := values[c.Key]; gone {
			out = append(out, Change{c.Key, c.Old, ""})
		}
	}
	return out
}

// flat lists every value below v that is not empty; Old holds its text.
func (w *writer) flat(out []Change, key string, v reflect.Value) []Change {
	t := typeOf(v.Type())
	switch {
	case v.IsZero() && v.Kind() != reflect.Struct:
	case t.headers:
		for i := range v.Len() {
			out = append(out, Change{Key: join(key, v.Index(i).Field(0).String()), Old: w.scalarText(v.Index(i).Field(1))})
		}
	case t.scalar:
		out = append(out, Change{Key: key, Old: w.scalarText(v)})
	case v.Kind() == reflect.Pointer:
		n := len(out)
		if out = w.flat(out, key, v.Elem()); len(out) == n {
			out = append(out, Change{Key: key, Old: "{}"})
		}
	case v.Kind() == reflect.Struct:
		for i := range t.fields {
			if f := &t.fields[i]; f.key != "" {
				if w.hides(f, v.Field(i)) && !v.Field(i).IsZero() {
					out = append(out, Change{Key: join(key, f.key), Old: hidden})
					continue
				}
				out = w.flat(out, join(key, f.key), v.Field(i))
			} else if r, ok := v.Addr().Interface().(*Respond); ok && r.File != "" && !w.named {
				out = append(out, Change{Key: join(key, "content"), Old: fmt.Sprintf("%d bytes, %x", len(r.content), digest(r.content))})
			}
		}
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			out = w.flat(out, fmt.Sprintf("%s[%d]", key, i), v.Index(i))
		}
	case v.Kind() == reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, w.scalarText(v.Index(i)))
		}
		out = append(out, Change{Key: key, Old: "[" + strings.Join(all, ", ") + "]"})
	default:
		out = append(out, Change{Key: key, Old: w.scalarText(v)})
	}
	return out
}

// digest tells contents apart (FNV-1a).
func digest(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
