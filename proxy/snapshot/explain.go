package snapshot

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// Explanation says which route a request would take, and why the others would not be taken.
type Explanation struct {
	Method string `json:"method"`
	Host   string `json:"host"`
	// Path is the normal form, in which paths are compared and forwarded.
	Path string `json:"path"`
	// Result is "found", "not_found" (404), "method_not_allowed" (405) or "bad_path" (400).
	Result string `json:"result"`
	// Reason belongs to "bad_path".
	Reason string `json:"reason,omitempty"`
	// Allow lists the methods that would match, for "method_not_allowed".
	Allow string `json:"allow,omitempty"`
	// Route that was found.
	Route *ExplainedRoute `json:"route,omitempty"`
	// Others are all other routes, in the order of the file.
	Others []OtherRoute `json:"others"`
}

// ExplainedRoute is the route that a request takes, and what happens there.
type ExplainedRoute struct {
	Name  string `json:"name"`
	Match string `json:"match"`
	// Params are the parts of the path that the pattern left open; Rest is what * stands for.
	Params map[string]string `json:"params,omitempty"`
	Rest   string            `json:"rest,omitempty"`
	// Action is "cluster", "respond" or "echo".
	Action string `json:"action"`
	// Cluster, Balance and Endpoints belong to "cluster".
	Cluster   string   `json:"cluster,omitempty"`
	Balance   string   `json:"balance,omitempty"`
	Endpoints []string `json:"endpoints,omitempty"`
	// Status belongs to "respond".
	Status int `json:"status,omitempty"`
}

// OtherRoute is a route that the request does not take.
type OtherRoute struct {
	Name string `json:"name"`
	// Reason in words.
	Reason string `json:"reason"`
	// Part that decided: "host", "path" or "method".
	Part string `json:"part"`
	// Matches is true for a route that would serve the request if there were not a more specific one.
	Matches bool `json:"matches"`
}

// Explain tells what a request would do. target is a URL or a path; a query and a fragment are ignored. host is the Host
// field, "" to take it from the URL.
func Explain(s *Snapshot, method, target, host string) *Explanation {
	urlHost, path := splitTarget(target)
	if host == "" {
		host = urlHost
	}
	e := &Explanation{Method: method, Host: host, Path: path, Others: []OtherRoute{}}
	norm, _, bad := wire.NormalizePath(nil, []byte(path), wire.NormalizeOptions{})
	if bad != nil {
		e.Result, e.Reason = "bad_path", bad.Error()
		return e
	}
	e.Path = string(norm)
	var p route.Params
	id, result := s.Table.Lookup([]byte(host), norm, wire.LookupMethod([]byte(method)), []byte(method), &p)
	switch result {
	case route.Found:
		e.Result = "found"
		e.Route = s.explainRoute(id, &p)
	case route.MethodNotAllowed:
		e.Result = "method_not_allowed"
		e.Allow = string(s.Table.AppendAllow(nil, []byte(host), norm))
	case route.NotFound:
		e.Result = "not_found"
	}
	for i := range s.Rules {
		if route.ID(i) != id {
			e.Others = append(e.Others, s.why(i, id, e))
		}
	}
	return e
}

// splitTarget takes a URL or path apart by hand: net/url would decode the path and costs start-up time.
func splitTarget(target string) (host, path string) {
	target, _, _ = strings.Cut(target, "#")
	target, _, _ = strings.Cut(target, "?")
	if _, rest, ok := strings.Cut(target, "://"); ok {
		host, path, _ = strings.Cut(rest, "/")
		if _, after, ok := strings.Cut(host, "@"); ok {
			host = after
		}
		return host, "/" + path
	}
	return "", target
}

func (s *Snapshot) explainRoute(id route.ID, p *route.Params) *ExplainedRoute {
	a := &s.Actions[id]
	r := &ExplainedRoute{Name: a.Name, Match: matchText(&s.Rules[id]), Rest: string(p.Rest)}
	for i, name := range s.Table.ParamNames(id) {
		if r.Params == nil {
			r.Params = map[string]string{}
		}
		r.Params[name] = string(p.Values[i])
	}
	switch {
	case a.Cluster != nil:
		r.Action, r.Cluster, r.Balance = "cluster", a.Cluster.Name, string(a.Cluster.Balance)
		for _, ep := range a.Cluster.Endpoints {
			r.Endpoints = append(r.Endpoints, ep.Name)
		}
	case a.Respond != nil:
		r.Action, r.Status = "respond", a.Respond.Status
	default:
		r.Action = "echo"
	}
	return r
}

// why says why rule i was not taken; taken is the one that was, or route.None.
func (s *Snapshot) why(i int, taken route.ID, e *Explanation) OtherRoute {
	r := &s.Rules[i]
	o := OtherRoute{Name: s.Actions[i].Name}
	switch {
	case !route.MatchHost(r.Host, e.Host):
		o.Part, o.Reason = "host", fmt.Sprintf("host %q is not %s", e.Host, r.Host)
	case !route.MatchPath(r.Path, e.Path):
		o.Part, o.Reason = "path", fmt.Sprintf("path %s is not %s", e.Path, r.Path)
		if r.Path == e.Path+"/*" {
			o.Reason += " (which needs a slash after " + e.Path + ")"
		}
	case !route.MatchMethod(r.Methods, e.Method):
		o.Part, o.Reason = "method", fmt.Sprintf("method %s is not %s", e.Method, strings.Join(r.Methods, " or "))
	default:
		_, part := route.Compare(&s.Rules[taken], r, e.Method)
		o.Part, o.Matches = string(part), true
		o.Reason = fmt.Sprintf("it matches too, but the %s of %s is more specific", part, s.Actions[taken].Name)
	}
	return o
}

func matchText(r *route.Rule) string {
	host, methods := r.Host, "any method"
	if host == "" || host == "*" {
		host = "any host"
	}
	if len(r.Methods) > 0 {
		methods = strings.Join(r.Methods, ", ")
	}
	return host + ", " + r.Path + ", " + methods
}

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
		switch r.Action {
		case "cluster":
			fmt.Fprintf(&b, "  forwards to cluster %s, %s over %s\n", r.Cluster, r.Balance, strings.Join(r.Endpoints, ", "))
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
