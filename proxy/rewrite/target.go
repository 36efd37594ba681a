package rewrite

import (
	"regexp"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// Target changes where a request goes: path, host and query.
type Target struct {
	// At most one of Prefix, Path and Regex. With stands in place of what Regex matches; its groups are those of Regex.
	Prefix []byte
	Path   *Template
	Regex  *regexp.Regexp
	With   Template
	// Host and Query are nil for no change.
	Host, Query *Template
	DropQuery   bool
}

// ChangesPath tells whether the path becomes another one.
func (t *Target) ChangesPath() bool { return t.Prefix != nil || t.Path != nil || t.Regex != nil }

// AppendPath appends the new path in its normal form. scratch is memory to work in, returned for the next time. The error says that
// what came out is no path.
func (t *Target) AppendPath(dst, scratch []byte, in *Input) (path, used []byte, err *wire.Error) {
	b := scratch[:0]
	switch {
	case t.Prefix != nil:
		b = append(append(b, t.Prefix...), in.Params.Rest...)
	case t.Path != nil:
		b = t.Path.Append(b, in)
	default:
		b = t.replace(b, in)
	}
	// A group of an expression may begin or end in the middle of a segment, so that .. can come out of it.
	path, _, err = wire.NormalizePath(dst, b, wire.NormalizeOptions{})
	return path, b, err
}

func (t *Target) replace(b []byte, in *Input) []byte {
	last := 0
	path := in.Path
	with := Input{X: in.X, Request: in.Request, Path: path, Params: in.Params}
	for _, m := range t.Regex.FindAllSubmatchIndex(path, -1) {
		b = append(b, path[last:m[0]]...)
		with.Groups = with.Groups[:0]
		for g := 0; g < len(m); g += 2 {
			var text []byte
			if m[g] >= 0 {
				text = path[m[g]:m[g+1]]
			}
			with.Groups = append(with.Groups, text)
		}
		b = t.With.Append(b, &with)
		last = m[1]
	}
	return append(b, path[last:]...)
}

// Redirect makes the Location of a redirect.
type Redirect struct {
	Status int
	// Scheme, Host, Path and Prefix: empty or nil keeps that of the request.
	Scheme    string
	Host      *Template
	Path      *Template
	Prefix    []byte
	DropQuery bool
}

// AppendLocation appends the URL.
func (r *Redirect) AppendLocation(dst []byte, in *Input) []byte {
	if r.Scheme != "" || r.Host != nil {
		if r.Scheme != "" {
			dst = append(dst, r.Scheme...)
		} else {
			dst = append(dst, in.X.Down.Client().Scheme...)
		}
		dst = append(dst, "://"...)
		switch {
		case r.Host != nil:
			dst = r.Host.Append(dst, in)
		case r.Scheme != string(in.X.Down.Client().Scheme):
			dst = append(dst, in.Request.Host...) // the port belongs to the other scheme
		default:
			dst = append(dst, in.Request.Authority...)
		}
	}
	switch {
	case r.Path != nil:
		dst = r.Path.Append(dst, in)
	case r.Prefix != nil:
		dst = append(append(dst, r.Prefix...), in.Params.Rest...)
	default:
		dst = append(dst, in.Path...)
	}
	if !r.DropQuery && in.Request.HasQuery {
		dst = append(append(dst, '?'), in.Request.Query...)
	}
	return dst
}
