package route

import (
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// methodSet is a set of methods: bits for those that wire knows, names for the others. The set of a rule without methods
// has all set.
type methodSet struct {
	bits  uint64
	names []string
	all   bool
}

func newMethodSet(methods []string) methodSet {
	m := methodSet{all: len(methods) == 0}
	for _, name := range methods {
		m.add(name)
	}
	return m
}

func (m *methodSet) add(name string) {
	if id := wire.LookupMethod([]byte(name)); id != wire.MethodOther {
		m.bits |= 1 << id
	} else if !slices.Contains(m.names, name) {
		m.names = append(m.names, name)
	}
}

// has tells whether a method is in the set. name is read only for methods that wire does not know.
func (m *methodSet) has(method wire.Method, name []byte) bool {
	if m.all {
		return true
	}
	if method != wire.MethodOther {
		return m.bits&(1<<method) != 0
	}
	for _, n := range m.names {
		if n == string(name) {
			return true
		}
	}
	return false
}

func (m *methodSet) overlaps(o *methodSet) bool {
	if m.all || o.all {
		return m.all == o.all
	}
	return m.bits&o.bits != 0 || slices.ContainsFunc(m.names, func(n string) bool { return slices.Contains(o.names, n) })
}

func (m *methodSet) union(o *methodSet) {
	m.bits |= o.bits
	for _, n := range o.names {
		if !slices.Contains(m.names, n) {
			m.names = append(m.names, n)
		}
	}
}

// append writes the names, separated by ", ", the well-known ones first.
func (m *methodSet) append(dst []byte) []byte {
	start := len(dst)
	sep := func() {
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
	}
	for id := range 64 {
		if m.bits&(1<<id) != 0 {
			sep()
			dst = append(dst, wire.Method(id).String()...)
		}
	}
	for _, n := range m.names {
		sep()
		dst = append(dst, n...)
	}
	return dst
}

func (m *methodSet) String() string {
	if m.all {
		return "any method"
	}
	return strings.Clone(string(m.append(nil)))
}
