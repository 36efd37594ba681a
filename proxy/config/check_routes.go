package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxParams is how many parameters a path may have.
const MaxParams = 16

// maxPath bounds the path of a route; a request line that long is refused by default limits anyway.
const maxPath = 2048

// maxMethods is how many methods one route may list; there are some forty registered ones.
const maxMethods = 64

func (d *decoder) checkRoutes(c *Config) {
	var clusters []string
	for _, cl := range c.Clusters {
		if cl.Name != "" {
			clusters = append(clusters, cl.Name)
		}
	}
	known := map[string]bool{}
	for _, name := range clusters {
		known[name] = true
	}
	names := map[string]int{}
	same := map[string][]int{}
	for i := range c.Routes {
		r := c.Routes[i]
		// Match starts from its defaults only when it is in the file.
		if !d.given("routes", i, "match") {
			SetDefaults(&r.Match)
		}
		matchable := d.checkConditions(&r.Match, i)
		matchable = d.checkMatch(&r.Match, i) && matchable
		d.checkAction(r, i)
		d.checkTraffic(r, i, clusters, known)
		if r.Respond != nil {
			d.checkRespond(r.Respond, i)
		}
		if r.Retry != nil {
			d.checkRetry(r.Retry.Retry(), r.Timeouts.FirstByte, "routes", i, "retry")
		}
		if matchable {
			d.checkConflict(c.Routes, i, same)
		}
		if r.Name == "" {
			m := withReferences(&r.Match, d.refs)
			r.Name = m.String()
		}
		if j, twice := names[r.Name]; twice {
			if d.given("routes", i, "name") {
				d.report(fmt.Sprintf("route name %q is taken", r.Name), "line "+d.line("routes", j)+" has it already", "routes", i, "name")
			}
		} else {
			names[r.Name] = i
		}
	}
}

// String is the default name of a route: methods, host and path.
func (m *Match) String() string {
	s := m.Host + m.Path
	if m.PathRegex != "" {
		s = m.Host + "~" + m.PathRegex
	}
	if len(m.Methods) > 0 {
		s = strings.Join(m.Methods, ",") + " " + s
	}
	for _, c := range []struct {
		sep  string
		list []ValueMatch
	}{{" ", m.Headers}, {" ?", m.Query}} {
		for i := range c.list {
			s += c.sep + c.list[i].String()
		}
	}
	if len(m.Source) > 0 {
		s += " from " + strings.Join(m.Source, ",")
	}
	return s
}

// String is the condition in short: X-A, !X-A, X-A=b, X-A=b*, X-A~b.
func (v *ValueMatch) String() string {
	switch {
	case v.Exact != "":
		return v.Name + "=" + v.Exact
	case v.Prefix != "":
		return v.Name + "=" + v.Prefix + "*"
	case v.Regex != "":
		return v.Name + "~" + v.Regex
	case v.Absent:
		return "!" + v.Name
	}
	return v.Name
}

// checkConflict reports a route that matches exactly what an earlier one matches.
func (d *decoder) checkConflict(routes []*Route, i int, same map[string][]int) {
	m := &routes[i].Match
	key := conflictKey(m)
	for _, j := range same[key] {
		if methodsOverlap(m.Methods, routes[j].Match.Methods) {
			d.report("this route matches the same requests as the one on line "+d.line("routes", j), "expected another host, path or method", "routes", i)
			return
		}
	}
	same[key] = append(same[key], i)
}

// conflictKey is the same for matches that differ at most in their methods. It is not String, which is for people: X=b* is an exact value or a prefix.
func conflictKey(m *Match) string {
	key := canonical(m)
	if len(m.Headers)+len(m.Query)+len(m.Source) == 0 {
		return key
	}
	b := []byte(key)
	for i := range m.Headers {
		b = appendCondition(append(b, 'h'), strings.ToLower(m.Headers[i].Name), &m.Headers[i])
	}
	for i := range m.Query {
		b = appendCondition(append(b, 'q'), m.Query[i].Name, &m.Query[i])
	}
	for _, s := range m.Source {
		b = strconv.AppendQuote(append(b, 's'), s)
	}
	return string(b)
}

func appendCondition(b []byte, name string, v *ValueMatch) []byte {
	b = strconv.AppendBool(strconv.AppendQuote(b, name), v.Absent)
	for _, s := range []string{v.Exact, v.Prefix, v.Regex} {
		b = strconv.AppendQuote(b, s)
	}
	return b
}

// canonical is the same for matches that differ at most in their methods and the names of parameters.
func canonical(m *Match) string {
	host := strings.ToLower(m.Host)
	if host == "*" {
		host = ""
	}
	if m.PathRegex != "" {
		return host + "~" + m.PathRegex
	}
	if !strings.Contains(m.Path, "{") {
		return host + m.Path
	}
	segments := strings.Split(m.Path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return host + strings.Join(segments, "/")
}

func methodsOverlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

// checkMatch tells whether host and path are right.
func (d *decoder) checkMatch(m *Match, i int) bool {
	before := len(d.problems)
	if want := hostWant(m.Host); want != "" {
		d.report(fmt.Sprintf("%q cannot match a host", shorten(m.Host)), want, "routes", i, "match", "host")
	}
	if m.PathRegex != "" {
		// checked already
	} else if want := pathWant(m.Path); want != "" {
		d.report(fmt.Sprintf("%q cannot match a path", shorten(m.Path)), want, "routes", i, "match", "path")
	}
	matchable := len(d.problems) == before
	if d.given("routes", i, "match", "methods") && m.Methods != nil && len(m.Methods) == 0 {
		d.report("no methods", "expected at least one, or no methods key for any", "routes", i, "match", "methods")
	}
	if len(m.Methods) > maxMethods {
		d.report(fmt.Sprintf("%d methods", len(m.Methods)), fmt.Sprintf("expected at most %d", maxMethods), "routes", i, "match", "methods")
		return false
	}
	for j, name := range m.Methods {
		path := []any{"routes", i, "match", "methods", j}
		upper := strings.ToUpper(name)
		switch {
		case name == "":
		case !isToken(name):
			d.report(fmt.Sprintf("%q is not a method", shorten(name)), "expected a name such as GET", path...)
		case upper != name && slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}, upper):
			d.report(fmt.Sprintf("unknown method %q, methods have regard to case", name), fmt.Sprintf("did you mean %q?", upper), path...)
		case slices.Contains(m.Methods[:j], name):
			d.report(fmt.Sprintf("method %s is given twice", name), "expected it once", path...)
		}
	}
	return matchable
}

// hostWant says what is expected of a host pattern, "" when it is fine.
func hostWant(h string) string {
	name := strings.TrimPrefix(h, "*.")
	ip, isIP := Address{Host: strings.Trim(h, "[]")}.IP()
	switch {
	case h == "" || h == "*":
		return ""
	case isIP && ip.Is6() && strings.HasPrefix(h, "[") && strings.HasSuffix(h, "]"):
		return ""
	case strings.Contains(name, "*"):
		return "expected the * as the whole first part, as in *.example.com"
	case strings.Contains(h, "://"):
		return "expected a host alone, without the scheme"
	case strings.Contains(h, ":"):
		return "expected a host without port, an IPv6 address in brackets"
	case !validHostName(name) || strings.HasSuffix(name, "."):
		return "expected a host name such as api.example.com or *.example.com"
	}
	return ""
}

// pathWant says what is expected of a path pattern, "" when it is fine.
func pathWant(p string) string {
	switch {
	case !strings.HasPrefix(p, "/"):
		return "expected it to start with /"
	case len(p) > maxPath:
		return fmt.Sprintf("expected at most %d bytes", maxPath)
	case strings.ContainsAny(p, "?#"):
		return "expected a path alone, without query or fragment"
	}
	for _, c := range []byte(p) {
		if c <= ' ' || c >= 0x7f {
			return "expected visible ASCII; other bytes arrive percent-encoded and are compared like that"
		}
	}
	if want := escapeWant(p); want != "" {
		return want
	}
	segments := strings.Split(p[1:], "/")
	var names []string
	for i, s := range segments {
		switch {
		case s == "." || s == "..":
			return "expected no . or .. segments"
		case s == "" && i < len(segments)-1:
			return "expected no empty segments; // in a request becomes / before it is compared"
		case s == "*":
			if i < len(segments)-1 {
				return "expected * only at the end; {name} stands for one segment"
			}
		case strings.Contains(s, "*"):
			return "expected * as a whole segment at the end, as in /a/*"
		case strings.ContainsAny(s, "{}"):
			name, ok := strings.CutPrefix(s, "{")
			name, closed := strings.CutSuffix(name, "}")
			if !ok || !closed || !isName(name) {
				return "expected a parameter to be a whole segment, as in /users/{id}, named with letters, digits and _"
			}
			if slices.Contains(names, name) {
				return fmt.Sprintf("expected the parameter {%s} only once", name)
			}
			names = append(names, name)
		}
	}
	if len(names) > MaxParams {
		return fmt.Sprintf("expected at most %d parameters", MaxParams)
	}
	return ""
}

// escapeWant finds percent-encodings that no request has: they are compared in their normal form (RFC 3986 section 6.2.2), upper-case
// digits and letters, digits, - . _ ~ never encoded.
func escapeWant(p string) string {
	const hex = "0123456789ABCDEF"
	for i := range len(p) {
		if p[i] != '%' {
			continue
		}
		if i+2 >= len(p) {
			return "expected two upper-case hexadecimal digits after %"
		}
		high, low := strings.IndexByte(hex, p[i+1]), strings.IndexByte(hex, p[i+2])
		if high < 0 || low < 0 {
			return "expected two upper-case hexadecimal digits after %"
		}
		if c := byte(high<<4 | low); c == '-' || c == '.' || c == '_' || c == '~' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return fmt.Sprintf("expected %q in place of %s", string(c), p[i:i+3])
		}
	}
	return ""
}

// isName tells whether s is a name of letters, digits and _, not starting with a digit.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// actions are the keys of which a route has exactly one.
var actions = []string{"cluster", "split", "redirect", "respond", "echo"}

func (d *decoder) checkAction(r *Route, i int) {
	n := resolve(d.at("routes", i))
	first, chosen := "", 0
	for _, key := range actions {
		if has(n, key) {
			first = key
			chosen++
		}
	}
	oneOf := strings.Join(actions, ", ")
	switch {
	case has(n, "cluster") && r.Cluster == "":
		d.report("the name of the cluster is empty", "expected the name of a cluster", "routes", i, "cluster")
	case has(n, "split") && len(r.Split) == 0:
		d.report("the split has no parts", "expected at least one", "routes", i, "split")
	case has(n, "echo") && !r.Echo:
		d.report("echo: false does nothing", "expected echo: true, or no echo key", "routes", i, "echo")
	}
	switch {
	case chosen == 0 && !d.misspelt[n]:
		d.report("the route does nothing", "expected one of "+oneOf, "routes", i)
	case chosen > 1:
		have := slices.DeleteFunc(slices.Clone(actions), func(key string) bool { return !has(n, key) })
		d.report("the route has "+strings.Join(have, " and "), "expected exactly one of "+oneOf, "routes", i)
	case chosen == 1 && first != "cluster" && first != "split":
		for _, key := range []string{"allow_upgrade", "timeouts", "retry", "rewrite", "request_headers", "mirror", "split_by"} {
			if has(n, key) {
				d.report(fmt.Sprintf("%s has no meaning for a route with %s", key, first), "expected it only with cluster or split", "routes", i, key)
			}
		}
	}
}

// ownFields are written by the gateway itself.
var ownFields = []string{"connection", "content-length", "date", "keep-alive", "proxy-connection", "server", "te", "trailer", "transfer-encoding", "upgrade"}

func (d *decoder) checkRespond(r *Respond, i int) {
	// RFC 9110 sections 15.3.5 and 15.4.5: no content.
	if (r.Status == 204 || r.Status == 304) && r.Body != "" {
		d.report(fmt.Sprintf("a response %d has no body", r.Status), "expected no body, or another status", "routes", i, "respond", "body")
	}
	if r.File != "" {
		d.checkFile(r, i)
	}
	for _, h := range r.Headers {
		path := []any{"routes", i, "respond", "headers", h.Name}
		switch lower := strings.ToLower(h.Name); {
		case !isToken(h.Name):
			d.report(fmt.Sprintf("%q is not the name of a field", shorten(h.Name)), "expected letters, digits and -", path...)
		case slices.Contains(ownFields, lower):
			d.report(fmt.Sprintf("field %s is set by Blitz itself", h.Name), "remove it", path...)
		case strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			d.report(fmt.Sprintf("the value of %s has control characters", h.Name), "expected one line of text", path...)
		case strings.TrimSpace(h.Value) != h.Value:
			d.report(fmt.Sprintf("the value of %s starts or ends with space", h.Name), "expected none, recipients drop it", path...)
		}
	}
}
