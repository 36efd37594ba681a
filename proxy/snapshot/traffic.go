package snapshot

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/rewrite"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// Traffic is what a route does with requests besides forwarding them as they are. Most routes have none.
type Traffic struct {
	// Split, when it has parts, takes the place of the route's cluster.
	Split Split
	// Redirect answers.
	Redirect *rewrite.Redirect
	// Target, Request and Response are changes; nil: none.
	Target            *rewrite.Target
	Request, Response *rewrite.Edits
	// Regex gives the groups that templates ask for; nil: none does.
	Regex *regexp.Regexp
	// Mirror is nil without one.
	Mirror *Mirror
	// ConnectTimeout in place of the cluster's, TotalTimeout of the whole exchange; 0: none.
	ConnectTimeout, TotalTimeout time.Duration
	// Policy of trying again in place of the cluster's; nil: none.
	Policy *cluster.RoutePolicy
}

// Split divides requests among clusters.
type Split struct {
	Parts []SplitPart
	// Total of the weights.
	Total uint32
	By    SplitBy
	// Name of the field or cookie that decides.
	Name []byte
	ID   wire.FieldID
}

// SplitPart is a cluster and the upper end of its share: a number below Total belongs to the first part whose Below is larger.
type SplitPart struct {
	Cluster *cluster.Cluster
	Index   int
	Below   uint32
}

// SplitBy is what decides about the part.
type SplitBy uint8

// What a split goes by.
const (
	SplitByChance SplitBy = iota
	SplitBySource
	SplitByHeader
	SplitByCookie
)

// Part is the part for a number, which is taken modulo Total.
func (s *Split) Part(n uint32) *SplitPart {
	n %= s.Total
	for i := range s.Parts {
		if n < s.Parts[i].Below {
			return &s.Parts[i]
		}
	}
	return &s.Parts[len(s.Parts)-1]
}

// Mirror copies requests to another cluster.
type Mirror struct {
	Cluster *cluster.Cluster
	Index   int
	Percent uint32
	// MaxBody in bytes; requests with a larger body are not copied.
	MaxBody int
	Timeout time.Duration
}

// Tracing is what requests carry with them.
type Tracing struct{ RequestID, TraceContext bool }

// traffic makes the Traffic of a route, nil when there is nothing to it.
func (s *Snapshot) traffic(r *config.Route, byName map[string]int) (*Traffic, error) {
	if len(r.Split) == 0 && r.Redirect == nil && r.Rewrite == nil && r.Mirror == nil && r.Retry == nil && r.Timeouts.Connect == 0 && r.Timeouts.Total == 0 &&
		emptyEdits(&r.RequestHeaders) && emptyEdits(&r.ResponseHeaders) {
		return nil, nil
	}
	t := &Traffic{ConnectTimeout: time.Duration(r.Timeouts.Connect), TotalTimeout: time.Duration(r.Timeouts.Total), Policy: routePolicy(r.Retry)}
	find := func(name string) (*cluster.Cluster, int, error) {
		i, ok := byName[name]
		if !ok {
			return nil, 0, fmt.Errorf("route %s: unknown cluster %q", r.Name, name)
		}
		return s.Clusters[i], i, nil
	}
	for _, p := range r.Split {
		cl, i, err := find(p.Cluster)
		if err != nil {
			return nil, err
		}
		t.Split.Total += uint32(p.Weight)
		t.Split.Parts = append(t.Split.Parts, SplitPart{cl, i, t.Split.Total})
	}
	splitBy(&t.Split, r.SplitBy)
	if m := r.Mirror; m != nil {
		cl, i, err := find(m.Cluster)
		if err != nil {
			return nil, err
		}
		t.Mirror = &Mirror{Cluster: cl, Index: i, Percent: uint32(m.Percent), MaxBody: int(m.MaxBody), Timeout: time.Duration(m.Timeout)}
	}
	c := compiler{vars: map[string]rewrite.Part{}}
	if err := c.names(&r.Match); err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, err)
	}
	if r.Redirect != nil {
		t.Redirect = c.redirect(r.Redirect)
	}
	if r.Rewrite != nil {
		t.Target = c.target(r.Rewrite)
	}
	t.Request, t.Response = c.edits(&r.RequestHeaders), c.edits(&r.ResponseHeaders)
	if c.err != nil {
		return nil, fmt.Errorf("route %s: %w", r.Name, c.err)
	}
	if c.groups {
		t.Regex = c.regex
	}
	return t, nil
}

func emptyEdits(e *config.HeaderEdits) bool { return len(e.Remove)+len(e.Set)+len(e.Add) == 0 }

func splitBy(s *Split, by string) {
	kind, name, _ := strings.Cut(by, ":")
	switch kind {
	case "source":
		s.By = SplitBySource
	case "header":
		s.By, s.Name = SplitByHeader, []byte(name)
		s.ID = wire.LookupField(s.Name)
	case "cookie":
		s.By, s.Name = SplitByCookie, []byte(name)
	}
}

// Hash is the number that a value of Split.Name, or a client's address, stands for: the same in every worker and process.
func Hash(value []byte) uint32 {
	h := uint64(14695981039346656037)
	for _, c := range value {
		h = (h ^ uint64(c)) * 1099511628211
	}
	// The low bits of FNV-1a know little of the first bytes.
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}

// compiler turns the templates of one route into those of package rewrite.
type compiler struct {
	vars   map[string]rewrite.Part
	regex  *regexp.Regexp
	groups bool
	err    error
}

// names collects what templates can say about the path.
func (c *compiler) names(m *config.Match) error {
	if m.PathRegex != "" {
		re, err := route.WholeRegex(m.PathRegex)
		if err != nil {
			return err
		}
		c.regex = re
		c.group(re)
		return nil
	}
	n := 0
	for part := range strings.SplitSeq(m.Path, "/") {
		switch {
		case part == "*":
			c.vars["*"] = rewrite.Part{Var: rewrite.Rest}
		case strings.HasPrefix(part, "{"):
			c.vars[strings.Trim(part, "{}")] = rewrite.Part{Var: rewrite.Param, Index: n}
			n++
		}
	}
	return nil
}

func (c *compiler) group(re *regexp.Regexp) {
	for i, name := range re.SubexpNames() {
		c.vars[strconv.Itoa(i)] = rewrite.Part{Var: rewrite.Group, Index: i}
		if name != "" {
			c.vars[name] = rewrite.Part{Var: rewrite.Group, Index: i}
		}
	}
}

func (c *compiler) template(s string) rewrite.Template {
	parts, err := config.ParseTemplate(s)
	if err != nil && c.err == nil {
		c.err = err
	}
	var out []rewrite.Part
	for _, p := range parts {
		part, ok := c.vars[p.Var]
		name, isField := strings.CutPrefix(p.Var, "header:")
		switch fact := rewrite.Facts[p.Var]; {
		case p.Var == "":
			part = rewrite.Part{Text: p.Text}
		case ok:
			c.groups = c.groups || part.Var == rewrite.Group
		case isField:
			part = rewrite.Part{Var: rewrite.Field, Text: name}
		case fact != 0:
			part = rewrite.Part{Var: fact}
		default:
			c.err = fmt.Errorf("{%s} is not known", p.Var)
		}
		out = append(out, part)
	}
	return rewrite.New(out)
}

// optional is nil for an empty template.
func (c *compiler) optional(s string) *rewrite.Template {
	if s == "" {
		return nil
	}
	t := c.template(s)
	return &t
}

func optionalBytes(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func (c *compiler) redirect(r *config.Redirect) *rewrite.Redirect {
	return &rewrite.Redirect{Status: r.Status, Scheme: r.Scheme, Host: c.optional(r.Host), Path: c.optional(r.Path), Prefix: optionalBytes(r.Prefix), DropQuery: r.DropQuery}
}

func (c *compiler) target(r *config.Rewrite) *rewrite.Target {
	t := &rewrite.Target{Prefix: optionalBytes(r.Prefix), Path: c.optional(r.Path), Host: c.optional(r.Host), Query: c.optional(r.Query), DropQuery: r.DropQuery}
	if r.Regex == "" {
		return t
	}
	re, err := regexp.Compile(r.Regex)
	if err != nil {
		c.err = err
		return t
	}
	inner := compiler{vars: map[string]rewrite.Part{}}
	inner.group(re)
	t.Regex, t.With = re, inner.template(r.With)
	if inner.err != nil {
		c.err = inner.err
	}
	return t
}

func (c *compiler) edits(e *config.HeaderEdits) *rewrite.Edits {
	var list []rewrite.Edit
	for _, name := range e.Remove {
		list = append(list, rewrite.Edit{Kind: exchange.RemoveField, Name: name})
	}
	for _, h := range e.Set {
		list = append(list, rewrite.Edit{Kind: exchange.SetField, Name: h.Name, Value: c.template(h.Value)})
	}
	for _, h := range e.Add {
		list = append(list, rewrite.Edit{Kind: exchange.AddField, Name: h.Name, Value: c.template(h.Value)})
	}
	return rewrite.NewEdits(list)
}

// conditions makes what a route asks of requests besides host, path and method.
func conditions(m *config.Match) (*route.Conditions, error) {
	if len(m.Headers)+len(m.Query)+len(m.Source) == 0 {
		return nil, nil
	}
	c := new(route.Conditions)
	for _, l := range []struct {
		from []config.ValueMatch
		to   *[]route.Value
	}{{m.Headers, &c.Headers}, {m.Query, &c.Query}} {
		for i := range l.from {
			v := &l.from[i]
			kind, text := route.Present, ""
			switch {
			case v.Exact != "":
				kind, text = route.Exact, v.Exact
			case v.Prefix != "":
				kind, text = route.Prefix, v.Prefix
			case v.Regex != "":
				kind, text = route.MatchRegex, v.Regex
			case v.Absent:
				kind = route.Absent
			}
			value, err := route.NewValue(v.Name, kind, text)
			if err != nil {
				return nil, err
			}
			*l.to = append(*l.to, value)
		}
	}
	for _, s := range m.Source {
		p, err := config.ParseNetwork(s)
		if err != nil {
			return nil, err
		}
		c.Sources = append(c.Sources, p)
	}
	return c, nil
}

// editedHeaders are the fields of a response without those that edits take away or put others in place of.
func editedHeaders(h config.Headers, e *rewrite.Edits) config.Headers {
	if e == nil {
		return h
	}
	out := slices.Clone(h)
	for _, d := range e.List() {
		if d.Kind != exchange.AddField {
			out = slices.DeleteFunc(out, func(x config.Header) bool { return strings.EqualFold(x.Name, d.Name) })
		}
	}
	return out
}
