package h2

import (
	"bytes"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// request checks the head of a request and converts it (RFC 9113 section 8.3.1). In terms of HTTP/1.1, which wire.Request
// speaks: Target is :path, or :authority for CONNECT; a body without Content-Length is BodyChunked; and for extended
// CONNECT (RFC 8441) Upgrade is :protocol, Form is FormOrigin, and the stream is a tunnel as for any CONNECT. Fields do
// not hold Host unless the client sent it beside or instead of :authority; Authority always says what it is.
func (h *head) request(r *wire.Request, end bool) *Error {
	h.isRequest = true
	if err := h.split(); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	if h.method == nil {
		return ErrPseudoMissing
	}
	if len(h.method) == 0 || len(h.method) > maxMethod {
		return ErrMethod
	}
	for _, c := range h.method {
		if wire.Class[c]&wire.ClassToken == 0 {
			return ErrMethod
		}
	}
	r.MethodName, r.Method = h.method, wire.LookupMethod(h.method)
	r.Scheme, r.Path, r.Query, r.HasQuery = h.scheme, nil, nil, false
	if err := h.target(r); err != nil {
		return err
	}
	r.Head = wire.Head{Fields: h.fields, Length: -1, Minor: 1, KeepAlive: true, Upgrade: h.protocol}
	switch {
	case r.Method == wire.MethodConnect:
		// RFC 9110 section 9.3.6: what follows is a tunnel; a length means nothing, and hints at a mistake.
		if h.length > 0 {
			return ErrLength
		}
		h.length = -1
	case h.length >= 0:
		r.Body, r.Length = wire.BodyLength, h.length
	case !end:
		r.Body = wire.BodyChunked
	}
	r.Expect100 = h.expect100
	return nil
}

// maxMethod is the size of the longest method let through, as in wire/h1.
const maxMethod = 32

// target checks scheme, authority and path.
func (h *head) target(r *wire.Request) *Error {
	plainConnect := r.Method == wire.MethodConnect && h.protocol == nil
	if h.protocol != nil && (!h.connect || r.Method != wire.MethodConnect || len(h.protocol) == 0) {
		return ErrProtocol // RFC 8441 section 4
	}
	if plainConnect { // RFC 9113 section 8.5
		if h.scheme != nil || h.path != nil {
			return ErrPseudoUnknown
		}
		if h.authority == nil {
			return ErrPseudoMissing
		}
		host, port, ok := wire.SplitAuthority(h.authority)
		if !ok || port == nil {
			return ErrAuthority
		}
		if h.host != nil && !wire.EqualFold(h.host, h.authority) && !wire.EqualFold(h.host, host) {
			return ErrHostConflict
		}
		r.Form, r.Target, r.Authority, r.Host = wire.FormAuthority, h.authority, h.authority, host
		return nil
	}
	if h.scheme == nil || h.path == nil {
		return ErrPseudoMissing
	}
	if s := string(h.scheme); s != "https" && s != "http" {
		return ErrScheme
	}
	authority := h.authority
	switch {
	case len(authority) == 0 && len(h.host) == 0:
		return ErrAuthorityMissing // both schemes need one (RFC 9110 section 4.2)
	case len(authority) == 0:
		authority = h.host
	case h.host != nil && !wire.EqualFold(authority, h.host):
		return ErrHostConflict
	}
	host, _, ok := wire.SplitAuthority(authority)
	if !ok {
		return ErrAuthority
	}
	r.Authority, r.Host, r.Target = authority, host, h.path
	return h.splitPath(r)
}

func (h *head) splitPath(r *wire.Request) *Error {
	p := h.path
	if len(p) > h.maxPath {
		return ErrPathLong
	}
	if len(p) == 1 && p[0] == '*' && r.Method == wire.MethodOptions {
		r.Form, r.Path = wire.FormAsterisk, p
		return nil
	}
	if len(p) == 0 || p[0] != '/' {
		return ErrPath
	}
	for _, c := range p {
		if wire.Class[c]&wire.ClassTarget == 0 {
			return ErrPath
		}
	}
	r.Form, r.Path = wire.FormOrigin, p
	if i := bytes.IndexByte(p, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = p[:i:i], p[i+1:], true
	}
	return nil
}
