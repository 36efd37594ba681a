package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// maxFileBody bounds a response from a file.
const maxFileBody = 16 << 20

// maxConditions bounds header and query conditions of one route each.
const maxConditions = 16

// checkConditions looks at what a route asks of a request besides host, path and method. It tells whether all is right.
func (d *decoder) checkConditions(m *Match, i int) bool {
	before := len(d.problems)
	if m.PathRegex != "" {
		d.regex(m.PathRegex, "routes", i, "match", "path_regex")
		if d.given("routes", i, "match", "path") {
			d.report("the route has path and path_regex", "expected at most one of them", "routes", i, "match", "path_regex")
		}
		m.Path = ""
	}
	d.checkValues(m.Headers, "headers", i)
	d.checkValues(m.Query, "query", i)
	for j, s := range m.Source {
		if _, err := ParseNetwork(s); err != nil {
			d.report(fmt.Sprintf("%q is not a network", shorten(s)), "expected an address or a network such as 10.0.0.0/8", "routes", i, "match", "source", j)
		}
	}
	return len(d.problems) == before
}

// ParseNetwork reads 10.0.0.0/8 or 10.0.0.1.
func ParseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func (d *decoder) checkValues(list []ValueMatch, key string, i int) {
	if len(list) > maxConditions {
		d.report(fmt.Sprintf("%d conditions", len(list)), fmt.Sprintf("expected at most %d", maxConditions), "routes", i, "match", key)
	}
	for j := range list {
		v := &list[j]
		path := []any{"routes", i, "match", key, j}
		n := resolve(d.at(path...))
		var chosen []string
		for _, k := range []string{"exact", "prefix", "regex", "absent"} {
			if has(n, k) {
				chosen = append(chosen, k)
			}
		}
		if len(chosen) > 1 {
			d.report("the condition has "+strings.Join(chosen, " and "), "expected at most one of exact, prefix, regex, absent", path...)
		}
		if len(chosen) == 1 && chosen[0] != "absent" && v.Exact+v.Prefix+v.Regex == "" {
			d.report(chosen[0]+" is empty", "expected a value; without any condition the field only has to be there", append(path, chosen[0])...)
		}
		if key == "headers" && v.Name != "" && !isToken(v.Name) {
			d.report(fmt.Sprintf("%q is not the name of a field", shorten(v.Name)), "expected letters, digits and -", append(path, "name")...)
		}
		if v.Regex != "" {
			d.regex(v.Regex, append(path, "regex")...)
		}
	}
}

func (d *decoder) regex(s string, path ...any) *regexp.Regexp {
	re, err := regexp.Compile(s)
	if err != nil {
		d.report(fmt.Sprintf("%q is not a regular expression", shorten(s)), strings.TrimPrefix(err.Error(), "error parsing regexp: "), path...)
	}
	return re
}

// checkTraffic looks at everything that a route does with a request apart from its action.
func (d *decoder) checkTraffic(r *Route, i int, clusters []string, known map[string]bool) {
	cluster := func(name string, path ...any) {
		if name != "" && !known[name] {
			_, want := didYouMean(name, clusters)
			if len(clusters) == 0 {
				want = "no clusters are defined"
			}
			d.report(fmt.Sprintf("unknown cluster %q", shorten(name)), want, path...)
		}
	}
	cluster(r.Cluster, "routes", i, "cluster")
	total := 0
	for j, p := range r.Split {
		cluster(p.Cluster, "routes", i, "split", j, "cluster")
		total += p.Weight
		if slices.ContainsFunc(r.Split[:j], func(o SplitPart) bool { return o.Cluster == p.Cluster && p.Cluster != "" }) {
			d.report(fmt.Sprintf("cluster %q is given twice", p.Cluster), "expected it once, with a larger weight", "routes", i, "split", j, "cluster")
		}
	}
	if d.given("routes", i, "split") && total == 0 && len(d.problems) == 0 {
		d.report("no part of the split has a weight", "expected at least one part with a weight above 0", "routes", i, "split")
	}
	if r.SplitBy != "" {
		kind, name, _ := strings.Cut(r.SplitBy, ":")
		if r.SplitBy != "source" && (kind != "header" && kind != "cookie" || !isToken(name)) {
			d.report(fmt.Sprintf("%q cannot divide requests", shorten(r.SplitBy)), "expected source, header:NAME or cookie:NAME", "routes", i, "split_by")
		}
		if len(r.Split) == 0 {
			d.report("split_by without split", "expected split as well", "routes", i, "split_by")
		}
	}
	if r.Mirror != nil {
		cluster(r.Mirror.Cluster, "routes", i, "mirror", "cluster")
	}
	vars := pathVars(&r.Match)
	if r.Rewrite != nil {
		d.checkRewrite(r.Rewrite, &r.Match, vars, i)
	}
	if r.Redirect != nil {
		d.checkRedirect(r.Redirect, &r.Match, vars, i)
	}
	all := append(slices.Clone(headerFacts), vars...)
	d.checkEdits(&r.RequestHeaders, all, i, "request_headers")
	d.checkEdits(&r.ResponseHeaders, all, i, "response_headers")
}

func (d *decoder) checkRewrite(r *Rewrite, m *Match, vars []string, i int) {
	var chosen []string
	for _, k := range []string{"prefix", "path", "regex"} {
		if d.given("routes", i, "rewrite", k) {
			chosen = append(chosen, k)
		}
	}
	if len(chosen) > 1 {
		d.report("rewrite has "+strings.Join(chosen, " and "), "expected at most one of prefix, path, regex", "routes", i, "rewrite")
	}
	d.checkPrefix(r.Prefix, m, "routes", i, "rewrite", "prefix")
	d.checkPathTemplate(r.Path, vars, "routes", i, "rewrite", "path")
	if r.Regex != "" {
		if re := d.regex(r.Regex, "routes", i, "rewrite", "regex"); re != nil {
			d.template(r.With, groupVars(re), false, "routes", i, "rewrite", "with")
		}
	} else if d.given("routes", i, "rewrite", "with") {
		d.report("with has no meaning without regex", "expected regex as well", "routes", i, "rewrite", "with")
	}
	d.template(r.Host, append([]string{"host"}, vars...), true, "routes", i, "rewrite", "host")
	d.template(r.Query, append([]string{"query"}, vars...), false, "routes", i, "rewrite", "query")
	if r.DropQuery && r.Query != "" {
		d.report("the rewrite has query and drop_query", "expected at most one of them", "routes", i, "rewrite", "drop_query")
	}
}

func (d *decoder) checkRedirect(r *Redirect, m *Match, vars []string, i int) {
	if !slices.Contains([]int{301, 302, 303, 307, 308}, r.Status) {
		d.report(fmt.Sprintf("%d is not a redirect", r.Status), "expected one of 301, 302, 303, 307, 308", "routes", i, "redirect", "status")
	}
	again := r.Path != "" && r.Path == m.Path && (!r.DropQuery || len(m.Query) == 0)
	if r.Scheme+r.Host+r.Prefix == "" && (r.Path == "" || again) {
		d.report("the redirect leads to where the request came from", "expected scheme, host, path or prefix", "routes", i, "redirect")
	}
	if r.Path != "" && r.Prefix != "" {
		d.report("the redirect has path and prefix", "expected at most one of them", "routes", i, "redirect")
	}
	d.checkPrefix(r.Prefix, m, "routes", i, "redirect", "prefix")
	d.checkPathTemplate(r.Path, vars, "routes", i, "redirect", "path")
	d.template(r.Host, append([]string{"host"}, vars...), false, "routes", i, "redirect", "host")
}

func (d *decoder) checkPrefix(prefix string, m *Match, path ...any) {
	switch {
	case prefix == "":
	case !strings.HasSuffix(m.Path, "/*"):
		d.report("the path of this route has no * that a prefix could stand before", "expected path in place of prefix", path...)
	case prefix[0] != '/' || !visible(prefix) || strings.ContainsAny(prefix, "?#"):
		d.report(fmt.Sprintf("%q is not the beginning of a path", shorten(prefix)), "expected it to start with /, without spaces, query and fragment", path...)
	}
}

func (d *decoder) checkPathTemplate(t string, vars []string, path ...any) {
	if t == "" {
		return
	}
	if t[0] != '/' || !visible(t) || strings.ContainsAny(t, "?#") {
		d.report(fmt.Sprintf("%q is not a path", shorten(t)), "expected it to start with /, without spaces, query and fragment", path...)
		return
	}
	d.template(t, vars, false, path...)
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// framingFields are about the connection or the message's form, or say who forwarded it: nobody may edit them.
var framingFields = append([]string{"host", "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}, ownFields...)

func (d *decoder) checkEdits(e *HeaderEdits, known []string, i int, key string) {
	own := framingFields
	if key == "response_headers" {
		own = slices.DeleteFunc(slices.Clone(ownFields), func(s string) bool { return s == "server" })
	}
	name := func(s string, path ...any) {
		switch {
		case !isToken(s):
			d.report(fmt.Sprintf("%q is not the name of a field", shorten(s)), "expected letters, digits and -", path...)
		case slices.Contains(own, strings.ToLower(s)):
			d.report(fmt.Sprintf("field %s is Blitz's own", s), "remove it", path...)
		}
	}
	for j, s := range e.Remove {
		name(s, "routes", i, key, "remove", j)
	}
	for _, list := range []struct {
		key string
		h   Headers
	}{{"set", e.Set}, {"add", e.Add}} {
		for _, h := range list.h {
			path := []any{"routes", i, key, list.key, h.Name}
			name(h.Name, path...)
			if strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				d.report(fmt.Sprintf("the value of %s has control characters", h.Name), "expected one line of text", path...)
			}
			d.template(h.Value, known, true, path...)
		}
	}
}

// checkFile reads a response from a file, whose name it makes absolute, so that it means the same to everybody who is shown it.
func (d *decoder) checkFile(r *Respond, i int) {
	if d.literal {
		return
	}
	path := []any{"routes", i, "respond", "file"}
	if r.Body != "" {
		d.report("the response has body and file", "expected at most one of them", path...)
	}
	if !filepath.IsAbs(r.File) {
		r.File = filepath.Join(filepath.Dir(d.files[d.at(path...).file]), r.File)
	}
	d.looked.add(r.File)
	info, err := os.Stat(r.File)
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		d.report(fmt.Sprintf("%s is not a file", r.File), "expected a file", path...)
		return
	case info.Size() > maxFileBody:
		d.report(fmt.Sprintf("%s has %d bytes", r.File, info.Size()), fmt.Sprintf("expected at most %d", maxFileBody), path...)
		return
	default:
		r.content, err = os.ReadFile(r.File)
	}
	if err != nil {
		d.report(err.Error(), "expected a file", path...)
		return
	}
	if abs, err := filepath.Abs(r.File); err == nil {
		r.File = abs
	}
}
