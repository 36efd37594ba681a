package snapshot

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// WriteText writes the explanation for people.
func (e *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	host := e.Host
	if host == "" {
		host = "(no host)"
	}
	fmt.Fprintf(&b, "%s %s %s\n", e.Method, host, e.Path)
	switch r := e.Route; {
	case e.Result == "bad_path":
		fmt.Fprintf(&b, "→ 400: %s\n", e.Reason)
	case e.Result == "method_not_allowed":
		fmt.Fprintf(&b, "→ 405: routes match host and path, but not the method; allowed: %s\n", e.Allow)
	case r == nil:
		b.WriteString("→ 404: no route matches\n")
	default:
		fmt.Fprintf(&b, "→ route %s (%s)\n", r.Name, r.Match)
		for _, c := range r.Conditions {
			fmt.Fprintf(&b, "  because of %s\n", c)
		}
		switch r.Action {
		case "cluster":
			fmt.Fprintf(&b, "  forwards to cluster %s, %s over %s\n", r.Cluster, r.Balance, strings.Join(r.Endpoints, ", "))
		case "split":
			fmt.Fprintf(&b, "  forwards to one of several clusters, by %s\n", r.SplitBy)
			for _, p := range r.Split {
				fmt.Fprintf(&b, "    %5.1f %%  %s over %s\n", p.Percent, p.Cluster, strings.Join(p.Endpoints, ", "))
			}
		case "redirect":
			fmt.Fprintf(&b, "  redirects with %d to %s\n", r.Status, r.Location)
		case "respond":
			fmt.Fprintf(&b, "  answers %d from the configuration\n", r.Status)
		default:
			b.WriteString("  answers with the request's own body\n")
		}
		for _, name := range slices.Sorted(maps.Keys(r.Params)) {
			fmt.Fprintf(&b, "  {%s} is %s\n", name, r.Params[name])
		}
		if r.Rest != "" {
			fmt.Fprintf(&b, "  * is %s\n", r.Rest)
		}
		r.writeTraffic(&b)
	}
	if len(e.Others) > 0 {
		b.WriteString("not taken:\n")
	}
	width := 0
	for _, o := range e.Others {
		width = min(max(width, utf8.RuneCountInString(o.Name)), 40)
	}
	for _, o := range e.Others {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, o.Name, o.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeTraffic writes what else is done with the request.
func (r *ExplainedRoute) writeTraffic(b *strings.Builder) {
	if s := r.Sends; s != nil {
		if s.Path != "" {
			fmt.Fprintf(b, "  sends path %s\n", s.Path)
		}
		if s.Host != "" {
			fmt.Fprintf(b, "  sends host %s\n", s.Host)
		}
		switch {
		case s.Query != nil && *s.Query == "":
			b.WriteString("  sends no query\n")
		case s.Query != nil:
			fmt.Fprintf(b, "  sends query %s\n", *s.Query)
		}
		for _, f := range s.Fields {
			fmt.Fprintf(b, "  request  %s\n", f)
		}
	}
	for _, f := range r.ResponseFields {
		fmt.Fprintf(b, "  response %s\n", f)
	}
	if r.Mirror != "" {
		fmt.Fprintf(b, "  copies to cluster %s\n", r.Mirror)
	}
	switch {
	case r.Endpoint != "" && len(r.Endpoints) > 1:
		fmt.Fprintf(b, "  endpoint %s, if it is healthy: %s\n", r.Endpoint, r.Why)
	case r.Endpoint == "" && r.Why != "":
		fmt.Fprintf(b, "  endpoint: %s\n", r.Why)
	}
	for _, p := range r.Policies {
		fmt.Fprintf(b, "  %s\n", p)
	}
	if len(r.Timeouts) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(r.Timeouts)) {
			list = append(list, name+" "+r.Timeouts[name])
		}
		fmt.Fprintf(b, "  timeouts: %s\n", strings.Join(list, ", "))
	}
	if r.MaxBody > 0 {
		fmt.Fprintf(b, "  request bodies up to %d bytes\n", r.MaxBody)
	}
}
