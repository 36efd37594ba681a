package main

import (
	"fmt"
	"io"
	"strings"
)

// writeText shows the changes, and what each of them does to connections.
func (p *plan) writeText(out io.Writer) error {
	var b strings.Builder
	if !p.Changes {
		b.WriteString("nothing changes\n")
	}
	writeSection(&b, "listeners", &p.Listeners, map[string]string{
		effectOpens:    "begins to accept",
		effectKept:     "keeps its sockets and connections",
		effectReplaced: "the old address closes, its connections end after their request; the new one begins to accept",
		effectClosed:   "closes, its connections end after their request",
	})
	writeSection(&b, "clusters", &p.Clusters, map[string]string{
		effectKept:     "keeps its connections",
		effectReplaced: "its connections are replaced, each closes after its requests",
		effectClosed:   "its connections close after their requests",
	})
	writeSection(&b, "routes", &p.Routes, nil)
	if len(p.Settings) > 0 {
		b.WriteString("settings:\n")
		writeKeys(&b, "  ", p.Settings)
	}
	if p.WorkersLate > 0 {
		fmt.Fprintf(&b, "%d workers were too busy to say what they carry: it is more than stands here\n", p.WorkersLate)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeSection(b *strings.Builder, what string, s *planSection, effects map[string]string) {
	if len(s.Added)+len(s.Removed)+len(s.Changed) == 0 {
		return
	}
	fmt.Fprintf(b, "%s: %d added, %d changed, %d removed, %d as before\n", what, len(s.Added), len(s.Changed), len(s.Removed), s.Unchanged)
	write := func(sign string, list []planItem) {
		for i := range list {
			x := &list[i]
			fmt.Fprintf(b, "  %s %s", sign, x.Name)
			if text := effects[x.Effect]; text != "" {
				b.WriteString(": " + text)
			}
			if x.Load != nil {
				b.WriteString(" (" + x.Load.text() + ")")
			}
			b.WriteByte('\n')
			for _, e := range x.Gone {
				fmt.Fprintf(b, "      %s goes, its connections close after their requests", e.Name)
				if e.Connections != nil {
					fmt.Fprintf(b, " (%d open, %d in flight)", *e.Connections, *e.Active)
				}
				b.WriteByte('\n')
			}
			writeKeys(b, "      ", x.Keys)
		}
	}
	write("+", s.Added)
	write("~", s.Changed)
	write("-", s.Removed)
}

// text is what is there now, without what is not.
func (l *planLoad) text() string {
	text := count(l.Connections, "open connection")
	for _, p := range []struct {
		n    int64
		what string
	}{{l.Requests, "request"}, {l.Tunnels, "tunnel"}} {
		if p.n > 0 {
			text += ", " + count(p.n, p.what)
		}
	}
	if l.Requests+l.Tunnels > 0 {
		text += " in flight"
	}
	return text
}

func count(n int64, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

func writeKeys(b *strings.Builder, indent string, keys []planKey) {
	text := func(s string) string {
		if s == "" {
			return "(not given)"
		}
		return s
	}
	for _, k := range keys {
		fmt.Fprintf(b, "%s%s: %s → %s\n", indent, k.Key, text(k.Old), text(k.New))
	}
	for _, k := range keys {
		if k.Restart {
			fmt.Fprintf(b, "%s%s needs a restart\n", indent, k.Key)
		}
	}
}
