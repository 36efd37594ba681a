package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// TemplatePart is a piece of a template: literal text, or the name of something to put in.
type TemplatePart struct{ Text, Var string }

// ParseTemplate splits a template such as `/users/{id}`. `{{` is a literal brace.
func ParseTemplate(s string) ([]TemplatePart, error) {
	var out []TemplatePart
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '{' {
			b.WriteByte(s[i])
			continue
		}
		if strings.HasPrefix(s[i:], "{{") {
			b.WriteByte('{')
			i++
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end <= 1 {
			return nil, errors.New("expected { to be the start of a name in braces; {{ is a brace")
		}
		if b.Len() > 0 {
			out = append(out, TemplatePart{Text: b.String()})
			b.Reset()
		}
		out = append(out, TemplatePart{Var: s[i+1 : i+end]})
		i += end
	}
	if b.Len() > 0 {
		out = append(out, TemplatePart{Text: b.String()})
	}
	return out, nil
}

// Facts that templates of header fields may name, besides header:NAME.
var headerFacts = []string{"client_ip", "request_id", "host", "method", "path", "query", "scheme", "route", "listener"}

// pathVars are the names that the path of a route gives to templates.
func pathVars(m *Match) []string {
	if m.PathRegex != "" {
		re, err := regexp.Compile(m.PathRegex)
		if err != nil {
			return nil
		}
		return groupVars(re)
	}
	var out []string
	for s := range strings.SplitSeq(m.Path, "/") {
		if s == "*" {
			out = append(out, "*")
		} else if strings.HasPrefix(s, "{") {
			out = append(out, strings.Trim(s, "{}"))
		}
	}
	return out
}

func groupVars(re *regexp.Regexp) []string {
	var out []string
	for i, name := range re.SubexpNames() {
		out = append(out, strconv.Itoa(i))
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}

// template checks that s is a template of the names in known.
func (d *decoder) template(s string, known []string, headers bool, path ...any) {
	parts, err := ParseTemplate(s)
	if err != nil {
		d.report(fmt.Sprintf("%q is not a template", shorten(s)), err.Error(), path...)
		return
	}
	for _, p := range parts {
		if p.Var == "" || slices.Contains(known, p.Var) {
			continue
		}
		if name, ok := strings.CutPrefix(p.Var, "header:"); ok && headers && isToken(name) {
			continue
		}
		_, want := didYouMean(p.Var, known)
		if len(known) == 0 {
			want = "the path of this route has no parameters"
		}
		d.report(fmt.Sprintf("{%s} is not known here", shorten(p.Var)), want, path...)
	}
}
