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
	nameXFCC      = []byte("x-forwarded-client-cert")
	nameConn      = []byte("connection")
	nameUpgrade   = []byte("upgrade")
	nameLength    = []byte("content-length: ")
	fieldChunked  = []byte("transfer-encoding: chunked\r\n")
	valueUpgrade  = []byte("upgrade")
	viaVersion    = []byte("via: 1.1 ")
	viaVersion10  = []byte("via: 1.0 ")
	viaVersion2   = []byte("via: 2.0 ")
	methodGet     = []byte("GET")
	requestSuffix = []byte(" HTTP/1.1\r\n")
)

// headSize is an upper bound of what appendHead writes.
func headSize(r *wire.Request, path []byte, x *exchange.Exchange, cl *exchange.Client) int {
	n := len(r.MethodName) + len(x.Host) + len(path) + len(r.Query) + 3*len(r.Authority) + 2*len(cl.IP) + len(cl.Cert) + len(cl.Pseudonym) + len(r.Upgrade) + 256
	for i := range r.Fields {
		n += len(r.Fields[i].Name) + len(r.Fields[i].Value) + 4
	}
	return n
}

// appendHead renders the request as it goes to the upstream: origin-form target with the path that was matched, the Host of the
// client, hop-by-hop fields removed (and Expect, when we hold the body ourselves), framing our own (RFC 9110 section 7.6, RFC 9112 section 3.2.1).
func appendHead(dst []byte, r *wire.Request, path []byte, x *exchange.Exchange, cl *exchange.Client, buffered bool) []byte {
	if x.Extended {
		dst = append(dst, methodGet...)
	} else {
		dst = append(dst, r.MethodName...)
	}
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
	dst = h1.AppendField(dst, nameHost, host(r, x))

	w := passing{trust: cl.TrustForwarded, buffered: buffered, haveCert: len(cl.Cert) > 0}
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Hop {
			continue
		}
		if decided[f.ID] {
			verdict := w.field(f.ID)
			if verdict == joinForwarded {
				dst = appendForwardedFor(append(append(dst, nameXFF...), ':', ' '), r, cl)
				dst = append(dst, '\r', '\n')
			}
			if verdict != passField {
				continue
			}
		}
		dst = h1.AppendField(dst, f.Name, f.Value)
	}
	if !w.haveFor {
		dst = h1.AppendField(dst, nameXFF, cl.IP)
	}
	if !w.haveProto {
		dst = h1.AppendField(dst, nameXFP, cl.Scheme)
	}
	if !w.haveHost {
		dst = h1.AppendField(dst, nameXFH, r.Authority)
	}
	if len(cl.Cert) > 0 {
		dst = h1.AppendField(dst, nameXFCC, cl.Cert)
	}
	if len(cl.Pseudonym) > 0 {
		dst = append(dst, viaProtocol(x)...)
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
		if x.Extended {
			dst = appendWebSocketKey(dst, r)
		}
	}
	return append(dst, '\r', '\n')
}

// host is the Host that the endpoint sees.
func host(r *wire.Request, x *exchange.Exchange) []byte {
	if x.Host != nil {
		return x.Host
	}
	return r.Authority
}

// appendForwardedFor joins the client's X-Forwarded-For fields and adds the client itself.
func appendForwardedFor(dst []byte, r *wire.Request, cl *exchange.Client) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.ID == wire.FieldXForwardedFor && !f.Hop && len(f.Value) > 0 {
			dst = append(dst, f.Value...)
			dst = append(dst, ',', ' ')
		}
	}
	return append(dst, cl.IP...)
}

// viaProtocol is the beginning of our Via entry: the version is the one the request was received with (RFC 9110 section 7.6.3).
func viaProtocol(x *exchange.Exchange) []byte {
	switch {
	case x.Major == 2:
		return viaVersion2
	case x.Minor == 0:
		return viaVersion10
	}
	return viaVersion
}

// passing decides which fields of a request go on to the upstream, whatever its protocol.
type passing struct {
	// trust keeps X-Forwarded-* of the client; buffered: the gateway has asked for the body itself.
	trust, buffered bool
	// have…: the field went on, so the gateway's own is not needed.
	haveFor, haveProto, haveHost, haveCert bool
}

// What becomes of a field.
const (
	dropField = iota
	passField
	// joinForwarded: this is the place of the joined X-Forwarded-For.
	joinForwarded
)

// decided are the fields that passing has an opinion about; all others that are not hop-by-hop go on.
var decided = [256]bool{
	wire.FieldHost: true, wire.FieldContentLength: true, wire.FieldTransferEncoding: true, wire.FieldExpect: true,
	wire.FieldXForwardedFor: true, wire.FieldXForwardedProto: true, wire.FieldXForwardedHost: true, wire.FieldForwarded: true,
	wire.FieldXForwardedClientCert: true,
}

func (w *passing) field(id wire.FieldID) int {
	switch id {
	case wire.FieldHost, wire.FieldContentLength, wire.FieldTransferEncoding:
		return dropField // the gateway's own
	case wire.FieldExpect:
		if w.buffered {
			return dropField
		}
	case wire.FieldXForwardedFor:
		if !w.trust || w.haveFor {
			return dropField
		}
		w.haveFor = true
		return joinForwarded
	case wire.FieldXForwardedProto:
		if !w.trust || w.haveProto {
			return dropField
		}
		w.haveProto = true
	case wire.FieldXForwardedHost:
		if !w.trust || w.haveHost {
			return dropField
		}
		w.haveHost = true
	case wire.FieldXForwardedClientCert:
		if !w.trust || w.haveCert {
			return dropField
		}
	case wire.FieldForwarded:
		if !w.trust {
			return dropField
		}
	}
	return passField
}
