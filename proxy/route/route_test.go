package route

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/stretchr/testify/require"
)

func build(t testing.TB, rules ...Rule) *Table {
	t.Helper()
	for i := range rules {
		rules[i].ID = ID(i)
	}
	table, err := Build(rules)
	require.NoError(t, err)
	return table
}

func lookup(t *Table, method, host, path string, p *Params) (ID, Result) {
	return t.Lookup([]byte(host), []byte(path), wire.LookupMethod([]byte(method)), []byte(method), p)
}

func TestLookup(t *testing.T) {
	rules := []Rule{
		0:  {Path: "/"},
		1:  {Path: "/hello"},
		2:  {Path: "/echo/*"},
		3:  {Path: "/echo/fixed"},
		4:  {Path: "/users/{id}"},
		5:  {Path: "/users/me"},
		6:  {Path: "/users/{id}/posts"},
		7:  {Path: "/users/42/*"},
		8:  {Path: "/users/{id}/posts/*"},
		9:  {Path: "/m", Methods: []string{"GET"}},
		10: {Path: "/m", Methods: []string{"POST", "PURGE"}},
		11: {Path: "/n", Methods: []string{"GET"}},
		12: {Path: "/n", Methods: []string{"HEAD"}},
		13: {Path: "/n"},
		14: {Host: "api.example.com", Path: "/*"},
		15: {Host: "*.example.com", Path: "/w"},
		16: {Host: "*.eu.example.com", Path: "/w"},
		17: {Host: "*.example.com", Path: "/eu"},
		18: {Host: "[2001:db8::1]", Path: "/*"},
		19: {Path: "/files/{name}/*"},
		20: {Path: "/files/{name}/{version}"},
		21: {Path: "/only/post", Methods: []string{"POST"}},
		22: {Path: "/only/*", Methods: []string{"PUT"}},
		23: {Path: "/helloworld"},
	}
	table := build(t, rules...)
	tests := []struct {
		method, host, path string
		want               ID
		result             Result
	}{
		{"GET", "x", "/", 0, Found},
		{"GET", "", "/hello", 1, Found},
		{"GET", "x", "/helloworld", 23, Found},
		{"GET", "x", "/hello/", None, NotFound},
		{"GET", "x", "/hell", None, NotFound},
		{"GET", "x", "/Hello", None, NotFound},
		{"GET", "x", "", None, NotFound},
		{"OPTIONS", "x", "*", None, NotFound},
		{"GET", "x", "/echo", None, NotFound},
		{"GET", "x", "/echo/", 2, Found},
		{"GET", "x", "/echo//", 2, Found},
		{"GET", "x", "/echo/a/b", 2, Found},
		{"GET", "x", "/echo/fixed", 3, Found},
		{"GET", "x", "/echo/fixed/", 2, Found},
		{"GET", "x", "/users/me", 5, Found},
		{"GET", "x", "/users/mee", 4, Found},
		{"GET", "x", "/users/m", 4, Found},
		{"GET", "x", "/users/", None, NotFound},
		{"GET", "x", "/users/me/posts", 6, Found},
		{"GET", "x", "/users/42", 4, Found},
		{"GET", "x", "/users/42/", 7, Found},
		{"GET", "x", "/users/42/posts", 6, Found},    // covers the whole path
		{"GET", "x", "/users/42/posts/7", 8, Found},  // the longer prefix
		{"GET", "x", "/users/42/photos/7", 7, Found}, // the only prefix
		{"GET", "x", "/users//posts", None, NotFound},
		{"GET", "x", "/m", 9, Found},
		{"HEAD", "x", "/m", 9, Found},
		{"POST", "x", "/m", 10, Found},
		{"PURGE", "x", "/m", 10, Found},
		{"purge", "x", "/m", None, MethodNotAllowed},
		{"DELETE", "x", "/m", None, MethodNotAllowed},
		{"GET", "x", "/n", 11, Found},
		{"HEAD", "x", "/n", 12, Found},
		{"BREW", "x", "/n", 13, Found},
		{"POST", "x", "/only/post", 21, Found},
		{"PUT", "x", "/only/post", 22, Found}, // left to the less specific rule
		{"GET", "x", "/only/post", None, MethodNotAllowed},
		{"GET", "api.example.com", "/w", 14, Found},
		{"GET", "API.Example.COM:8080", "/w", 14, Found},
		{"GET", "api.example.com.", "/w", 14, Found},
		{"GET", "api.example.com.:80", "/w", 14, Found},
		{"GET", "a.example.com", "/w", 15, Found},
		{"GET", "a.b.example.com", "/w", 15, Found},
		{"GET", "a.eu.example.com", "/w", 16, Found},
		{"GET", "eu.example.com", "/w", 15, Found},
		{"GET", "a.eu.example.com", "/eu", 17, Found}, // the longer wildcard has no such path
		{"GET", "a.eu.example.com", "/hello", 1, Found},
		{"GET", "example.com", "/w", None, NotFound},
		{"GET", ".example.com", "/w", None, NotFound},
		{"GET", "[2001:DB8::1]:443", "/x", 18, Found},
		{"GET", "[2001:db8::1]", "/x", 18, Found},
		{"GET", "2001:db8::1", "/x", 18, Found},
		{"GET", strings.Repeat("a.", 200) + "example.com", "/w", None, NotFound},
		{"GET", strings.Repeat("a", 10000), "/hello", 1, Found},
		{"GET", "x", "/files/a/b", 20, Found},
		{"GET", "x", "/files/a/b/c", 19, Found},
		{"GET", "x", "/files/a/", 19, Found},
	}
	for _, tt := range tests {
		name := fmt.Sprintf("%s %.40s%s", tt.method, tt.host, tt.path)
		id, result := lookup(table, tt.method, tt.host, tt.path, nil)
		require.Equal(t, tt.want, id, name)
		require.Equal(t, tt.result, result, name)
	}
}

func TestParams(t *testing.T) {
	table := build(t, Rule{Path: "/users/{user}/posts/{post}"}, Rule{Path: "/users/{u}/*"}, Rule{Path: "/a"}, Rule{Path: "/users/{x}/posts/{y}/likes"})
	var p Params
	values := func() (out []string) {
		for i := range p.N {
			out = append(out, string(p.Values[i]))
		}
		return out
	}
	_, result := lookup(table, "GET", "", "/users/ann/posts/7", &p)
	require.Equal(t, Found, result)
	require.Equal(t, []string{"ann", "7"}, values())
	require.Nil(t, p.Rest)
	require.Equal(t, []string{"user", "post"}, ParamNames("/users/{user}/posts/{post}"))

	// The search goes down to the second parameter before it comes back to the prefix: its capture must be gone.
	_, result = lookup(table, "GET", "", "/users/ann/posts/7/hates", &p)
	require.Equal(t, Found, result)
	require.Equal(t, []string{"ann"}, values())
	require.Equal(t, "posts/7/hates", string(p.Rest))

	_, result = lookup(table, "GET", "", "/users/ann/", &p)
	require.Equal(t, Found, result)
	require.NotNil(t, p.Rest)
	require.Empty(t, p.Rest)

	_, result = lookup(table, "GET", "", "/a", &p)
	require.Equal(t, Found, result)
	require.Zero(t, p.N)
	require.Nil(t, p.Rest)
	require.Empty(t, ParamNames("/a"))
}

func TestAllow(t *testing.T) {
	table := build(t,
		Rule{Path: "/a", Methods: []string{"GET"}},
		Rule{Path: "/a", Methods: []string{"PURGE"}},
		Rule{Path: "/*", Methods: []string{"POST", "PURGE"}},
		Rule{Host: "h", Path: "/{x}", Methods: []string{"DELETE"}},
	)
	sorted := func(host, path string) []string {
		list := strings.Split(string(table.AppendAllow(nil, &Request{Host: []byte(host), Path: []byte(path)})), ", ")
		slices.Sort(list)
		return list
	}
	require.Equal(t, []string{"GET", "HEAD", "POST", "PURGE"}, sorted("x", "/a"))
	require.Equal(t, []string{"DELETE", "GET", "HEAD", "POST", "PURGE"}, sorted("h", "/a"))
	require.Equal(t, []string{"POST", "PURGE"}, sorted("x", "/b"))
	require.Equal(t, "Allow: POST, PURGE", string(table.AppendAllow([]byte("Allow: "), &Request{Path: []byte("/b")})))
}

func TestBuildRefuses(t *testing.T) {
	tests := []struct {
		name  string
		rules []Rule
		want  []string
	}{
		{"relative", []Rule{{Path: "a"}}, []string{`path "a": does not start with /`}},
		{"empty", []Rule{{Path: ""}}, []string{"does not start with /"}},
		{"star in the middle", []Rule{{Path: "/*/a"}}, []string{"only at its end"}},
		{"star in a segment", []Rule{{Path: "/a*"}}, []string{"only at its end"}},
		{"parameter in a segment", []Rule{{Path: "/a{b}"}}, []string{"whole segment"}},
		{"parameter with a tail", []Rule{{Path: "/{b}c"}}, []string{"whole segment"}},
		{"parameter not closed", []Rule{{Path: "/{b"}}, []string{"whole segment"}},
		{"parameter over two segments", []Rule{{Path: "/{b/c}"}}, []string{"whole segment"}},
		{"too many parameters", []Rule{{Path: strings.Repeat("/{a}", MaxParams+1)}}, []string{"more than 16"}},
		{"too long", []Rule{{Path: "/" + strings.Repeat("a", 1<<15)}}, []string{"too long"}},
		{"same path", []Rule{{Path: "/a"}, {Path: "/a"}}, []string{"route 1 matches the same requests as route 0"}},
		{"same but for the name", []Rule{{Path: "/{a}/x"}, {Path: "/{b}/x"}}, []string{"route 1 matches the same"}},
		{"same host in other letters", []Rule{{Host: "A.com", Path: "/a"}, {Host: "a.COM", Path: "/a"}}, []string{"route 1 matches the same"}},
		{"one method in common", []Rule{{Path: "/a", Methods: []string{"GET", "X"}}, {Path: "/a", Methods: []string{"X"}}}, []string{"route 1 matches the same"}},
		{"two of four", []Rule{{Path: "a"}, {Path: "/b"}, {Path: "/b"}, {Path: "/c"}}, []string{`path "a"`, "route 2 matches the same requests as route 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.rules {
				tt.rules[i].ID = ID(i)
			}
			table, err := Build(tt.rules)
			require.Nil(t, table)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestMaxParams(t *testing.T) {
	table := build(t, Rule{Path: strings.Repeat("/{a}", MaxParams)})
	var p Params
	_, result := lookup(table, "GET", "", strings.Repeat("/v", MaxParams), &p)
	require.Equal(t, Found, result)
	require.Equal(t, MaxParams, p.N)
}

func TestEmptyTable(t *testing.T) {
	id, result := lookup(build(t), "GET", "h", "/", nil)
	require.Equal(t, None, id)
	require.Equal(t, NotFound, result)
}

// The table must agree with the plain comparison of every rule, for many random tables and requests over a small alphabet, where everything collides.
func TestAgainstPlainComparison(t *testing.T) {
	const seed = 20260101
	rnd := rand.New(rand.NewPCG(seed, 1))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	path := func(last ...string) string {
		var b strings.Builder
		for range rnd.IntN(4) {
			b.WriteString("/" + pick(last...))
		}
		return b.String()
	}
	found := 0
	for round := range 400 {
		var rules []Rule
		for range 1 + rnd.IntN(30) {
			p := path("a", "b", "ab", "abc", "{x}", "{y}")
			p += pick("", "/", "/*", "/c")
			if p == "" {
				p = "/"
			}
			rule := Rule{ID: ID(len(rules)), Host: pick("", "", "h", "*.h", "*.a.h", "a.h"), Path: p}
			switch rnd.IntN(4) {
			case 0:
				rule.Methods = []string{pick("GET", "HEAD", "POST", "ODD")}
			case 1:
				rule.Methods = []string{"GET", "PUT"}
			}
			if _, err := Build(append(rules, rule)); err == nil {
				rules = append(rules, rule)
			}
		}
		table, err := Build(rules)
		require.NoError(t, err)
		for range 200 {
			host, request, method := pick("h", "a.h", "b.a.h", "x"), path("a", "b", "ab", "abc", "c", "")+pick("", "/"), pick("GET", "HEAD", "POST", "ODD", "PUT", "DELETE")
			if request == "" {
				request = "/"
			}
			best, pathMatched := (*Rule)(nil), false
			for i := range rules {
				r := &rules[i]
				if !MatchHost(r.Host, host) || !MatchPath(r.Path, request) {
					continue
				}
				pathMatched = true
				if !MatchMethod(r.Methods, method) {
					continue
				}
				// HEAD by way of GET yields to a rule with the same pattern that names HEAD, also when that comes later.
				if best == nil {
					best = r
				} else if c, _ := Compare(r, best, method); c < 0 {
					best = r
				}
			}
			want, wantResult := None, NotFound
			switch {
			case best != nil:
				want, wantResult = best.ID, Found
				found++
			case pathMatched:
				wantResult = MethodNotAllowed
			}
			got, gotResult := lookup(table, method, host, request, nil)
			if got != want || gotResult != wantResult {
				t.Fatalf("round %d: %s %s%s: got %d (%v), want %d (%v) among %v", round, method, host, request, got, gotResult, want, wantResult, rules)
			}
		}
	}
	require.Greater(t, found, 10000, "the requests hardly ever match: the test shows nothing")
}

func TestNoAllocations(t *testing.T) {
	table := build(t,
		Rule{Path: "/users/{id}/posts/{post}"}, Rule{Path: "/users/{id}/*"}, Rule{Host: "api.example.com", Path: "/a"},
		Rule{Host: "*.example.com", Path: "/b", Methods: []string{"GET", "ODD"}})
	host, wild, odd := []byte("API.example.com:80"), []byte("x.y.example.com"), []byte("ODD")
	a, b, c, none := []byte("/a"), []byte("/b"), []byte("/users/1/posts/2"), []byte("/users/1/posts/2/3")
	dst := make([]byte, 0, 100)
	var p Params
	require.Zero(t, testing.AllocsPerRun(100, func() {
		table.Lookup(host, a, wire.MethodGet, nil, &p)
		table.Lookup(wild, b, wire.MethodOther, odd, &p)
		table.Lookup(wild, b, wire.MethodPost, nil, &p)
		table.Lookup(wild, c, wire.MethodGet, nil, &p)
		table.Lookup(nil, none, wire.MethodGet, nil, nil)
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		table.AppendAllow(dst, &Request{Path: c})
	}))
}
