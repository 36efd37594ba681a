package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// treatment says what the encoder does with a field whose name it knows.
type treatment uint8

const (
	// onSecond: inserted when the same name and value come a second time. The rule for all names not listed.
	onSecond treatment = iota
	// onFirst: inserted at first sight, since the value rarely changes within a connection.
	onFirst
	// plain: literal, never inserted, since the value never comes back.
	plain
	// secret: never-indexed when short, otherwise plain. Long values cannot be guessed byte by byte, and leaving out the
	// mark lets the next hop decide for itself.
	secret
	// credential: never-indexed, here and at every hop behind (RFC 7541 section 7.1.3).
	credential
)

// kind numbers the names that the encoder knows: the well-known fields have the number of their wire.FieldID, and the
// pseudo-headers stand at the other end.
type kind uint8

const (
	kindMethod kind = 255 - iota
	kindScheme
	kindPath
	kindAuthority
	kindProtocol
	kindStatus
)

// rule is what the encoder knows about a name.
type rule struct {
	name   []byte // in lower case
	index  uint8  // first entry of the static table with this name, or 0
	treat  treatment
	seed   uint32 // begins the hash of name and value
	static bool   // the static entry at index has an empty value
}

// rules is indexed by kind. The entry of wire.FieldOther stands for all names that are not known and has no name.
var rules = buildRules()

func buildRules() (t [256]rule) {
	for id := range t {
		t[id].name = lowered(wire.FieldID(id).String())
	}
	for k, name := range map[kind]string{kindMethod: ":method", kindScheme: ":scheme", kindPath: ":path",
		kindAuthority: ":authority", kindProtocol: ":protocol", kindStatus: ":status"} {
		t[k].name = []byte(name)
		t[k].treat = onFirst
	}
	t[kindPath].treat = onSecond
	for id := range t {
		r := &t[id]
		r.seed = uint32(id)*0x9e3779b1 + 1
		for i := staticEntries; i > 0 && len(r.name) > 0; i-- {
			if string(staticFields[i].Name) == string(r.name) {
				r.index = uint8(i)
				r.static = len(staticFields[i].Value) == 0
			}
		}
	}
	for treat, ids := range map[treatment][]wire.FieldID{
		onFirst: {
			wire.FieldAccept, wire.FieldAcceptEncoding, wire.FieldAcceptLanguage, wire.FieldCacheControl, wire.FieldContentEncoding,
			wire.FieldContentLanguage, wire.FieldContentType, wire.FieldDate, wire.FieldHost, wire.FieldOrigin, wire.FieldServer,
			wire.FieldTE, wire.FieldUserAgent, wire.FieldVary, wire.FieldVia, wire.FieldXForwardedHost, wire.FieldXForwardedPort,
			wire.FieldXForwardedProto,
		},
		plain: {
			wire.FieldSecWebSocketAccept, wire.FieldSecWebSocketKey, wire.FieldTraceparent, wire.FieldXRequestID,
		},
		secret:     {wire.FieldCookie, wire.FieldSetCookie},
		credential: {wire.FieldAuthorization, wire.FieldProxyAuthorization},
	} {
		for _, id := range ids {
			t[id].treat = treat
		}
	}
	return t
}

func lowered(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}
