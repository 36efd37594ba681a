package route

import (
	"cmp"
	"slices"
	"strings"
)

// The functions below say the same as Lookup, one rule at a time and without regard to speed: `blitz explain` shows with them why
// a rule did not match, and the tests hold the table against them.

// MatchHost tells whether a host pattern matches a host.
func MatchHost(pattern, host string) bool {
	key, wildcard := hostKey(pattern)
	if key == "" {
		return true
	}
	h := string(normalHost(nil, []byte(host)))
	if wildcard {
		return len(h) > len(key) && strings.HasSuffix(h, key)
	}
	return h == key
}

// MatchPath tells whether a path pattern matches a path.
func MatchPath(pattern, path string) bool {
	pattern, prefix := strings.CutSuffix(pattern, "/*")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if prefix {
		if len(got) <= len(want) {
			return false
		}
		got = got[:len(want)]
	}
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || isParam(w) && g != "" })
}

// Match tells whether the path of a rule, pattern or expression, matches a path.
func (r *Rule) Match(path string) bool {
	if r.Regex != nil {
		return r.Regex.MatchString(path)
	}
	return MatchPath(r.Path, path)
}

// MatchMethod tells whether the methods of a rule take a method.
func MatchMethod(methods []string, method string) bool {
	return len(methods) == 0 || slices.Contains(methods, method) || method == "HEAD" && slices.Contains(methods, "GET")
}

// Part names the part of a rule in which it is more specific than another one.
type Part string

// Parts in the order in which they are compared.
const (
	Host   Part = "host"
	Path   Part = "path"
	Method Part = "method"
	// Headers, Query and Source: the number of conditions.
	Headers Part = "headers"
	Query   Part = "query"
	Source  Part = "source"
	// Order: the rule that was written first.
	Order Part = "order"
	// Same is returned for rules that differ in nothing that Lookup compares.
	Same Part = ""
)

// Compare orders two rules that both match a request with the given method: negative when a is more specific, and in which
// part. It is the order of the package comment.
func Compare(a, b *Rule, method string) (int, Part) {
	if c := cmp.Compare(hostRank(b.Host), hostRank(a.Host)); c != 0 {
		return c, Host
	}
	if c := comparePaths(a, b); c != 0 {
		return c, Path
	}
	if c := cmp.Compare(methodRank(b.Methods, method), methodRank(a.Methods, method)); c != 0 {
		return c, Method
	}
	if c, part := compareConditions(a.Conditions, b.Conditions); c != 0 {
		return c, part
	}
	if a.Conditions == nil && b.Conditions == nil {
		return 0, Same
	}
	return cmp.Compare(a.ID, b.ID), Order
}

// hostRank is larger for the more specific of two hosts that match the same name.
func hostRank(pattern string) int {
	key, wildcard := hostKey(pattern)
	switch {
	case key == "":
		return 0
	case wildcard:
		return len(key)
	}
	return maxHost + 1
}

func comparePaths(ra, rb *Rule) int {
	if ra.Regex != nil || rb.Regex != nil {
		if ra.Regex != nil && rb.Regex != nil {
			if ra.Regex.String() == rb.Regex.String() {
				return 0
			}
			return cmp.Compare(ra.ID, rb.ID)
		}
		// An expression stands between whole paths and prefixes.
		other, c := rb, -1
		if ra.Regex == nil {
			other, c = ra, 1
		}
		if strings.HasSuffix(other.Path, "/*") {
			return c
		}
		return -c
	}
	a, prefixA := strings.CutSuffix(ra.Path, "/*")
	b, prefixB := strings.CutSuffix(rb.Path, "/*")
	if prefixA != prefixB {
		if prefixB {
			return -1
		}
		return 1
	}
	sa, sb := strings.Split(a, "/"), strings.Split(b, "/")
	if c := cmp.Compare(len(sb), len(sa)); c != 0 {
		return c
	}
	for i := range sa {
		if pa, pb := isParam(sa[i]), isParam(sb[i]); pa != pb {
			if pb {
				return -1
			}
			return 1
		}
	}
	return 0
}

func methodRank(methods []string, method string) int {
	switch {
	case len(methods) == 0:
		return 0
	case slices.Contains(methods, method):
		return 2
	}
	return 1
}

func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }
