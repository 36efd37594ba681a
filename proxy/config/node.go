package config

import (
	"fmt"
	"reflect"
	"strings"
)

// kind says what a node is.
type kind uint8

const (
	mapping kind = iota
	sequence
	plain   // a string
	block   // a block of text, | or >
	integer // text is as written
	float
	boolean
	null
	tagged
	reference // an alias; to is what it stands for, nil when there is no such anchor before it
	strange   // anything else that YAML has
)

// node is one value of a file. Both readers, scan and the YAML library, make the same nodes of the same file.
type node struct {
	kind kind
	// file is the number of the file in decoder.files.
	file      uint16
	line, col int32
	// text of a scalar; for a plain string what it says, for others what is written.
	text string
	// entries of a mapping, items of a sequence.
	entries []entry
	items   []*node
	to      *node
}

// entry is one key of a mapping with its value. A key that is no string has no name, only text.
type entry struct {
	key   string
	isKey bool
	file  uint16
	line  int32
	col   int32
	value *node
}

// place is where an entry's key stands, as a node for messages.
func (e *entry) place() *node { return &node{file: e.file, line: e.line, col: e.col} }

// resolve follows aliases to the value itself. One that leads nowhere comes back unchanged.
func resolve(n *node) *node {
	from := n
	for range 32 {
		if n.kind != reference {
			return n
		}
		if n = n.to; n == nil {
			return from
		}
	}
	return from
}

// child returns the value of a key in a mapping, or n when there is none.
func child(n *node, key string) *node {
	for i := range n.entries {
		if e := &n.entries[i]; e.isKey && e.key == key {
			return e.value
		}
	}
	return n
}

// has tells whether a mapping has a key.
func has(n *node, key string) bool { return child(n, key) != n }

// at finds the value at a path of keys (string) and list positions (int), or the nearest value around it that the file has.
func (d *decoder) at(path ...any) *node {
	n := d.root
	for _, step := range path {
		inner := resolve(n)
		switch step := step.(type) {
		case string:
			next := child(inner, step)
			if next == inner {
				return n
			}
			n = next
		case int:
			if inner.kind != sequence || step >= len(inner.items) {
				return n
			}
			n = inner.items[step]
		}
	}
	return n
}

// report notes a problem of the value at path.
func (d *decoder) report(what, want string, path ...any) { d.problem(d.at(path...), what, want) }

// text is the value of a string. Numbers and words such as true are not strings until they are quoted.
func text(n *node) (string, bool) { return n.text, n.kind == plain || n.kind == block }

// literal is the text of a string or number as it stands in the file.
func literal(n *node) (string, bool) {
	if n.kind == integer || n.kind == float {
		return n.text, true
	}
	return text(n)
}

// describe says what a value is, for "found …".
func describe(n *node) string {
	switch n.kind {
	case mapping:
		return "a mapping"
	case sequence:
		return "a list"
	case null:
		return "nothing"
	case boolean:
		return n.text
	case block:
		return "a block of text"
	case tagged:
		return "the tag " + n.text
	case integer, float:
		return "the number " + shorten(n.text)
	}
	return fmt.Sprintf("%q", shorten(n.text))
}

func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// atLeastOne says what a required value must have.
func atLeastOne(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "at least one entry"
	}
	return "a string"
}
