package route

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// Table is an immutable set of rules: for each host a radix tree over the bytes of the path. The trees lie in a few flat slices without pointers,
// which keeps a large table small and out of the garbage collector's way.
type Table struct {
	// Roots of the trees by host. Keys of wildcards start with the dot. any is the tree for all hosts, -1 without.
	exact, wildcards map[string]uint32
	any              int64

	nodes []node
	// firsts[i] is the first byte of the label of nodes[i], so that the children of a node are found in one look.
	firsts []byte
	// text holds the labels of all nodes.
	text string

	leaves     []leaf
	candidates []candidate

	// conditions by candidate.cond; regexes by root of the host's tree, in the order in which they are tried.
	conditions []*Conditions
	regexes    map[uint32][]expression
	// sources is how many rules ask for the address of the client.
	sources int

	// room is the memory behind the slices, which one table made from this one may have. waste is how many of the nodes belong to tables before only.
	room  *room
	waste int
}

// room is free until somebody claims it.
type room struct{ taken atomic.Bool }

func (r *room) claim() bool { return r.taken.CompareAndSwap(false, true) }

// expression is a regular expression and the rules that have it.
type expression struct {
	re   *regexp.Regexp
	leaf int32
}

// node is one node of a tree. Its children are nodes[child : child+children], a parameter's subtree hangs on param.
type node struct {
	label    uint32 // in text
	length   uint16
	children uint16
	child    uint32
	param    int32 // node, -1: none
	exact    int32 // leaf for a path that ends here, -1: none
	prefix   int32 // leaf for a path that goes on below here, -1: none
}

// leaf is where a pattern ends: candidates[first : first+count], in the order in which they are tried. Rules that differ in something other than host
// and path meet here.
type leaf struct{ first, count uint32 }

type candidate struct {
	id      ID
	cond    int32 // in conditions, -1: none
	methods methodSet
}

func (t *Table) label(i uint32) string {
	n := &t.nodes[i]
	return t.text[n.label : n.label+uint32(n.length)]
}

// Build makes a table. The error names every rule that is malformed or that matches exactly what another one matches.
func Build(rules []Rule) (*Table, error) {
	t := &Table{exact: map[string]uint32{}, wildcards: map[string]uint32{}, any: -1, room: new(room)}
	trees := map[treeKey]*branch{}
	var order []treeKey
	var errs []error
	for i := range rules {
		r := &rules[i]
		key, wildcard := hostKey(r.Host)
		h := treeKey{key, wildcard}
		if trees[h] == nil {
			trees[h] = new(branch)
			order = append(order, h)
		}
		if err := trees[h].add(i, rules); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	f := flattener{t: t}
	for _, h := range order {
		root := f.tree(trees[h], rules)
		for _, e := range trees[h].regexes {
			if t.regexes == nil {
				t.regexes = map[uint32][]expression{}
			}
			t.regexes[root] = append(t.regexes[root], expression{rules[e[0]].Regex, f.leaf(e, rules)})
		}
		switch {
		case h.wildcard:
			t.wildcards[h.host] = root
		case h.host != "":
			t.exact[h.host] = root
		default:
			t.any = int64(root)
		}
	}
	t.text = f.text.String()
	t.nodes, t.firsts = slices.Clip(t.nodes), slices.Clip(t.firsts)
	t.leaves, t.candidates = slices.Clip(t.leaves), slices.Clip(t.candidates)
	return t, nil
}

// branch is a node while the tree grows.
type branch struct {
	label    string
	children []*branch // by first byte of the label
	param    *branch
	// Positions of rules that end here, exactly or as a prefix.
	exact, prefix []int32
	// Of a root: the rules with regular expressions, those with the same one together.
	regexes [][]int32
}

// add inserts rules[i].
func (b *branch) add(i int, rules []Rule) error {
	r := &rules[i]
	if r.Regex != nil {
		return b.addRegex(i, rules)
	}
	parts, _, prefix, err := parsePath(r.Path)
	if err != nil {
		return fmt.Errorf("route %d, path %q: %w", r.ID, r.Path, err)
	}
	for k, literal := range parts {
		if k > 0 {
			if b.param == nil {
				b.param = new(branch)
			}
			b = b.param
		}
		b = b.insert(literal)
	}
	ends := &b.exact
	if prefix {
		ends = &b.prefix
	}
	return meet(ends, i, rules)
}

func (b *branch) addRegex(i int, rules []Rule) error {
	for k := range b.regexes {
		if rules[b.regexes[k][0]].Regex.String() == rules[i].Regex.String() {
			return meet(&b.regexes[k], i, rules)
		}
	}
	b.regexes = append(b.regexes, []int32{int32(i)})
	return nil
}

// meet adds rules[i] to those with the same host and path.
func meet(ends *[]int32, i int, rules []Rule) error {
	if len(*ends) > 0 {
		r := &rules[i]
		mine := newMethodSet(r.Methods)
		for _, j := range *ends {
			other := newMethodSet(rules[j].Methods)
			if mine.overlaps(&other) && r.Conditions.same(rules[j].Conditions) {
				return fmt.Errorf("route %d matches the same requests as route %d: host %q, path %q, %v", r.ID, rules[j].ID, r.Host, r.Path, &mine)
			}
		}
	}
	*ends = append(*ends, int32(i))
	return nil
}

// insert returns the node below b at which the literal text ends.
func (b *branch) insert(literal string) *branch {
	for literal != "" {
		i, found := slices.BinarySearchFunc(b.children, literal[0], func(c *branch, first byte) int { return cmp.Compare(c.label[0], first) })
		if !found {
			c := &branch{label: literal}
			b.children = slices.Insert(b.children, i, c)
			return c
		}
		c := b.children[i]
		n := commonPrefix(c.label, literal)
		if n < len(c.label) {
			head := &branch{label: c.label[:n], children: []*branch{c}}
			c.label = c.label[n:]
			b.children[i] = head
			c = head
		}
		b, literal = c, literal[n:]
	}
	return b
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// parsePath splits a pattern into the literal texts between its parameters.
func parsePath(pattern string) (parts, names []string, prefix bool, err error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, nil, false, errors.New("does not start with /")
	}
	if len(pattern) > 1<<15 {
		return nil, nil, false, errors.New("is too long")
	}
	literal, prefix := strings.CutSuffix(pattern, "/*")
	if prefix {
		literal += "/"
	}
	rest := literal
	for {
		before, after, found := strings.Cut(rest, "/{")
		if strings.ContainsAny(before, "{}*") {
			return nil, nil, false, errors.New("may have * only at its end and {name} only as a whole segment")
		}
		if !found {
			return append(parts, rest), names, prefix, nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.ContainsAny(name, "/{*") || tail != "" && tail[0] != '/' {
			return nil, nil, false, errors.New("may have {name} only as a whole segment")
		}
		if len(names) == MaxParams {
			return nil, nil, false, fmt.Errorf("has more than %d parameters", MaxParams)
		}
		parts, names, rest = append(parts, before+"/"), append(names, name), tail
	}
}

// flattener turns branches into the slices of a table.
type flattener struct {
	t    *Table
	text strings.Builder

	// Those of the leaf being written.
	list       []candidate
	conditions []*Conditions
}

// tree appends a whole tree and returns its root.
func (f *flattener) tree(b *branch, rules []Rule) uint32 {
	root := f.t.reserve(1)
	f.fill(root, b, rules)
	return root
}

// reserve appends n empty nodes that lie side by side.
func (t *Table) reserve(n int) uint32 {
	first := len(t.nodes)
	t.nodes = append(t.nodes, make([]node, n)...)
	t.firsts = append(t.firsts, make([]byte, n)...)
	return uint32(first)
}

func (f *flattener) fill(at uint32, b *branch, rules []Rule) {
	n := node{label: uint32(f.text.Len()), length: uint16(len(b.label)), children: uint16(len(b.children)), param: -1, exact: -1, prefix: -1}
	f.text.WriteString(b.label)
	n.exact, n.prefix = f.leaf(b.exact, rules), f.leaf(b.prefix, rules)
	n.child = f.t.reserve(len(b.children))
	if b.param != nil {
		n.param = int32(f.t.reserve(1))
		f.fill(uint32(n.param), b.param, rules)
	}
	f.t.nodes[at] = n
	if b.label != "" {
		f.t.firsts[at] = b.label[0]
	}
	for i, c := range b.children {
		f.fill(n.child+uint32(i), c, rules)
	}
}

// leaf appends the candidates of a pattern.
func (f *flattener) leaf(ends []int32, rules []Rule) int32 {
	if len(ends) == 0 {
		return -1
	}
	f.list, f.conditions = f.list[:0], f.conditions[:0]
	for _, i := range ends {
		r := &rules[i]
		f.list = append(f.list, candidate{id: r.ID, methods: newMethodSet(r.Methods)})
		f.conditions = append(f.conditions, r.Conditions)
	}
	return f.t.addLeaf(f.list, f.conditions)
}

// addLeaf appends a leaf with these candidates and their conditions: rules with methods before those without, those with more conditions first,
// otherwise in the order of the rules. It sorts list.
func (t *Table) addLeaf(list []candidate, conditions []*Conditions) int32 {
	first := len(t.candidates)
	for i := range list {
		list[i].cond = -1
		if c := conditions[i]; c != nil {
			list[i].cond = int32(len(t.conditions))
			t.conditions = append(t.conditions, c)
			if len(c.Sources) > 0 {
				t.sources++
			}
		}
	}
	if len(list) > 1 {
		cond := func(c *candidate) *Conditions {
			if c.cond < 0 {
				return nil
			}
			return t.conditions[c.cond]
		}
		slices.SortFunc(list, func(a, b candidate) int {
			switch {
			case a.methods.all != b.methods.all && b.methods.all:
				return -1
			case a.methods.all != b.methods.all:
				return 1
			}
			c, _ := compareConditions(cond(&a), cond(&b))
			return cmp.Or(c, cmp.Compare(a.id, b.id))
		})
	}
	t.candidates = append(t.candidates, list...)
	t.leaves = append(t.leaves, leaf{uint32(first), uint32(len(list))})
	return int32(len(t.leaves) - 1)
}
