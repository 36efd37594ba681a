// Package route finds the rule that a request matches: by host, path and method, in an immutable table that all workers
// read without a lock and without allocating. It knows nothing of what a rule does: a lookup returns an ID, and the snapshot holds ID → action.
// It imports only internal/wire, for the methods.
//
// # Which rule wins
//
// A rule matches when its host, its path and its methods all do. Among those that match, the order in which they were written does
// not count; the most specific one wins:
//
//  1. host: the exact name, then the longest wildcard, then any host;
//  2. path: one that covers the whole path (a literal segment before a parameter, from left to right), then the prefix that
//     covers most of it (again a literal before a parameter);
//  3. methods: a rule that names the method, then one with GET for a HEAD request, then one without methods.
//
// So a request for a known host that none of its rules match still finds a rule for any host, and a rule that only fails by its method
// leaves the request to a less specific one. Only when nothing else is left is the answer MethodNotAllowed.
//
// # Patterns
//
//	host   ""  or "*"          any
//	       "api.example.com"   that name; case, port and a final dot of the request do not count
//	       "*.example.com"     every name below it, at any depth, not example.com itself
//	path   "/a"                exactly /a
//	       "/a/*"              /a/ and everything below it; not /a, which is another resource and can have a rule of its own
//	       "/users/{id}/posts" any non-empty segment in place of {id}
//	       "/files/{name}/*"   both
//
// Paths are compared byte by byte. Give them to Lookup in the normal form of wire.NormalizePath, which is also what should be
// forwarded: an upstream that takes /public/../admin for /admin would otherwise serve what the table meant to keep.
package route

import (
	"bytes"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// ID names a rule: the number that the caller gave it.
type ID int32

// None is returned when there is no rule.
const None ID = -1

// MaxParams is how many parameters a path pattern may have.
const MaxParams = 16

// Rule is one entry of a table.
type Rule struct {
	ID ID
	// Host and Path are patterns; see the package comment.
	Host, Path string
	// Methods that match; none: all of them. GET includes HEAD.
	Methods []string
}

// Result is the outcome of a lookup.
type Result uint8

// Outcomes of a lookup.
const (
	// NotFound: no rule matches host and path (404).
	NotFound Result = iota
	// Found: the ID is valid.
	Found
	// MethodNotAllowed: rules match host and path, but none of them the method (405). AppendAllow lists what would do.
	MethodNotAllowed
)

// Params are the parts of the path that a pattern left open. All slices are parts of the path given to Lookup.
type Params struct {
	// N values in the order of the pattern; Table.ParamNames has their names.
	N      int
	Values [MaxParams][]byte
	// Rest is what the * of a prefix stands for, nil for other patterns.
	Rest []byte
}

// Lookup finds the rule for a request. host may have a port; path is without query; methodName is read only for methods that wire does
// not know. p, which may be nil, is filled when the result is Found. It does not allocate and keeps none of the slices.
func (t *Table) Lookup(host, path []byte, method wire.Method, methodName []byte, p *Params) (ID, Result) {
	s := search{t: t, path: path, method: method, name: methodName, id: None}
	s.hosts(host)
	if s.id == None {
		if s.denied {
			return None, MethodNotAllowed
		}
		return None, NotFound
	}
	if p != nil {
		p.N = s.depth
		for i := range s.depth {
			p.Values[i] = path[s.spans[i].from:s.spans[i].to]
		}
		p.Rest = nil
		if s.end >= 0 {
			p.Rest = path[s.end:]
		}
	}
	return s.id, Found
}

// AppendAllow appends the value of the Allow field for a path (RFC 9110 section 10.2.1): the methods of all rules that match host and path.
func (t *Table) AppendAllow(dst, host, path []byte) []byte {
	var all methodSet
	s := search{t: t, path: path, id: None, collect: &all}
	s.hosts(host)
	return all.append(dst)
}

// ParamNames are the names of the parameters of a rule, in the order of Params.Values. The caller must not change them.
func (t *Table) ParamNames(id ID) []string { return t.params[id] }

// span is a part of the path.
type span struct{ from, to uint32 }

// search is one lookup. It lives on the stack.
type search struct {
	t      *Table
	path   []byte
	method wire.Method
	name   []byte
	// collect, when set, gathers the methods of all matching rules; nothing is then found.
	collect *methodSet

	// The best rule so far. end is where the rest of a prefix starts, -1 for a whole match.
	id     ID
	end    int
	denied bool
	// spans[:depth] belong to the node being visited until the best rule is known, then to that rule.
	spans [MaxParams]span
	depth int
	saved [MaxParams]span
	kept  int
}

// hosts tries the trees of all matching hosts, the most specific first.
func (s *search) hosts(host []byte) {
	t := s.t
	if len(t.exact)+len(t.wildcards) > 0 {
		var buf [maxHost]byte
		if h := normalHost(buf[:0], host); len(h) > 0 {
			if root, ok := t.exact[string(h)]; ok && s.tree(root) {
				return
			}
			if len(t.wildcards) > 0 {
				for i, c := range h {
					if c != '.' || i == 0 {
						continue
					}
					if root, ok := t.wildcards[string(h[i:])]; ok && s.tree(root) {
						return
					}
				}
			}
		}
	}
	if t.any >= 0 {
		s.tree(uint32(t.any))
	}
}

// tree searches the tree of one host and tells whether it holds the rule.
func (s *search) tree(root uint32) bool {
	s.end, s.depth = -1, 0
	if s.walk(root, 0) {
		s.end = -1
		return true
	}
	if s.id == None {
		return false
	}
	s.spans, s.depth = s.saved, s.kept
	return true
}

// walk visits the node at which path[:i] has been matched, and what is below it. True: a rule covers the whole path, which
// nothing can beat. Prefixes are noted on the way back, so the deepest comes first. Each node is visited at most once, and the
// recursion is as deep as the longest pattern has branches: a request cannot make it deeper.
func (s *search) walk(at uint32, i int) bool {
	n := &s.t.nodes[at]
	if i == len(s.path) {
		if n.exact >= 0 {
			if id := s.pick(n.exact); id != None {
				s.id = id
				return true
			}
		}
	} else {
		rest := s.path[i:]
		if k := bytes.IndexByte(s.t.firsts[n.child:n.child+uint32(n.children)], rest[0]); k >= 0 {
			c := n.child + uint32(k)
			label := s.t.label(c)
			if len(rest) >= len(label) && string(rest[:len(label)]) == label && s.walk(c, i+len(label)) {
				return true
			}
		}
		if n.param >= 0 && rest[0] != '/' {
			end := bytes.IndexByte(rest, '/')
			if end < 0 {
				end = len(rest)
			}
			s.spans[s.depth] = span{uint32(i), uint32(i + end)}
			s.depth++
			if s.walk(uint32(n.param), i+end) {
				return true
			}
			s.depth--
		}
	}
	if n.prefix >= 0 && i > s.end {
		if id := s.pick(n.prefix); id != None {
			s.id, s.end = id, i
			s.saved, s.kept = s.spans, s.depth
		}
	}
	return false
}

// pick returns the rule of a leaf that takes the method.
func (s *search) pick(leaf int32) ID {
	l := s.t.leaves[leaf]
	for i := range l.count {
		c := &s.t.candidates[l.first+i]
		switch {
		case s.collect != nil:
			s.collect.union(&c.methods)
		case c.methods.has(s.method, s.name):
			return c.id
		default:
			s.denied = true
		}
	}
	return None
}
