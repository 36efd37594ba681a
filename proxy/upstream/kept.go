package upstream

import (
	"encoding/binary"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// A kept head is a request head that is not encoded yet, since HPACK depends on the connection, and which connection it will be is
// not known, nor how often the request will be sent. It stands at the front of the request's queue, in one piece, where a rewind
// finds it again:
//
//	method (1 byte), flags (1 byte), then records: id (1), size of the name (2), size of the value (4), name, value
//
// The first records are method name, authority, path with query, and the protocol of an upgrade; all others are fields, framing and
// hop-by-hop ones not among them. Trailers stand behind the body in the same form, records only.
type keptHead struct {
	method                                wire.Method
	flags                                 byte
	methodName, authority, path, protocol []byte
	fields                                []byte // records
}

// Flags of a kept head.
const (
	keptConnect = 1 << iota // CONNECT with an authority
	keptTE                  // the client accepts trailers (TE), which gRPC insists on
)

const recordBytes = 7

func appendRecord(dst []byte, id wire.FieldID, name, value []byte) []byte {
	dst = append(dst, byte(id), byte(len(name)>>8), byte(len(name)), byte(len(value)>>24), byte(len(value)>>16), byte(len(value)>>8), byte(len(value)))
	return append(append(dst, name...), value...)
}

// nextRecord takes a record off the front of b.
func nextRecord(b []byte) (id wire.FieldID, name, value, rest []byte) {
	n := recordBytes + int(binary.BigEndian.Uint16(b[1:]))
	m := n + int(binary.BigEndian.Uint32(b[3:]))
	return wire.FieldID(b[0]), b[recordBytes:n:n], b[n:m:m], b[m:]
}

// keptSize is an upper bound of what appendKept writes.
func keptSize(r *wire.Request, path []byte, x *exchange.Exchange, cl *exchange.Client) int {
	return headSize(r, path, x, cl) + recordBytes*(len(r.Fields)+12)
}

// appendKept keeps the request as it goes to the upstream: the same fields as in appendHead.
func appendKept(dst []byte, r *wire.Request, path []byte, x *exchange.Exchange, cl *exchange.Client, buffered bool) []byte {
	at := len(dst)
	dst = append(dst, byte(r.Method), 0)
	dst = appendRecord(dst, 0, nil, r.MethodName)
	dst = appendRecord(dst, 0, nil, host(r, x))
	flags := byte(0)
	switch r.Form {
	case wire.FormAuthority:
		flags |= keptConnect
		dst = appendRecord(dst, 0, nil, nil)
	default:
		if r.HasQuery {
			n := len(dst)
			dst = appendRecord(dst, 0, nil, path)
			dst = append(append(dst, '?'), r.Query...)
			binary.BigEndian.PutUint32(dst[n+3:], uint32(len(path)+1+len(r.Query)))
		} else {
			dst = appendRecord(dst, 0, nil, path)
		}
	}
	var protocol []byte
	if x.WantsUpgrade && r.Upgrade != nil && r.Form != wire.FormAuthority {
		protocol = r.Upgrade
	}
	dst = appendRecord(dst, 0, nil, protocol)
	w := passing{trust: cl.TrustForwarded, buffered: buffered, haveCert: len(cl.Cert) > 0}
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Hop {
			if f.ID == wire.FieldTE && wire.EqualFold(f.Value, valueTrailers) {
				flags |= keptTE
			}
			continue
		}
		if decided[f.ID] {
			verdict := w.field(f.ID)
			if verdict == joinForwarded {
				n := len(dst)
				dst = appendRecord(dst, wire.FieldXForwardedFor, nameXFF, nil)
				value := len(dst)
				dst = appendForwardedFor(dst, r, cl)
				binary.BigEndian.PutUint32(dst[n+3:], uint32(len(dst)-value))
			}
			if verdict != passField {
				continue
			}
		}
		dst = appendRecord(dst, f.ID, f.Name, f.Value)
	}
	if !w.haveFor {
		dst = appendRecord(dst, wire.FieldXForwardedFor, nameXFF, cl.IP)
	}
	if !w.haveProto {
		dst = appendRecord(dst, wire.FieldXForwardedProto, nameXFP, cl.Scheme)
	}
	if !w.haveHost {
		dst = appendRecord(dst, wire.FieldXForwardedHost, nameXFH, r.Authority)
	}
	if len(cl.Cert) > 0 {
		dst = appendRecord(dst, wire.FieldXForwardedClientCert, nameXFCC, cl.Cert)
	}
	if len(cl.Pseudonym) > 0 {
		n := len(dst)
		dst = appendRecord(dst, wire.FieldVia, nameVia, nil)
		value := len(dst)
		dst = append(append(dst, viaProtocol(x)[len("via: "):]...), cl.Pseudonym...)
		binary.BigEndian.PutUint32(dst[n+3:], uint32(len(dst)-value))
	}
	if r.Body == wire.BodyLength {
		n := len(dst)
		dst = appendRecord(dst, wire.FieldContentLength, nameLengthOnly, nil)
		value := len(dst)
		dst = h1.AppendUint(dst, uint64(r.Length))
		binary.BigEndian.PutUint32(dst[n+3:], uint32(len(dst)-value))
	}
	dst[at+1] = flags
	return dst
}

// parseKept takes a kept head apart. The slices point into b.
func parseKept(b []byte) (k keptHead) {
	k.method, k.flags = wire.Method(b[0]), b[1]
	b = b[2:]
	_, _, k.methodName, b = nextRecord(b)
	_, _, k.authority, b = nextRecord(b)
	_, _, k.path, b = nextRecord(b)
	_, _, k.protocol, b = nextRecord(b)
	k.fields = b
	return k
}

// get returns the value of the first field with a well-known name, nil when there is none.
func (k *keptHead) get(id wire.FieldID) []byte {
	for b := k.fields; len(b) > 0; {
		var got wire.FieldID
		var value []byte
		if got, _, value, b = nextRecord(b); got == id {
			return value
		}
	}
	return nil
}

var (
	valueTrailers  = []byte("trailers")
	nameTE         = []byte("te")
	nameVia        = []byte("via")
	nameLengthOnly = []byte("content-length")
)

// appendKeptFields takes records apart into fields, which point into b.
func appendKeptFields(dst []wire.Field, b []byte) []wire.Field {
	for len(b) > 0 {
		var f wire.Field
		f.ID, f.Name, f.Value, b = nextRecord(b)
		dst = append(dst, f)
	}
	return dst
}

// keepHead puts the request's head into the queue. False: there is no memory for it.
func (q *Request) keepHead(r *wire.Request, path []byte, cl *exchange.Client, buffered bool) bool {
	b := q.q.Reserve(keptSize(r, path, q.x, cl))
	if b == nil {
		return false
	}
	b = appendKept(b, r, path, q.x, cl, buffered)
	q.q.Commit(b)
	q.kept, q.headLen = true, len(b)
	q.empty = r.Body == wire.BodyNone || r.Body == wire.BodyLength && r.Length == 0
	q.websocket = q.x.WantsUpgrade && wire.EqualFold(r.Upgrade, websocket)
	if key := r.Get(wire.FieldSecWebSocketKey); q.websocket && len(key) > 0 && len(key) <= maxWebSocketKey {
		appendAccept(q.wsAccept[:0], key)
	}
	return true
}

// maxWebSocketKey is more than the 24 characters that a key has (RFC 6455 section 4.1).
const maxWebSocketKey = 48

// keepTrailers puts the request's trailers behind its body.
func (q *Request) keepTrailers(trailers []wire.Field) bool {
	n := 0
	for i := range trailers {
		n += len(trailers[i].Name) + len(trailers[i].Value) + recordBytes
	}
	if n == 0 {
		return true
	}
	b := q.q.Reserve(n)
	if b == nil {
		return false
	}
	for i := range trailers {
		if f := &trailers[i]; !f.Hop {
			b = appendRecord(b, f.ID, f.Name, f.Value)
		}
	}
	q.q.Commit(b)
	q.trailers = len(b)
	return true
}
