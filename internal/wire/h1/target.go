package h1

import (
	"bytes"

	"github.com/blitz-gateway/blitz/internal/wire"
)

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// parseTarget takes the target apart (RFC 9112 section 3.2): form, scheme, authority, path and query. Authority and
// Host stay empty for the forms that leave them to the Host field.
func parseTarget(r *wire.Request) *wire.Error {
	r.Scheme, r.Authority, r.Host, r.Query, r.HasQuery = nil, nil, nil, nil, false
	t := r.Target
	if r.Method == wire.MethodConnect {
		host, port, ok := wire.SplitAuthority(t)
		if !ok || port == nil {
			return ErrAuthority
		}
		r.Form, r.Authority, r.Host, r.Path = wire.FormAuthority, t, host, nil
		return nil
	}
	if t[0] == '/' {
		r.Form = wire.FormOrigin
		splitQuery(r, t)
		return nil
	}
	if len(t) == 1 && t[0] == '*' && r.Method == wire.MethodOptions {
		r.Form, r.Path = wire.FormAsterisk, t
		return nil
	}
	scheme := schemeSize(t)
	if scheme == 0 {
		return ErrTargetForm
	}
	r.Form, r.Scheme = wire.FormAbsolute, t[:scheme]
	rest := t[scheme+len("://"):]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, _, ok := wire.SplitAuthority(rest[:end])
	if !ok {
		return ErrAuthority
	}
	r.Authority, r.Host = rest[:end], host
	splitQuery(r, rest[end:])
	if len(r.Path) == 0 {
		r.Path = slash
		if r.Method == wire.MethodOptions && !r.HasQuery {
			r.Path = asterisk // RFC 9112 section 3.2.4
		}
	}
	return nil
}

// splitQuery sets path and query from what follows the authority.
func splitQuery(r *wire.Request, t []byte) {
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = t[:i:i], t[i+1:], true
		return
	}
	r.Path = t
}

// schemeSize returns the size of "http" or "https" when t begins with it and "://", otherwise 0.
func schemeSize(t []byte) int {
	for _, s := range [...]string{"http", "https"} {
		if n := len(s); len(t) > n+3 && equalLower(t[:n], s) && string(t[n:n+3]) == "://" {
			return n
		}
	}
	return 0
}

// resolveHost checks the Host field (RFC 9110 section 7.2, RFC 9112 section 3.2) against the target. RFC 9112 section
// 3.2.2 lets the target win; but behind a proxy that lets the field win we would route elsewhere than it decided, so
// a conflict is refused.
func resolveHost(r *wire.Request, field []byte) *wire.Error {
	if field == nil {
		if r.Minor >= 1 {
			return ErrHostMissing
		}
		return nil
	}
	host, _, ok := wire.SplitAuthority(field)
	if !ok {
		return ErrHost
	}
	if r.Authority == nil {
		r.Authority, r.Host = field, host
		return nil
	}
	// Some clients leave out the port in the Host field of CONNECT.
	if wire.EqualFold(r.Authority, field) || r.Form == wire.FormAuthority && wire.EqualFold(r.Host, field) {
		return nil
	}
	return ErrHostConflict
}
