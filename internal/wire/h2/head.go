package h2

import (
	"bytes"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// maxPseudo is how many pseudo-headers a request can have.
const maxPseudo = 5

// head is a field section while it is checked (RFC 9113 sections 8.2 and 8.3). The decoder has looked at every byte of
// names and values already.
type head struct {
	list *hpack.List
	// What is allowed.
	connect, underscore, trailer bool
	maxPath                      int
	// What was found. length is -1 without Content-Length.
	fields                             []wire.Field
	length                             int64
	method, scheme, authority, path    []byte
	protocol, status                   []byte
	host, priority                     []byte
	expect100                          bool
	cookies, firstCookie, cookiesBytes int
	isRequest                          bool
}

// split separates pseudo-headers from fields.
func (h *head) split() *Error {
	if h.list.Bad != 0 {
		return ErrField
	}
	fields := h.list.Fields
	for i := range fields {
		f := &fields[i]
		if f.Name[0] != ':' {
			h.fields = fields[i:]
			return nil
		}
		if err := h.pseudo(f); err != nil {
			return err
		}
	}
	h.fields = fields[len(fields):]
	return nil
}

func (h *head) pseudo(f *wire.Field) *Error {
	var p *[]byte
	switch string(f.Name) {
	case ":method":
		p = &h.method
	case ":scheme":
		p = &h.scheme
	case ":authority":
		p = &h.authority
	case ":path":
		p = &h.path
	case ":protocol":
		p = &h.protocol
	case ":status":
		if h.isRequest {
			return ErrPseudoUnknown
		}
		if h.status != nil {
			return ErrPseudoTwice
		}
		h.status = notNil(f.Value)
		return nil
	}
	if p == nil || !h.isRequest {
		return ErrPseudoUnknown
	}
	if *p != nil {
		return ErrPseudoTwice
	}
	*p = notNil(f.Value)
	return nil
}

// notNil tells an empty value from one that did not come.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// check looks at every field that is not a pseudo-header.
func (h *head) check() *Error {
	for i := range h.fields {
		f := &h.fields[i]
		if f.ID == wire.FieldOther {
			if f.Name[0] == ':' {
				return ErrPseudoOrder
			}
			if len(f.Name) == len("priority") && string(f.Name) == "priority" {
				h.priority = f.Value
			}
			f.Hop = h.dangerous(f.Name)
			continue
		}
		f.Hop = f.ID.HopByHop()
		if h.trailer {
			f.Hop = !f.ID.TrailerAllowed()
		}
		if err := h.note(i, f); err != nil {
			return err
		}
	}
	if h.cookies > 1 {
		h.joinCookies()
	}
	return nil
}

// note takes in what a well-known field says.
func (h *head) note(i int, f *wire.Field) *Error {
	switch f.ID {
	case wire.FieldConnection, wire.FieldKeepAlive, wire.FieldProxyConnection, wire.FieldTransferEncoding, wire.FieldUpgrade:
		return ErrConnectionField // RFC 9113 section 8.2.2
	case wire.FieldTE:
		if string(f.Value) != "trailers" {
			return ErrTE
		}
	case wire.FieldContentLength:
		if h.trailer {
			return nil
		}
		n, ok := parseLength(f.Value)
		if !ok || h.length >= 0 {
			return ErrLength
		}
		h.length = n
	case wire.FieldHost:
		if h.trailer || !h.isRequest {
			return nil
		}
		if h.host != nil {
			return ErrHostConflict
		}
		h.host = notNil(f.Value)
	case wire.FieldCookie:
		if h.cookies == 0 {
			h.firstCookie = i
		}
		h.cookies++
		h.cookiesBytes += len(f.Value) + len("; ")
	case wire.FieldExpect:
		if h.isRequest {
			if !wire.EqualFold(f.Value, continueText) {
				return ErrExpect
			}
			h.expect100 = true
		}
	}
	return nil
}

var continueText = []byte("100-continue")

// dangerous tells whether a name means another field to servers that turn names into variables, see wire.Limits: names
// with an underscore, and Proxy, which as the CGI variable HTTP_PROXY redirects what the server itself sends.
func (h *head) dangerous(name []byte) bool {
	if !h.isRequest && !h.trailer {
		return false
	}
	if string(name) == "proxy" {
		return true
	}
	return !h.underscore && bytes.IndexByte(name, '_') >= 0
}

// joinCookies puts the crumbs that a client may split a cookie into together again (RFC 9113 section 8.2.3): the first
// cookie field gets all of them, the others are taken out.
func (h *head) joinCookies() {
	b := h.list.Take(h.cookiesBytes - len("; "))
	n, keep := 0, 0
	for i := range h.fields {
		f := h.fields[i]
		if f.ID == wire.FieldCookie {
			if n > 0 {
				n += copy(b[n:], "; ")
			}
			n += copy(b[n:], f.Value)
			if i != h.firstCookie {
				continue
			}
		}
		h.fields[keep] = f
		keep++
	}
	h.fields[h.firstCookie].Value = b
	h.fields = h.fields[:keep]
}

// trailers checks a trailer section (RFC 9113 section 8.1).
func (h *head) trailers() *Error {
	if h.list.Bad != 0 {
		return ErrField
	}
	h.fields = h.list.Fields
	for i := range h.fields {
		if h.fields[i].Name[0] == ':' {
			return ErrTrailerPseudo
		}
	}
	return h.check()
}

// parseLength reads a Content-Length: digits only, of which 18 cannot overflow.
func parseLength(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
