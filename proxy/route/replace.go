package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Replace makes the table that follows t when the rules from the one with the ID from on, as many as removed has, give way to added ones. IDs are
// positions: those of added count on from from, and all rules behind move up or down. The trees are shared with t but for the paths from their roots to
// what has changed, so the cost is that of the change, and a copy of the numbers of the rules behind when those move.
//
// The outcome is that of Build with all rules. It is nil when only Build can do it: to say what is wrong with the rules, or because
// too much of the memory shared belongs only to tables before.
func (t *Table) Replace(from ID, removed, added []Rule) *Table {
	n := *t
	n.room = new(room)
	e := editor{t: t, n: &n, from: from, to: from + ID(len(removed)), shift: ID(len(added) - len(removed)), hosts: map[treeKey]*hostEdit{}}
	if !t.room.claim() { // another table has been made from t already
		n.nodes, n.firsts = slices.Clip(n.nodes), slices.Clip(n.firsts)
		n.leaves, n.candidates, n.conditions = slices.Clip(n.leaves), slices.Clip(n.candidates), slices.Clip(n.conditions)
	}
	for i := range removed {
		if !e.change(&removed[i], 0, false) {
			return nil
		}
	}
	for i := range added {
		if !e.change(&added[i], from+ID(i), true) {
			return nil
		}
	}
	if e.shift != 0 {
		e.renumber()
	}
	e.writeLeaves()
	e.writeTrees()
	if n.waste > len(n.nodes)/2+smallWaste {
		return nil
	}
	return &n
}

// smallWaste is how many nodes may be wasted in any case.
const smallWaste = 16

// renumber moves the rules behind the change. Candidates of removed rules are in no leaf any more.
func (e *editor) renumber() {
	list := make([]candidate, len(e.t.candidates), len(e.t.candidates)+64)
	copy(list, e.t.candidates)
	for i := range list {
		if list[i].id >= e.to {
			list[i].id += e.shift
		}
	}
	e.n.candidates = list
}

// treeKey names the tree of a host.
type treeKey struct {
	host     string
	wildcard bool
}

// editor makes n from t.
type editor struct {
	t, n *Table
	// Rules from from up to to go away, those behind move by shift.
	from, to, shift ID
	hosts           map[treeKey]*hostEdit
	ends            []*ending
	text            strings.Builder // what is added to the text
}

// hostEdit is the tree of a host that changes.
type hostEdit struct {
	root    *twig
	had     bool
	was     uint32
	regexes []*ending
}

// ending is a leaf that changes: the rules in it, and the twig or expression it belongs to.
type ending struct {
	list []candidate
	// conditions by position in list.
	conditions []*Conditions
	expression expression
	leaf       int32
}

// twig is a node while the tree changes. One that nobody has looked into yet is as it is in the table, with all that is below it.
type twig struct {
	label    string
	at       int64 // of the label in the table's text, -1: not in it
	children []*twig
	param    *twig

	asIs bool
	node node // as in the table

	exact, prefix *ending // nil: as node has it
}

// change takes a rule out of the tree of its host, or puts one in.
func (e *editor) change(r *Rule, id ID, add bool) bool {
	key, wildcard := hostKey(r.Host)
	h := e.host(treeKey{key, wildcard})
	var end *ending
	if r.Regex != nil {
		end = e.expression(h, r, add)
	} else {
		parts, _, prefix, err := parsePath(r.Path)
		if err != nil {
			return false
		}
		end = e.end(h.root, parts, prefix, add)
	}
	if end == nil {
		return false // a rule that is not there
	}
	if !add {
		return true
	}
	mine := newMethodSet(r.Methods)
	for i := range end.list {
		if mine.overlaps(&end.list[i].methods) && r.Conditions.same(end.conditions[i]) {
			return false
		}
	}
	end.list = append(end.list, candidate{id: id, cond: -1, methods: mine})
	end.conditions = append(end.conditions, r.Conditions)
	return true
}

func (e *editor) host(k treeKey) *hostEdit {
	if h := e.hosts[k]; h != nil {
		return h
	}
	h := new(hostEdit)
	switch {
	case k.wildcard:
		h.was, h.had = e.t.wildcards[k.host]
	case k.host != "":
		h.was, h.had = e.t.exact[k.host]
	case e.t.any >= 0:
		h.was, h.had = uint32(e.t.any), true
	}
	h.root = &twig{at: -1, node: emptyNode}
	if h.had {
		h.root = e.read(h.was)
		e.n.waste++
		for _, x := range e.t.regexes[h.was] {
			h.regexes = append(h.regexes, &ending{expression: x, leaf: x.leaf})
		}
	}
	e.hosts[k] = h
	return h
}

var emptyNode = node{param: -1, exact: -1, prefix: -1}

// read makes the twig for a node of the table.
func (e *editor) read(at uint32) *twig {
	n := &e.t.nodes[at]
	return &twig{label: e.t.label(at), at: int64(n.label), node: *n, asIs: true}
}

// open reads what is below a twig.
func (e *editor) open(b *twig) {
	if !b.asIs {
		return
	}
	b.asIs = false
	n := &b.node
	b.children = make([]*twig, n.children, n.children+1)
	for i := range b.children {
		b.children[i] = e.read(n.child + uint32(i))
	}
	if n.param >= 0 {
		b.param = e.read(uint32(n.param))
		e.n.waste++
	}
	e.n.waste += len(b.children)
}

// end finds the leaf of a pattern, and makes it when it is to be added to.
func (e *editor) end(b *twig, parts []string, prefix, add bool) *ending {
	for i, literal := range parts {
		if i > 0 {
			e.open(b)
			if b.param == nil {
				if !add {
					return nil
				}
				b.param = &twig{at: -1, node: emptyNode}
			}
			b = b.param
		}
		for literal != "" {
			e.open(b)
			k, found := slices.BinarySearchFunc(b.children, literal[0], func(c *twig, first byte) int { return cmp.Compare(c.label[0], first) })
			if !found {
				if !add {
					return nil
				}
				c := &twig{label: literal, at: -1, node: emptyNode}
				b.children = slices.Insert(b.children, k, c)
				b = c
				break
			}
			c := b.children[k]
			n := commonPrefix(c.label, literal)
			if n < len(c.label) {
				if !add {
					return nil
				}
				head := &twig{label: c.label[:n], at: c.at, node: emptyNode, children: []*twig{c}}
				c.label = c.label[n:]
				if c.at >= 0 {
					c.at += int64(n)
				}
				b.children[k] = head
				c = head
			}
			b, literal = c, literal[n:]
		}
	}
	e.open(b)
	end, leaf := &b.exact, b.node.exact
	if prefix {
		end, leaf = &b.prefix, b.node.prefix
	}
	if *end == nil {
		if leaf < 0 && !add {
			return nil
		}
		*end = &ending{leaf: leaf}
		e.load(*end)
	}
	return *end
}

func (e *editor) expression(h *hostEdit, r *Rule, add bool) *ending {
	for _, x := range h.regexes {
		if x.expression.re.String() == r.Regex.String() {
			e.load(x)
			return x
		}
	}
	if !add {
		return nil
	}
	x := &ending{expression: expression{re: r.Regex}, leaf: -1}
	h.regexes = append(h.regexes, x)
	e.load(x)
	return x
}

// load takes the rules of a leaf that stay, under their new numbers.
func (e *editor) load(x *ending) {
	if slices.Contains(e.ends, x) {
		return
	}
	e.ends = append(e.ends, x)
	if x.leaf < 0 {
		return
	}
	l := e.t.leaves[x.leaf]
	e.n.waste += int(l.count)
	for _, c := range e.t.candidates[l.first : l.first+l.count] {
		var cond *Conditions
		if c.cond >= 0 {
			cond = e.t.conditions[c.cond]
		}
		if cond != nil && len(cond.Sources) > 0 {
			e.n.sources-- // addLeaf counts again
		}
		switch {
		case c.id >= e.to:
			c.id += e.shift
		case c.id >= e.from:
			continue
		}
		x.list, x.conditions = append(x.list, c), append(x.conditions, cond)
	}
	x.leaf = -1
}

// writeLeaves appends the leaves that have changed.
func (e *editor) writeLeaves() {
	for _, x := range e.ends {
		if len(x.list) > 0 {
			x.leaf = e.n.addLeaf(x.list, x.conditions)
		}
	}
}

// writeTrees appends the nodes that have changed, and makes the roots known.
func (e *editor) writeTrees() {
	n := e.n
	cloned := false
	for k, h := range e.hosts {
		h.regexes = slices.DeleteFunc(h.regexes, func(x *ending) bool { return x.leaf < 0 })
		gone := h.root.trim() && len(h.regexes) == 0
		if !cloned {
			n.exact, n.wildcards, n.regexes = maps.Clone(n.exact), maps.Clone(n.wildcards), maps.Clone(n.regexes)
			cloned = true
		}
		if h.had {
			delete(n.regexes, h.was)
		}
		var root uint32
		if !gone {
			root = n.reserve(1)
			e.write(root, h.root)
			e.writeExpressions(root, h)
		}
		switch {
		case k.host == "" && gone:
			n.any = -1
		case k.host == "":
			n.any = int64(root)
		case k.wildcard && gone:
			delete(n.wildcards, k.host)
		case k.wildcard:
			n.wildcards[k.host] = root
		case gone:
			delete(n.exact, k.host)
		default:
			n.exact[k.host] = root
		}
	}
	if e.text.Len() > 0 {
		n.text += e.text.String()
	}
}

// writeExpressions puts those of a host into the order of their first rules.
func (e *editor) writeExpressions(root uint32, h *hostEdit) {
	if len(h.regexes) == 0 {
		return
	}
	first := func(x *ending) ID {
		l := e.n.leaves[x.leaf]
		id := e.n.candidates[l.first].id
		for _, c := range e.n.candidates[l.first : l.first+l.count] {
			id = min(id, c.id)
		}
		return id
	}
	slices.SortFunc(h.regexes, func(a, b *ending) int { return cmp.Compare(first(a), first(b)) })
	list := make([]expression, len(h.regexes))
	for i, x := range h.regexes {
		list[i] = expression{x.expression.re, x.leaf}
	}
	if e.n.regexes == nil {
		e.n.regexes = map[uint32][]expression{}
	}
	e.n.regexes[root] = list
}

// leaves of a twig as they will be.
func (b *twig) leaves() (exact, prefix int32) {
	exact, prefix = b.node.exact, b.node.prefix
	if b.exact != nil {
		exact = b.exact.leaf
	}
	if b.prefix != nil {
		prefix = b.prefix.leaf
	}
	return exact, prefix
}

// trim drops what has become empty below a twig, and joins a node that nothing ends at with its only child: the tree is then the one that Build makes.
// It tells whether nothing is left.
func (b *twig) trim() bool {
	exact, prefix := b.leaves()
	if b.asIs {
		return exact < 0 && prefix < 0 && b.node.param < 0 && b.node.children == 0
	}
	b.children = slices.DeleteFunc(b.children, (*twig).trim)
	if b.param != nil && b.param.trim() {
		b.param = nil
	}
	switch {
	case exact >= 0 || prefix >= 0 || b.param != nil:
		return false
	case len(b.children) == 0:
		return true
	case len(b.children) == 1 && b.label != "": // roots and parameters have no label
		c := b.children[0]
		label, at := b.label+c.label, int64(-1)
		if b.at >= 0 && b.at+int64(len(b.label)) == c.at {
			at = b.at // they were one before
		}
		*b = *c
		b.label, b.at = label, at
	}
	return false
}

// write puts a twig into the node at at, and what has changed below it behind all nodes.
func (e *editor) write(at uint32, b *twig) {
	n := b.node
	n.length = uint16(len(b.label))
	switch {
	case b.at >= 0:
		n.label = uint32(b.at)
	default:
		n.label = uint32(len(e.n.text) + e.text.Len())
		e.text.WriteString(b.label)
		e.n.waste += len(b.label) / 32
	}
	n.exact, n.prefix = b.leaves()
	if !b.asIs {
		n.children, n.param = uint16(len(b.children)), -1
		n.child = e.n.reserve(len(b.children))
		if b.param != nil {
			n.param = int32(e.n.reserve(1))
			e.write(uint32(n.param), b.param)
		}
	}
	e.n.nodes[at] = n
	if b.label != "" {
		e.n.firsts[at] = b.label[0]
	}
	if !b.asIs {
		for i, c := range b.children {
			e.write(n.child+uint32(i), c)
		}
	}
}
