package snapshot

import (
	"net/netip"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/rewrite"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// asked stands for the client's connection: templates may name what is known of it.
type asked struct {
	exchange.Downstream
	client exchange.Client
}

func (a *asked) Client() *exchange.Client { return &a.client }

// question makes the request that is asked about. It is nil when there is none to be made, and e says why.
func question(q *Question) (r *wire.Request, path []byte, e *Explanation) {
	host, raw, query, hasQuery := splitTarget(q.Target)
	if q.Method == "CONNECT" && raw == q.Target && !strings.HasPrefix(raw, "/") {
		host, raw = raw, "/" // RFC 9112 section 3.2.3: the target is host and port alone
	}
	r = &wire.Request{Method: wire.LookupMethod([]byte(q.Method)), MethodName: []byte(q.Method), Query: []byte(query), HasQuery: hasQuery}
	r.Minor = 1
	for _, h := range q.Headers {
		if strings.EqualFold(h.Name, "host") {
			host = h.Value
		}
		r.Fields = append(r.Fields, wire.Field{Name: []byte(h.Name), Value: []byte(h.Value), ID: wire.LookupField([]byte(h.Name))})
	}
	r.Authority, r.Host = []byte(host), []byte(host)
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		r.Host = r.Host[:i]
	}
	e = &Explanation{Method: q.Method, Host: host, Path: raw, Others: []OtherRoute{}}
	path, _, bad := wire.NormalizePath(nil, []byte(raw), wire.NormalizeOptions{})
	if bad != nil {
		e.Result, e.Reason = "bad_path", bad.Error()
		return nil, nil, e
	}
	e.Path = string(path)
	return r, path, e
}

// splitTarget takes a URL or path apart by hand: net/url would decode the path and costs start-up time.
func splitTarget(target string) (host, path, query string, hasQuery bool) {
	target, _, _ = strings.Cut(target, "#")
	target, query, hasQuery = strings.Cut(target, "?")
	if _, rest, ok := strings.Cut(target, "://"); ok {
		host, path, _ = strings.Cut(rest, "/")
		if _, after, ok := strings.Cut(host, "@"); ok {
			host = after
		}
		return host, "/" + path, query, hasQuery
	}
	return "", target, query, hasQuery
}

func (s *Snapshot) explainRoute(id route.ID, r *wire.Request, path []byte, p *route.Params, q *Question) *ExplainedRoute {
	a, rule := &s.Actions[id], &s.Rules()[id]
	out := &ExplainedRoute{Name: a.Name, Match: matchText(rule), Conditions: conditionTexts(rule.Conditions), Rest: string(p.Rest), MaxBody: a.MaxBody}
	for i, name := range paramNames(rule) {
		if out.Params == nil {
			out.Params = map[string]string{}
		}
		out.Params[name] = string(p.Values[i])
	}
	in := &rewrite.Input{Request: r, Path: path, Params: p}
	client := &asked{client: exchange.Client{IP: []byte("(client)"), Scheme: []byte("http"), Listener: "(listener)"}}
	if q.Source.IsValid() {
		client.client.IP = []byte(q.Source.String())
		client.client.Peer = netip.AddrPortFrom(q.Source, 0)
	}
	if strings.HasPrefix(q.Target, "https://") {
		client.client.Scheme = []byte("https")
	}
	in.X = &exchange.Exchange{Down: client, Route: a.Name}
	t := a.Traffic
	if t == nil {
		t = &Traffic{}
	}
	if t.Regex != nil {
		in.Groups = t.Regex.FindSubmatch(path)
	}
	switch {
	case a.Cluster != nil:
		out.Action, out.Cluster, out.Balance, out.Endpoints = "cluster", a.Cluster.Name, string(a.Cluster.Balance), endpointNames(a.Cluster)
		out.Timeouts = timeouts(a, t, a.Cluster)
	case t.Redirect != nil:
		out.Action, out.Status, out.Location = "redirect", t.Redirect.Status, string(t.Redirect.AppendLocation(nil, in))
	case a.Respond != nil:
		out.Action, out.Status = "respond", a.Respond.Status
	case len(t.Split.Parts) > 0:
		out.Action = "split"
		out.explainSplit(&t.Split)
		out.Timeouts = timeouts(a, t, nil)
	default:
		out.Action = "echo"
	}
	out.Policies = s.policyTexts(a, a.Cluster, r)
	if a.Cluster != nil {
		source := ""
		if q.Source.IsValid() {
			source = q.Source.String()
		}
		out.Endpoint, out.Why = serving(a.Cluster, r, path, source)
	}
	out.Sends = sends(t, in)
	if t.Response != nil {
		t.Response.Response(in)
		out.ResponseFields = editTexts(in.X.Edits)
	}
	if t.Mirror != nil {
		out.Mirror = t.Mirror.Cluster.Name
	}
	return out
}

func endpointNames(c *cluster.Cluster) (out []string) {
	for _, ep := range c.Endpoints {
		out = append(out, ep.Name)
	}
	return out
}

func (r *ExplainedRoute) explainSplit(s *Split) {
	r.SplitBy = [...]string{"chance", "source", "header ", "cookie "}[s.By] + string(s.Name)
	below := uint32(0)
	for i := range s.Parts {
		p := &s.Parts[i]
		r.Split = append(r.Split, SplitShare{Cluster: p.Cluster.Name, Percent: 100 * float64(p.Below-below) / float64(s.Total), Endpoints: endpointNames(p.Cluster)})
		below = p.Below
	}
}

// timeouts are those in force; c is nil when the cluster is not known beforehand.
func timeouts(a *Action, t *Traffic, c *cluster.Cluster) map[string]string {
	out := map[string]string{}
	add := func(name string, route, cluster time.Duration) {
		if route == 0 {
			route = cluster
		}
		if route > 0 {
			out[name] = route.String()
		}
	}
	if c == nil {
		c = &cluster.Cluster{}
	}
	add("connect", t.ConnectTimeout, c.ConnectTimeout)
	add("first_byte", a.FirstByteTimeout, c.FirstByteTimeout)
	add("idle", a.IdleTimeout, c.IdleTimeout)
	add("total", t.TotalTimeout, 0)
	if len(out) == 0 {
		return nil
	}
	return out
}

// sends is what the endpoint sees, nil when that is the request as it is.
func sends(t *Traffic, in *rewrite.Input) *Sends {
	if t.Target == nil && t.Request == nil {
		return nil
	}
	out := &Sends{}
	if g := t.Target; g != nil {
		if g.ChangesPath() {
			path, _, err := g.AppendPath(nil, nil, in)
			out.Path = string(path)
			if err != nil {
				out.Path = "(none: " + err.Error() + ")"
			}
		}
		if g.Host != nil {
			out.Host = string(g.Host.Append(nil, in))
		}
		query := ""
		if g.Query != nil {
			query = strings.TrimRight(string(g.Query.Append(nil, in)), "&")
		}
		if g.Query != nil || g.DropQuery {
			out.Query = &query
		}
	}
	if t.Request != nil {
		out.Fields = t.Request.Texts(in)
	}
	return out
}

// editTexts are changes of fields as - NAME, = NAME: VALUE and + NAME: VALUE.
func editTexts(list []exchange.HeadEdit) (out []string) {
	for i := range list {
		out = append(out, rewrite.EditText(&list[i]))
	}
	return out
}

func conditionTexts(c *route.Conditions) (out []string) {
	if c == nil {
		return nil
	}
	for i := range c.Headers {
		out = append(out, "header "+c.Headers[i].String())
	}
	for i := range c.Query {
		out = append(out, "query "+c.Query[i].String())
	}
	for _, p := range c.Sources {
		out = append(out, "client in "+p.String())
	}
	return out
}

// expression is the regular expression of a rule as it was written.
func (s *Snapshot) expression(i int) string {
	return strings.TrimPrefix(pathText(&s.Rules()[i]), "~")
}

func matchText(r *route.Rule) string {
	host, methods := r.Host, "any method"
	if host == "" || host == "*" {
		host = "any host"
	}
	if len(r.Methods) > 0 {
		methods = strings.Join(r.Methods, ", ")
	}
	return host + ", " + pathText(r) + ", " + methods
}

// pathText is what a rule asks of the path: its pattern, or ~ and its regular expression.
func pathText(r *route.Rule) string {
	if r.Regex == nil {
		return r.Path
	}
	return "~" + strings.TrimSuffix(strings.TrimPrefix(r.Regex.String(), "^(?:"), ")$")
}

func paramNames(r *route.Rule) []string {
	if r.Regex != nil {
		return nil
	}
	return route.ParamNames(r.Path)
}
