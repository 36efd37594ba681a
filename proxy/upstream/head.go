package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

var (
	nameHost      = []byte("host")
	nameXFF       = []byte("x-forwarded-for")
	nameXFP       = []byte("x-forwarded-proto")
	nameXFH       = []byte("x-forwarded-host")
	nameConn      = []byte("connection")
	nameUpgrade   = []byte("upgrade")
	nameLength    = []byte("content-length: ")
	fieldChunked  = []byte("transfer-encoding: chunked\r\n")
	valueUpgrade  = []byte("upgrade")
	viaVersion    = []byte("via: 1.1 ")
	viaVersion10  = []byte("via: 1.0 ")
	requestSuffix = []byte(" HTTP/1.1\r\n")
)

// headSize is an upper bound of what appendHead writes.
func headSize(r *wire.Request, path []byte, cl *exchange.Client) int {
	n := len(r.MethodName) + len(path) + len(r.Query) + 3*len(r.Authority) + 2*len(cl.IP) + len(cl.Pseudonym) + len(r.Upgrade) + 256
	for i := range r.Fields {
		n += len(r.Fields[i].Name) + len(r.Fields[i].Value) + 4
	}
	return n
}

// appendHead renders the request as it goes to the upstream: origin-form target with the path that was matched, the Host of the
// client, hop-by-hop fields removed (and Expect, when we hold the body ourselves), framing our own (RFC 9110 section 7.6, RFC 9112 section 3.2.1).
func appendHead(dst []byte, r *wire.Request, path []byte, x *exchange.Exchange, cl *exchange.Client, buffered bool) []byte {
	dst = append(dst, r.MethodName...)
	dst = append(dst, ' ')
	if r.Form == wire.FormAuthority {
		dst = append(dst, r.Target...)
	} else {
		dst = append(dst, path...)
		if r.HasQuery {
			dst = append(dst, '?')
			dst = append(dst, r.Query...)
		}
	}
	dst = append(dst, requestSuffix...)
	dst = h1.AppendField(dst, nameHost, r.Authority)

	var haveFor, haveProto, haveHost bool
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Hop {
			continue
		}
		switch f.ID {
		case wire.FieldHost, wire.FieldContentLength, wire.FieldTransferEncoding:
			continue // ours, below and above
		case wire.FieldExpect:
			if buffered {
				continue
			}
		case wire.FieldXForwardedFor:
			if cl.TrustForwarded && !haveFor {
				haveFor = true
				dst = appendForwardedFor(dst, r, cl)
			}
			continue
		case wire.FieldXForwardedProto:
			if !cl.TrustForwarded || haveProto {
				continue
			}
			haveProto = true
		case wire.FieldXForwardedHost:
			if !cl.TrustForwarded || haveHost {
				continue
			}
			haveHost = true
		case wire.FieldForwarded:
			if !cl.TrustForwarded {
				continue
			}
		}
		dst = h1.AppendField(dst, f.Name, f.Value)
	}
	if !haveFor {
		dst = h1.AppendField(dst, nameXFF, cl.IP)
	}
	if !haveProto {
		dst = h1.AppendField(dst, nameXFP, cl.Scheme)
	}
	if !haveHost {
		dst = h1.AppendField(dst, nameXFH, r.Authority)
	}
	if len(cl.Pseudonym) > 0 {
		// The version is the one the request was received with (RFC 9110 section 7.6.3).
		if r.Minor == 0 {
			dst = append(dst, viaVersion10...)
		} else {
			dst = append(dst, viaVersion...)
		}
		dst = append(dst, cl.Pseudonym...)
		dst = append(dst, '\r', '\n')
	}
	switch r.Body {
	case wire.BodyLength:
		dst = append(dst, nameLength...)
		dst = h1.AppendUint(dst, uint64(r.Length))
		dst = append(dst, '\r', '\n')
	case wire.BodyChunked:
		dst = append(dst, fieldChunked...)
	}
	if x.WantsUpgrade && r.Upgrade != nil && r.Form != wire.FormAuthority {
		dst = h1.AppendField(dst, nameConn, valueUpgrade)
		dst = h1.AppendField(dst, nameUpgrade, r.Upgrade)
	}
	return append(dst, '\r', '\n')
}

// appendForwardedFor joins the client's X-Forwarded-For fields and adds the client itself.
func appendForwardedFor(dst []byte, r *wire.Request, cl *exchange.Client) []byte {
	dst = append(dst, nameXFF...)
	dst = append(dst, ':', ' ')
	for i := range r.Fields {
		if f := &r.Fields[i]; f.ID == wire.FieldXForwardedFor && !f.Hop && len(f.Value) > 0 {
			dst = append(dst, f.Value...)
			dst = append(dst, ',', ' ')
		}
	}
	dst = append(dst, cl.IP...)
	return append(dst, '\r', '\n')
}
