package archtest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Documents are the Markdown files for people: everything outside of results.
func (s Sources) Documents() map[string]string {
	docs := map[string]string{}
	for file, text := range s {
		if strings.HasSuffix(file, ".md") {
			docs[file] = string(text)
		}
	}
	return docs
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	target  = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):.*?(?:## *(.*))?$`)
)

// Links returns the links of a document that lead nowhere. exists tells whether a path from the root is there; links to other
// sites are not followed.
func Links(file, text string, docs map[string]string, exists func(string) bool) []string {
	var bad []string
	for _, m := range link.FindAllStringSubmatch(withoutCode(text), -1) {
		to, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
			continue
		}
		p := file
		if to != "" {
			p = path.Join(path.Dir(file), to)
		}
		if !exists(p) {
			bad = append(bad, fmt.Sprintf("%s: link to %s, which does not exist", file, m[1]))
			continue
		}
		if doc, ok := docs[p]; ok && anchor != "" && !slices.Contains(anchors(doc), anchor) {
			bad = append(bad, fmt.Sprintf("%s: link to %s, but there is no such heading", file, m[1]))
		}
	}
	return bad
}

// anchors are the names GitHub gives to the headings of a document.
func anchors(doc string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(withoutCode(doc), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r > 127 && r != '–' && r != '…' && r != '’':
				return r
			}
			return -1
		}, strings.ToLower(strings.TrimSpace(m[1])))
		names = append(names, name)
	}
	return names
}

// withoutCode removes fenced blocks.
func withoutCode(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
			continue
		}
		if !inside {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Commands returns the command lines in the sh blocks of a document: comments stripped, continued lines joined.
func Commands(text string) []string {
	var out []string
	inside := false
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if lang, ok := strings.CutPrefix(line, "```"); ok {
			inside = !inside && lang == "sh"
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		if line = strings.TrimSpace(line); inside && line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

// Use is how a document uses one of our programs.
type Use struct {
	Program, Subcommand string
	Flags               []string
}

var (
	flagName = regexp.MustCompile(`^(--[a-z][a-z0-9-]*|-[a-zA-Z])(=.*)?$`)
	word     = regexp.MustCompile(`^[a-z]+$`)
)

// OurUses finds the uses of our programs in a command line, piped and chained ones included.
func OurUses(command string) []Use {
	var uses []Use
	for part := range strings.FieldsFuncSeq(command, func(r rune) bool { return r == '|' || r == ';' || r == '&' }) {
		fields := strings.Fields(part)
		for len(fields) > 0 && (fields[0] == "sudo" || strings.Contains(fields[0], "=")) {
			fields = fields[1:]
		}
		if len(fields) == 0 {
			continue
		}
		u := Use{Program: path.Base(fields[0])}
		if !slices.Contains([]string{"blitz", "blitzload", "blitzlab"}, u.Program) {
			continue
		}
		for _, f := range fields[1:] {
			if m := flagName.FindStringSubmatch(f); m != nil {
				u.Flags = append(u.Flags, m[1])
			} else if u.Subcommand == "" && len(u.Flags) == 0 && word.MatchString(f) {
				u.Subcommand = f
			}
		}
		uses = append(uses, u)
	}
	return uses
}

// MakeTargets are the targets a document may name: those with a help text.
func MakeTargets(makefile string) []string {
	var names []string
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		if m[2] != "" {
			names = append(names, m[1])
		}
	}
	return names
}
