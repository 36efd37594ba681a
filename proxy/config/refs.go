package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSecret bounds a file that a value refers to.
const maxSecret = 64 << 10

// secret is a value that came from a reference.
type secret struct {
	value, ref string
	at         *node
}

// expand puts in what the references in a string stand for: ${NAME} and ${NAME:-default} for environment variables, ${file:path} for
// a file's content without its last newline. $${ is ${. v is where the string goes.
func (d *decoder) expand(n *node, v any) *node {
	var b strings.Builder
	rest, referred := n.text, false
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			break
		}
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		name, after, ok := strings.Cut(rest[i+2:], "}")
		if !ok {
			d.problem(n, "a reference without its closing brace", "expected ${NAME}, ${NAME:-default} or ${file:path}; $${ is ${")
			return n
		}
		value, ok := d.lookUp(n, name)
		if !ok {
			return nil
		}
		b.WriteString(value)
		referred = true
		rest = after
	}
	b.WriteString(rest)
	out := *n
	out.text = b.String()
	if referred && out.text != "" {
		d.secrets = append(d.secrets, secret{out.text, n.text, n})
	}
	if d.refs == nil {
		d.refs = map[any]string{}
	}
	d.refs[v] = n.text
	return &out
}

// lookUp finds what one reference stands for. When it is nothing, that is a problem.
func (d *decoder) lookUp(n *node, name string) (string, bool) {
	if path, ok := strings.CutPrefix(name, "file:"); ok {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(d.files[n.file]), path)
		}
		d.looked.add(path)
		value, err := readSecret(path)
		if err != nil {
			d.problem(n, err.Error(), fmt.Sprintf("expected a text file of at most %d bytes", maxSecret))
			return "", false
		}
		return value, true
	}
	name, standard, hasDefault := strings.Cut(name, ":-")
	if !isName(name) {
		d.problem(n, fmt.Sprintf("${%s} is not a reference", shorten(name)), "expected ${NAME}, ${NAME:-default} or ${file:path}; $${ is ${")
		return "", false
	}
	value := os.Getenv(name)
	if value == "" && !hasDefault {
		d.problem(n, fmt.Sprintf("environment variable %s is not set", name), fmt.Sprintf("expected a value, or a default as in ${%s:-value}", name))
		return "", false
	}
	if value == "" {
		return standard, true
	}
	return value, true
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecret || !utf8.Valid(b):
		return "", fmt.Errorf("%s is not a small text file", path)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

// hide puts the references back into messages that would show what they stand for.
func (d *decoder) hide() {
	const mark = "\x00"
	for i := range d.problems {
		p := &d.problems[i]
		for _, s := range d.secrets {
			own := int(s.at.line) == p.Line && int(s.at.col) == p.Column && s.at.file == p.file
			if !own && len(s.value) < 4 {
				continue // too short to be one, and it would be found everywhere
			}
			q := func(v string) string { return strings.Trim(fmt.Sprintf("%q", v), `"`) }
			for _, form := range []string{s.value, shorten(s.value), q(s.value), q(shorten(s.value))} {
				p.What = strings.ReplaceAll(p.What, form, mark)
				p.Want = strings.ReplaceAll(p.Want, form, mark)
			}
			p.What = strings.ReplaceAll(p.What, mark, s.ref)
			p.Want = strings.ReplaceAll(p.Want, mark, s.ref)
		}
	}
}

// Shown is a match of c as operators are shown it: with references in place of what they stand for.
func (c *Config) Shown(m *Match) Match { return withReferences(m, c.refs) }

func withReferences(m *Match, refs map[any]string) Match {
	out := *m
	if len(refs) == 0 {
		return out
	}
	as := func(s *string) string {
		if ref, ok := refs[s]; ok {
			return ref
		}
		return *s
	}
	each := func(list []string) []string {
		to := make([]string, len(list))
		for i := range list {
			to[i] = as(&list[i])
		}
		return to
	}
	conditions := func(list []ValueMatch) []ValueMatch {
		to := slices.Clone(list)
		for i := range list {
			v := &list[i]
			to[i].Name, to[i].Exact, to[i].Prefix, to[i].Regex = as(&v.Name), as(&v.Exact), as(&v.Prefix), as(&v.Regex)
		}
		return to
	}
	out.Host, out.Path, out.PathRegex = as(&m.Host), as(&m.Path), as(&m.PathRegex)
	out.Methods, out.Source = each(m.Methods), each(m.Source)
	out.Headers, out.Query = conditions(m.Headers), conditions(m.Query)
	return out
}
