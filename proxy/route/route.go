// Package route finds the rule that a request matches: by host, path, method, fields, query and client address, in an immutable table that all workers
// read without a lock and without allocating. It knows nothing of what a rule does: a lookup returns an ID, and the snapshot holds ID → action.
// It imports only internal/wire, for methods and fields.
//
// # Which rule wins
//
// A rule matches when its host, its path and its methods all do. Among those that match, the order in which they were written does
// not count; the most specific one wins:
//
//  1. host: the exact name, then the longest wildcard, then any host;
//  2. path: one that covers the whole path (a literal segment before a parameter, from left to right), then the first regular expression
//     in the order in which they were written, then the prefix that covers most of the path (again a literal before a parameter);
//  3. methods: a rule that names the method, then one with GET for a HEAD request, then one without methods;
//  4. the rule with more header conditions, then with more query conditions, then with networks of clients, then the one written first.
//
// Regular expressions are the last resort: those of a host are tried one after the other for every request that no whole path takes.
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
	"net/netip"
	"regexp"

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
	// ID counts the rules from 0, in their order.
	ID ID
	// Host and Path are patterns; see the package comment.
	Host, Path string
	// Methods that match; none: all of them. GET includes HEAD.
	Methods []string
	// Regex, when set, stands in place of Path. It has to match the whole path: see Regex.
	Regex *regexp.Regexp
	// Conditions that have to hold as well; nil: none.
	Conditions *Conditions
}

// Request is what a lookup looks at. All slices are borrowed during the call.
type Request struct {
	// Host may have a port; Path is in normal form, without query.
	Host, Path []byte
	Method     wire.Method
	// MethodName is read only for methods that wire does not know.
	MethodName []byte
	// Fields, Query (without the question mark) and Source are read only by rules with conditions. Source may be left out when
	// NeedsSource says that no rule asks for it.
	Fields []wire.Field
	Query  []byte
	Source netip.Addr
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
	// N values in the order of the pattern; ParamNames has their names.
	N      int
	Values [MaxParams][]byte
	// Rest is what the * of a prefix stands for, nil for other patterns.
	Rest []byte
}

// Lookup is Find for a request of which only host, path and method matter.
func (t *Table) Lookup(host, path []byte, method wire.Method, methodName []byte, p *Params) (ID, Result) {
	r := Request{Host: host, Path: path, Method: method, MethodName: methodName}
	return t.Find(&r, p)
}

// Find finds the rule for a request. p, which may be nil, is filled when the result is Found; its slices are parts of r.Path.
// It does not allocate, except where a regular expression meets a percent-encoded query parameter, and keeps nothing of r.
func (t *Table) Find(r *Request, p *Params) (ID, Result) {
	s := search{t: t, r: *r, path: r.Path, id: None}
	s.hosts(r.Host)
	if s.id == None {
		if s.denied {
			return None, MethodNotAllowed
		}
		return None, NotFound
	}
	if p != nil {
		p.N = s.depth
		for i := range s.depth {
			p.Values[i] = r.Path[s.spans[i].from:s.spans[i].to]
		}
		p.Rest = nil
		if s.end >= 0 {
			p.Rest = r.Path[s.end:]
		}
	}
	return s.id, Found
}

// AppendAllow appends the value of the Allow field for a request (RFC 9110 section 10.2.1): the methods of all rules that match all else.
func (t *Table) AppendAllow(dst []byte, r *Request) []byte {
	s := search{t: t, r: *r, path: r.Path, id: None, collect: true}
	s.hosts(r.Host)
	all := &s.all
	if all.bits&(1<<wire.MethodGet) != 0 {
		all.bits |= 1 << wire.MethodHead
	}
	return all.append(dst)
}

// NeedsSource tells whether any rule asks for the address of the client.
func (t *Table) NeedsSource() bool { return t.sources > 0 }

// ParamNames are the names of the parameters of a path pattern, in the order of Params.Values.
func ParamNames(path string) []string {
	_, names, _, _ := parsePath(path)
	return names
}

// span is a part of the path.
type span struct{ from, to uint32 }

// search is one lookup. It lives on the stack.
type search struct {
	t    *Table
	r    Request // a copy: what a regular expression sees must not drag the caller's off the stack
	path []byte
	// collect gathers the methods of all matching rules in all; nothing is then found.
	collect bool
	all     methodSet

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
	if len(s.t.regexes) > 0 && s.expressions(root) {
		s.end, s.depth = -1, 0
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

// expressions tries the regular expressions of a host.
func (s *search) expressions(root uint32) bool {
	list := s.t.regexes[root]
	for i := range list {
		if list[i].re.Match(s.path) {
			if id := s.pick(list[i].leaf); id != None {
				s.id = id
				return true
			}
		}
	}
	return false
}

// pick returns the rule of a leaf that takes the request.
func (s *search) pick(leaf int32) ID {
	l := s.t.leaves[leaf]
	list := s.t.candidates[l.first : l.first+l.count]
	if s.collect {
		for i := range list {
			if s.holds(&list[i]) {
				s.all.union(&list[i].methods)
			}
		}
		return None
	}
	head := s.r.Method == wire.MethodHead
	for i := range list {
		c := &list[i]
		switch {
		case !c.methods.has(s.r.Method, s.r.MethodName):
			s.denied = s.denied || !head && s.holds(c) || head && c.methods.bits&(1<<wire.MethodGet) == 0 && s.holds(c)
		case head && c.methods.all:
			// after those with GET, below
		case s.holds(c):
			return c.id
		}
	}
	if !head {
		return None
	}
	for i := range list {
		if c := &list[i]; (c.methods.all || c.methods.bits&(1<<wire.MethodGet) != 0) && s.holds(c) {
			return c.id
		}
	}
	return None
}

// holds tells whether the conditions of a candidate hold.
func (s *search) holds(c *candidate) bool {
	return c.cond < 0 || s.t.conditions[c.cond].hold(&s.r)
}
