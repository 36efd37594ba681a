// Package rewrite changes heads: the target, host and fields of a request before it goes to an endpoint, the fields of a response before it goes to
// the client, and the Location of redirects. It works on the version-neutral heads of package wire, so every protocol gets
// the same. It imports wire, exchange and, for the parameters of paths, route.
//
// Everything here is immutable once built and is used by all workers. Nothing allocates per request, except for regular expressions: their
// groups cost one small allocation.
package rewrite

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// Var is something that a template puts in.
type Var uint8

// What templates can put in. Param and Group have an index, Field has a name.
const (
	Literal Var = iota
	Param
	Rest
	Group
	Field
	ClientIP
	RequestID
	Host
	Method
	Path
	Query
	Scheme
	Route
	Listener
)

// Facts names the variables that need nothing else.
var Facts = map[string]Var{
	"client_ip": ClientIP, "request_id": RequestID, "host": Host, "method": Method, "path": Path, "query": Query,
	"scheme": Scheme, "route": Route, "listener": Listener,
}

// Part is a piece of a template.
type Part struct {
	Var Var
	// Text of a Literal, or the name of a Field.
	Text string
	// Index of a Param or Group.
	Index int

	id   wire.FieldID
	name []byte
}

// Template is a text with places to fill in.
type Template struct{ parts []Part }

// New makes a template.
func New(parts []Part) Template {
	for i := range parts {
		if p := &parts[i]; p.Var == Field {
			p.name = []byte(p.Text)
			p.id = wire.LookupField(p.name)
		}
	}
	return Template{parts}
}

// Empty tells whether the template has no parts at all.
func (t *Template) Empty() bool { return len(t.parts) == 0 }

// Static tells whether the template is the same for all requests, and its text.
func (t *Template) Static() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].Var == Literal:
		return t.parts[0].Text, true
	}
	return "", false
}

// Groups tells whether the template needs the groups of the route's regular expression.
func (t *Template) Groups() bool {
	for i := range t.parts {
		if t.parts[i].Var == Group {
			return true
		}
	}
	return false
}

// Input is the request that a template is filled in for. All slices are borrowed.
type Input struct {
	X       *exchange.Exchange
	Request *wire.Request
	// Path in normal form, as it was matched.
	Path   []byte
	Params *route.Params
	// Groups of the route's regular expression, when it has one and a template asks for them.
	Groups [][]byte
}

// Append appends the template, filled in.
func (t *Template) Append(dst []byte, in *Input) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		switch p.Var {
		case Literal:
			dst = append(dst, p.Text...)
		case Param:
			if p.Index < in.Params.N {
				dst = append(dst, in.Params.Values[p.Index]...)
			}
		case Rest:
			dst = append(dst, in.Params.Rest...)
		case Group:
			if p.Index < len(in.Groups) {
				dst = append(dst, in.Groups[p.Index]...)
			}
		case Field:
			for k := range in.Request.Fields {
				if f := &in.Request.Fields[k]; f.ID == p.id && (f.ID != wire.FieldOther || wire.EqualFold(f.Name, p.name)) {
					dst = append(dst, f.Value...)
					break
				}
			}
		case ClientIP:
			dst = append(dst, in.X.Down.Client().IP...)
		case RequestID:
			dst = append(dst, in.Request.Get(wire.FieldXRequestID)...)
		case Host:
			dst = append(dst, in.Request.Host...)
		case Method:
			dst = append(dst, in.Request.MethodName...)
		case Path:
			dst = append(dst, in.Path...)
		case Query:
			dst = append(dst, in.Request.Query...)
		case Scheme:
			dst = append(dst, in.X.Down.Client().Scheme...)
		case Route:
			dst = append(dst, in.X.Route...)
		case Listener:
			dst = append(dst, in.X.Down.Client().Listener...)
		}
	}
	return dst
}
