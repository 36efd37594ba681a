package snapshot

import (
	"fmt"
	"net/netip"
	"strings"

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
	// Conditions besides host, path and method.
	Conditions []string `json:"conditions,omitempty"`
	// Action is "cluster", "split", "redirect", "respond" or "echo".
	Action string `json:"action"`
	// Cluster, Balance and Endpoints belong to "cluster".
	Cluster   string   `json:"cluster,omitempty"`
	Balance   string   `json:"balance,omitempty"`
	Endpoints []string `json:"endpoints,omitempty"`
	// Endpoint that would serve the request if all were healthy, "" when that is not decided by the request; Why says how.
	Endpoint string `json:"endpoint,omitempty"`
	Why      string `json:"why,omitempty"`
	// Policies are what else holds, as sentences.
	Policies []string `json:"policies,omitempty"`
	// Split lists the clusters of "split" and their shares; one of them is chosen by SplitBy.
	Split   []SplitShare `json:"split,omitempty"`
	SplitBy string       `json:"split_by,omitempty"`
	// Status belongs to "respond" and "redirect", Location to "redirect".
	Status   int    `json:"status,omitempty"`
	Location string `json:"location,omitempty"`
	// Sends is what the endpoint sees where that differs from the request.
	Sends *Sends `json:"sends,omitempty"`
	// ResponseFields are changes of the response's fields.
	ResponseFields []string `json:"response_fields,omitempty"`
	// Mirror says where a copy goes.
	Mirror string `json:"mirror,omitempty"`
	// Timeouts by name, with the cluster's where the route has none.
	Timeouts map[string]string `json:"timeouts,omitempty"`
	// MaxBody is the largest request body in bytes that the route allows; 0: that of the listener.
	MaxBody int64 `json:"max_body,omitempty"`
}

// SplitShare is one cluster of a split.
type SplitShare struct {
	Cluster   string   `json:"cluster"`
	Percent   float64  `json:"percent"`
	Endpoints []string `json:"endpoints"`
}

// Sends is what an endpoint sees of a request.
type Sends struct {
	Path   string   `json:"path,omitempty"`
	Host   string   `json:"host,omitempty"`
	Query  *string  `json:"query,omitempty"`
	Fields []string `json:"fields,omitempty"`
}

// Question is the request that Explain is asked about.
type Question struct {
	Method string
	// Target is a URL or a path.
	Target string
	// Headers are fields, Host among them if the target has no host.
	Headers []Header
	// Source is the client's address, invalid when it is not known.
	Source netip.Addr
}

// Header is one field.
type Header struct{ Name, Value string }

// OtherRoute is a route that the request does not take.
type OtherRoute struct {
	Name string `json:"name"`
	// Reason in words.
	Reason string `json:"reason"`
	// Part that decided: "host", "path", "method", "headers", "query", "source" or "order".
	Part string `json:"part"`
	// Matches is true for a route that would serve the request if there were not a more specific one.
	Matches bool `json:"matches"`
}

// Explain tells what a request would do.
func Explain(s *Snapshot, q *Question) *Explanation {
	r, path, e := question(q)
	if r == nil {
		return e
	}
	find := route.Request{Host: r.Host, Path: path, Method: r.Method, MethodName: r.MethodName, Fields: r.Fields, Query: r.Query, Source: q.Source}
	var p route.Params
	id, result := s.Table.Find(&find, &p)
	switch result {
	case route.Found:
		e.Result = "found"
		e.Route = s.explainRoute(id, r, path, &p, q)
	case route.MethodNotAllowed:
		e.Result = "method_not_allowed"
		e.Allow = string(s.Table.AppendAllow(nil, &find))
	case route.NotFound:
		e.Result = "not_found"
	}
	for i := range s.Rules() {
		if route.ID(i) != id {
			e.Others = append(e.Others, s.why(i, id, e, &find))
		}
	}
	return e
}

// why says why rule i was not taken; taken is the one that was, or route.None.
func (s *Snapshot) why(i int, taken route.ID, e *Explanation, q *route.Request) OtherRoute {
	r := &s.Rules()[i]
	o := OtherRoute{Name: s.Actions[i].Name}
	unmet, condition := r.Conditions.Unmet(q)
	switch {
	case !route.MatchHost(r.Host, e.Host):
		o.Part, o.Reason = "host", fmt.Sprintf("host %q is not %s", e.Host, r.Host)
	case r.Regex != nil && !r.Regex.MatchString(e.Path):
		o.Part, o.Reason = "path", fmt.Sprintf("path %s does not match %s", e.Path, s.expression(i))
	case r.Regex == nil && !route.MatchPath(r.Path, e.Path):
		o.Part, o.Reason = "path", fmt.Sprintf("path %s is not %s", e.Path, r.Path)
		if r.Path == e.Path+"/*" {
			o.Reason += " (which needs a slash after " + e.Path + ")"
		}
	case !route.MatchMethod(r.Methods, e.Method):
		o.Part, o.Reason = "method", fmt.Sprintf("method %s is not %s", e.Method, strings.Join(r.Methods, " or "))
	case unmet != route.Same:
		o.Part, o.Reason = string(unmet), unmetText(unmet, condition)
	default:
		_, part := route.Compare(&s.Rules()[taken], r, e.Method)
		o.Part, o.Matches = string(part), true
		switch name := s.Actions[taken].Name; part {
		case route.Headers, route.Query:
			o.Reason = fmt.Sprintf("it matches too, but %s has more conditions on %s", name, part)
		case route.Source:
			o.Reason = fmt.Sprintf("it matches too, but %s asks for the client's network", name)
		case route.Order:
			o.Reason = fmt.Sprintf("it matches too, but %s comes first in the file", name)
		default:
			o.Reason = fmt.Sprintf("it matches too, but the %s of %s is more specific", part, name)
		}
	}
	return o
}

func unmetText(part route.Part, condition string) string {
	switch part {
	case route.Headers:
		return "the request's fields lack " + condition
	case route.Query:
		return "the query lacks " + condition
	}
	return "the client is not in " + condition
}
