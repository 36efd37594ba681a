package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawn is everything that a table holds, without regard to where in memory it lies.
func drawn(t *Table) string {
	var b strings.Builder
	var draw func(indent string, at uint32)
	leaf := func(indent, kind string, at int32) {
		if at < 0 {
			return
		}
		l := t.leaves[at]
		fmt.Fprintf(&b, "%s%s", indent, kind)
		for _, c := range t.candidates[l.first : l.first+l.count] {
			fmt.Fprintf(&b, " %d %v", c.id, &c.methods)
			if c.cond >= 0 {
				for _, v := range slices.Concat(t.conditions[c.cond].Headers, t.conditions[c.cond].Query) {
					b.WriteString(" " + v.String())
				}
				fmt.Fprint(&b, t.conditions[c.cond].Sources)
			}
		}
		b.WriteString("\n")
	}
	draw = func(indent string, at uint32) {
		n := &t.nodes[at]
		fmt.Fprintf(&b, "%s%q\n", indent, t.label(at))
		leaf(indent, "=", n.exact)
		leaf(indent, "*", n.prefix)
		if n.param >= 0 {
			draw(indent+"{", uint32(n.param))
		}
		for i := range n.children {
			c := n.child + uint32(i)
			if t.firsts[c] != t.label(c)[0] {
				b.WriteString("wrong first byte\n")
			}
			draw(indent+" ", c)
		}
	}
	tree := func(host string, root uint32) {
		b.WriteString(host + "\n")
		draw(" ", root)
		for _, e := range t.regexes[root] {
			leaf(" ", "~"+e.re.String(), e.leaf)
		}
	}
	for _, m := range []map[string]uint32{t.exact, t.wildcards} {
		for _, host := range slices.Sorted(func(yield func(string) bool) {
			for k := range m {
				if !yield(k) {
					return
				}
			}
		}) {
			tree(host, m[host])
		}
	}
	if t.any >= 0 {
		tree("any", uint32(t.any))
	}
	roots := len(t.exact) + len(t.wildcards)
	if t.any >= 0 {
		roots++
	}
	if len(t.regexes) > roots {
		b.WriteString("expressions of no host\n")
	}
	fmt.Fprintf(&b, "source %v\n", t.NeedsSource())
	return b.String()
}

// Random edits one after another: what Replace makes is what Build makes, and the tables before stay as they were.
func TestReplaceIsBuild(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 11))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	random := func() Rule {
		r := Rule{Host: pick("", "", "h", "*.h", "a.h", "B.h"), Path: "/"}
		if rnd.IntN(8) == 0 {
			re, err := WholeRegex(pick("/a.*", "/b[0-9]+", "/.*c"))
			require.NoError(t, err)
			r.Regex, r.Path = re, ""
		} else {
			for range 1 + rnd.IntN(4) {
				r.Path = strings.TrimSuffix(r.Path, "/") + "/" + pick("a", "ab", "abc", "b", "bcd", "{x}", "{y}", "items", "item")
			}
			r.Path += pick("", "", "/", "/*")
		}
		switch rnd.IntN(5) {
		case 0:
			r.Methods = []string{pick("GET", "POST", "ODD")}
		case 1:
			v, err := NewValue(pick("X-A", "X-B"), Exact, pick("1", "2"))
			require.NoError(t, err)
			r.Conditions = &Conditions{Headers: []Value{v}}
		case 2:
			r.Conditions = &Conditions{Sources: prefixes(t, pick("10.0.0.0/8", "127.0.0.0/8"))}
		}
		return r
	}
	number := func(rules []Rule) []Rule {
		for i := range rules {
			rules[i].ID = ID(i)
		}
		return rules
	}
	replaced, refused, built := 0, 0, 0
	for range 15 {
		var rules []Rule
		table, err := Build(nil)
		require.NoError(t, err)
		type earlier struct {
			table *Table
			was   string
		}
		var before []earlier
		for range 100 {
			from := rnd.IntN(len(rules) + 1)
			to := min(len(rules), from+rnd.IntN(1+rnd.IntN(4)))
			added := make([]Rule, rnd.IntN(4))
			for i := range added {
				added[i] = random()
				if i > 0 && rnd.IntN(4) == 0 && from < to {
					added[i] = rules[from] // as it was, moved perhaps
				}
			}
			next := number(slices.Concat(rules[:from], added, rules[to:]))
			want, err := Build(next)
			got := table.Replace(ID(from), rules[from:to], added)
			if err != nil {
				require.Nil(t, got, err)
				refused++
				number(rules)
				continue
			}
			if got == nil { // too much waste
				built++
				got = want
			} else {
				replaced++
			}
			require.Equal(t, drawn(want), drawn(got))
			before = append(before, earlier{table, drawn(table)})
			if rnd.IntN(4) > 0 { // otherwise the next one is made from the same table once more
				table, rules = got, next
			}
			number(rules)
		}
		for _, e := range before {
			require.Equal(t, e.was, drawn(e.table))
		}
	}
	require.Greater(t, replaced, 300)
	require.Greater(t, refused, 10)
	require.Greater(t, replaced, 2*built, "most edits are cheap")
}

// A rule that the table does not have cannot be replaced.
func TestReplaceOfAStranger(t *testing.T) {
	table := build(t, Rule{Path: "/a"})
	require.Nil(t, table.Replace(0, []Rule{{Path: "/b"}}, nil))
	require.Nil(t, table.Replace(0, []Rule{{Path: "/a/{x}"}}, nil))
	require.Nil(t, table.Replace(0, []Rule{{Host: "h", Path: "/a"}}, nil))
	require.Nil(t, table.Replace(1, nil, []Rule{{Path: "b"}}))
	require.NotNil(t, table.Replace(0, []Rule{{Path: "/a"}}, nil))
}

// What one changed path costs in tables of 10,000 rules, beside building them.
func BenchmarkReplace(b *testing.B) {
	for _, shape := range shapes {
		rules := make([]Rule, 10_000)
		for i := range rules {
			rules[i] = shape.rule(i)
			rules[i].ID = ID(i)
		}
		first, err := Build(rules)
		require.NoError(b, err)
		other := rules[5000]
		other.Path = "/other" + other.Path
		b.Run(shape.name+"/replace", func(b *testing.B) {
			b.ReportAllocs()
			table := first
			full := 0
			for i := range b.N {
				was, is := rules[5000:5001], []Rule{other}
				if i%2 == 1 {
					was, is = is, was
				}
				next := table.Replace(5000, was, is)
				if next == nil {
					list := slices.Clone(rules)
					copy(list[5000:], is)
					if next, err = Build(list); err != nil {
						b.Fatal(err)
					}
					full++
				}
				table = next
			}
			b.ReportMetric(float64(full)/float64(b.N), "builds/op")
		})
		b.Run(shape.name+"/build", func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := Build(rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func prefixes(t *testing.T, list ...string) (out []netip.Prefix) {
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}
